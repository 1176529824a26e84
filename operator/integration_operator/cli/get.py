"""``integration-operator get``: the pairs and their state."""

from __future__ import annotations

import asyncio
import copy
from datetime import datetime
from typing import Annotated, Any

import typer

from integration_operator.cli.ages import now
from integration_operator.cli.failure import WRONG_INPUT, fail, one_line
from integration_operator.cli.flags import Context, Kubeconfig, check_output
from integration_operator.cli.output import DOCUMENTS, print_documents, say
from integration_operator.cli.reading import changes, connected
from integration_operator.cli.scope import AllNamespaces, Names, Namespace, Scope, read_integrations
from integration_operator.cli.table import Table
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.rotation import age_of
from integration_operator.domain.policies.integrations import parse_integration

Document = dict[str, Any]

COLUMNS = ("NAMESPACE", "NAME", "ADDRESSSPACE", "SYNDESIS", "ENABLED", "READY", "REASON", "AGE")
WIDE = ("USER", "CONNECTION", "BINDING", "MESSAGE")
FORMATS = ("wide", *DOCUMENTS, "name")


def get(
    integrations: Names = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    output: Annotated[str, typer.Option("-o", "--output", help="wide, json, yaml or name. Default: a table.")] = "",
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Go on, and print what changes.")] = False,
) -> None:
    """Show the pairs and their state."""
    scope = Scope(kubeconfig, context, tuple(integrations or ()), namespace, all_namespaces)
    scope.check()
    if output:
        check_output(output, FORMATS)
    if watch and (output in DOCUMENTS or len(scope.names) > 1):
        fail("--watch shows one Integration or all, as a table or as names", WRONG_INPUT)
    with one_line():
        asyncio.run(_get(scope, output, watch=watch))


async def _get(scope: Scope, output: str, *, watch: bool) -> None:
    async with connected(scope.kubeconfig, scope.context) as client:
        served, documents = await read_integrations(client, scope)
        if output in DOCUMENTS:
            print_documents(documents, output, as_list=len(scope.names) != 1)
            return
        if not documents and output != "name":
            typer.echo(f"No Integration {scope.said(client)}.", err=True)
        rows = _Rows(wide=output == "wide", names=output == "name", namespaces=scope.everywhere)
        rows.show(copy.deepcopy(documents))
        if watch:
            refs = scope.refs(client)
            collection = served.collection(refs[0].namespace if refs else scope.namespace_of(client))
            query = {"fieldSelector": f"metadata.name={refs[0].name}"} if refs else {}
            async for document in changes(client, collection, query, documents):
                rows.show([document])


class _Rows:
    """The rows of a table of Integrations, or their names."""

    def __init__(self, *, wide: bool, names: bool, namespaces: bool) -> None:
        self._wide = wide
        self._names = names
        self._from = 0 if namespaces else 1
        columns = (*COLUMNS, *WIDE) if wide else COLUMNS
        self._table = Table(columns[self._from :])

    def show(self, documents: list[Document]) -> None:
        """Print Integrations by namespace and name."""
        parsed = sorted(map(parse_integration, documents), key=lambda integration: integration.ref)
        if self._names:
            for integration in parsed:
                say(f"integration.integreatly.org/{integration.ref.name}")
        elif parsed:
            self._table.show(self._row(integration, now()) for integration in parsed)

    def _row(self, integration: Integration, at: datetime) -> tuple[object, ...]:
        spec, summary = integration.spec, integration.summary
        space = spec.address_space_ref
        row: tuple[object, ...] = (
            *integration.ref,
            f"{space.namespace}/{space.name}" if space else "",
            spec.client or "",
            "true" if integration.enabled else "false",
            summary["status"] if summary.get("type") == "Ready" else "",
            summary.get("reason", ""),
            age_of(integration.created, at),
        )
        if self._wide:
            row += tuple(integration.delivered_side(side).get("delivery", "") for side in ("user", "connection"))
            row += (integration.bound_secret or "", summary.get("message", ""))
        return row[self._from :]
