"""``integration-operator diff``: what the operator would change now in the cluster, as ``kubectl diff`` shows it."""

from __future__ import annotations

import asyncio
import copy
import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from integration_operator.cli.actions import described
from integration_operator.cli.failure import DIFFERENCE, one_line
from integration_operator.cli.flags import Config, Context, Kubeconfig, Templates
from integration_operator.cli.output import coloured, say
from integration_operator.cli.render import MASK, masked
from integration_operator.cli.scope import AllNamespaces, Names, Namespace, Scope
from integration_operator.domain.model.actions import Action, Apply, Delete
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator.settings import Settings, load

if TYPE_CHECKING:
    from integration_operator.controllers.integration.dry_run import DryRun
    from integration_operator.rendering.templates import TemplateFiles
    from integration_operator.runtime.client import Client

Document = dict[str, Any]

COLOURS = {"+": "green", "-": "red", "@": "cyan"}
NOT_SHOWN = ("resourceVersion", "uid", "generation", "creationTimestamp", "managedFields", "selfLink")
"""Metadata that only the API server writes."""


def diff(
    integrations: Names = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    config: Config = None,
    templates: Templates = None,
) -> None:
    """Show what the operator would change now.

    Secret values are masked. Reads the cluster as the operator does, with its settings (--config) and templates,
    and changes nothing. Exits with 1 if there is a difference, such as after a change of a template or while the
    operator is not running.
    """
    from integration_operator.rendering.templates import TemplateFiles

    scope = Scope(kubeconfig, context, tuple(integrations or ()), namespace, all_namespaces)
    scope.check()
    with one_line():
        settings = load({"kubeconfig": kubeconfig, "context": context, "templates": templates}, config)
        files = TemplateFiles(settings.templates)
        files.check()
        differs = asyncio.run(_diff(scope, settings, files))
    if differs:
        raise typer.Exit(DIFFERENCE)


async def _diff(scope: Scope, settings: Settings, templates: TemplateFiles) -> bool:
    from integration_operator.cli.live import live_dry_run
    from integration_operator.cli.reading import connected

    async with connected(settings.kubeconfig, settings.context) as client:
        dry_run = await live_dry_run(client, settings, settings.plan_settings)
        pairs = [pair for pair in dry_run.pairs() if _is_chosen(pair, dry_run, scope, client)]
    differences = [_show(pair, dry_run, templates) for pair in pairs]
    return any(differences)


def _is_chosen(pair: Pair, dry_run: DryRun, scope: Scope, client: Client) -> bool:
    """Check if a pair's Integration is one that the user named, or in the namespace."""
    if scope.names:
        return any(integration.ref in scope.refs(client) for integration in dry_run.gatherer.integrations_of(pair))
    return scope.namespace_of(client) in (None, pair.consumer.namespace)


def _show(pair: Pair, dry_run: DryRun, templates: TemplateFiles) -> bool:
    """Print the differences of one pair; return True if there are any."""
    documents: dict[tuple[str, Ref], Document | None] = {}

    def before(action: Action) -> None:
        if isinstance(action, (Apply, Delete)):
            documents.setdefault((action.kind, action.ref), _document(dry_run, action.kind, action.ref))

    actions, _ = dry_run.settle(pair, templates, before=before)
    for action in actions:
        if not isinstance(action, (Apply, Delete)):
            say(f"# {described(action)}")
    for (kind, ref), document in documents.items():
        for line in _lines(kind, ref, document, _document(dry_run, kind, ref)):
            coloured(line, COLOURS.get(line[:1], ""))
    return bool(actions)


def _document(dry_run: DryRun, kind: str, ref: Ref) -> Document | None:
    """Return a copy of what the cache holds; None if there is no such object."""
    cached = dry_run.cache.store(kind).get(ref)
    live = getattr(cached, "live", cached)
    return copy.deepcopy(live.document) if live is not None else None


def _lines(kind: str, ref: Ref, before: Document | None, after: Document | None) -> Iterator[str]:
    """Return a unified diff of two documents, without what only the server or a platform writes."""
    from integration_operator.api.schema import to_yaml

    if before is not None and after is not None and kind == "Secret":
        _mark_changed(before, after)
    old, new = (to_yaml(_sorted(_shown(document))).splitlines() if document else [] for document in (before, after))
    here = f"cluster/{kind} {ref}" if before else "/dev/null"
    there = f"operator/{kind} {ref}" if after else "/dev/null"
    return iter(difflib.unified_diff(old, new, here, there, lineterm=""))


def _mark_changed(before: Document, after: Document) -> None:
    """Make a changed value of a Secret visible, and none of its content."""
    old, new = before.setdefault("data", {}), after.setdefault("data", {})
    for key in new:
        marked = f"{MASK} (changed)" if old.get(key) not in (None, new[key]) else MASK
        new[key] = marked
    old.update(dict.fromkeys(old, MASK))


def _shown(document: Document) -> Document:
    metadata = {key: value for key, value in document["metadata"].items() if key not in NOT_SHOWN}
    shown = {key: value for key, value in document.items() if key != "status"} | {"metadata": metadata}
    return shown if "(changed)" in str(shown.get("data")) else masked(shown)


def _sorted(value: Any) -> Any:
    """Return a document with its keys in order, so that their order is no difference."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
