"""``integration-operator events``: the Events about Integrations, oldest first, as ``kubectl events`` shows them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from integration_operator.api import names
from integration_operator.cli.ages import now
from integration_operator.cli.failure import WRONG_INPUT, fail, one_line
from integration_operator.cli.flags import Context, Kubeconfig, check_output
from integration_operator.cli.output import DOCUMENTS, print_documents
from integration_operator.cli.reading import changes, connected, everything
from integration_operator.cli.scope import AllNamespaces, Names, Namespace, Scope
from integration_operator.cli.table import Table
from integration_operator.domain.model.rotation import age_of

Document = dict[str, Any]

COLUMNS = ("NAMESPACE", "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")


def events(
    integrations: Names = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    output: Annotated[str, typer.Option("-o", "--output", help="json or yaml. Default: a table.")] = "",
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Go on, and print new Events.")] = False,
) -> None:
    """Show the Events about Integrations."""
    scope = Scope(kubeconfig, context, tuple(integrations or ()), namespace, all_namespaces)
    scope.check()
    if output:
        check_output(output, DOCUMENTS)
    if watch and (output or len(scope.names) > 1):
        fail("--watch follows one Integration, or all, as a table", WRONG_INPUT)
    with one_line():
        asyncio.run(_events(scope, output, watch=watch))


async def _events(scope: Scope, output: str, *, watch: bool) -> None:
    from integration_operator.runtime.resources import APIResource, Resource

    served = APIResource(Resource("Event", "", "events"), "v1")
    async with connected(scope.kubeconfig, scope.context) as client:
        kind = f"involvedObject.kind={names.INTEGRATION_KIND}"
        queries: list[tuple[str | None, dict[str, str]]] = [
            (ref.namespace, {"fieldSelector": f"{kind},involvedObject.name={ref.name}"}) for ref in scope.refs(client)
        ]
        if not queries:
            queries = [(scope.namespace_of(client), {"fieldSelector": kind})]
        found: list[Document] = []
        for namespace, query in queries:
            found += await everything(client, served, (namespace,) if namespace else None, query)
        if output:
            print_documents(sorted(found, key=_order), output, as_list=True)
            return
        if not found:
            typer.echo(f"No Event about an Integration {scope.said(client)}.", err=True)
        rows = _Rows(namespaces=scope.everywhere or len({namespace for namespace, _ in queries}) > 1)
        rows.show(found)
        if watch:
            ((namespace, query),) = queries
            async for document in changes(client, served.collection(namespace), query, found):
                rows.show([document])


class _Rows:
    """The rows of a table of Events."""

    def __init__(self, *, namespaces: bool) -> None:
        self._from = 0 if namespaces else 1
        self._table = Table(COLUMNS[self._from :])

    def show(self, documents: list[Document]) -> None:
        """Print Events in the order of their times."""
        if documents:
            self._table.show(self._row(document) for document in sorted(documents, key=_order))

    def _row(self, event: Document) -> tuple[object, ...]:
        about, count = event.get("involvedObject") or {}, event.get("count") or 1
        age = age_of(_time(event), now())
        if count > 1:
            age = f"{age} (x{count} over {age_of(event.get('firstTimestamp'), now())})"
        row = (
            event["metadata"].get("namespace", ""),
            age,
            event.get("type", ""),
            event.get("reason", ""),
            f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}",
            event.get("message", ""),
        )
        return row[self._from :]


def _order(event: Document) -> tuple[str, int]:
    """Return what sorts Events: by time, and within a second by version."""
    version = str(event["metadata"].get("resourceVersion") or "")
    return _time(event), int(version) if version.isdecimal() else 0


def _time(event: Document) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
