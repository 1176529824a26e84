"""The objects that a command is about: by name, or all in a namespace, or in all namespaces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from integration_operator.api.model import DNS_LABEL
from integration_operator.cli.completion import names_that_begin
from integration_operator.cli.failure import NO_PAIR, WRONG_INPUT, fail
from integration_operator.cli.progress import progress
from integration_operator.cli.reading import READING, everything, ref_of, served_integrations
from integration_operator.runtime.ref import Ref

if TYPE_CHECKING:
    from integration_operator.runtime.client import Client
    from integration_operator.runtime.resources import APIResource

Document = dict[str, Any]

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="NAME or NAMESPACE/NAME of an Integration. Default: all.",
        autocompletion=names_that_begin,
    ),
]
Namespace = Annotated[
    str | None, typer.Option("-n", "--namespace", help="Namespace of the Integrations. Default: the context's.")
]
AllNamespaces = Annotated[bool, typer.Option("-A", "--all-namespaces", help="Look at all namespaces.")]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a user asked for; ``names`` are NAME or NAMESPACE/NAME."""

    kubeconfig: Path | None
    context: str | None
    names: tuple[str, ...] = ()
    namespace: str | None = None
    everywhere: bool = False

    def check(self) -> None:
        """End the command if the flags contradict each other."""
        if self.namespace is not None and not re.fullmatch(DNS_LABEL, self.namespace):
            fail(f"--namespace: {self.namespace!r} is not the name of a namespace", WRONG_INPUT)
        if self.everywhere and self.namespace is not None:
            fail("--namespace and --all-namespaces exclude each other", WRONG_INPUT)
        if self.everywhere and self.names:
            fail("--all-namespaces shows all: leave it out, and name an Integration as NAMESPACE/NAME", WRONG_INPUT)

    def refs(self, client: Client) -> list[Ref]:
        """Return the named objects."""
        return [ref_of(name, self.namespace or client.namespace) for name in self.names]

    def namespace_of(self, client: Client) -> str | None:
        """Return the namespace to list; None for all."""
        return None if self.everywhere else self.namespace or client.namespace

    def said(self, client: Client) -> str:
        """Return where was looked, for messages."""
        return "in any namespace" if self.everywhere else f"in namespace {self.namespace_of(client)}"


async def read_integrations(client: Client, scope: Scope) -> tuple[APIResource, list[Document]]:
    """Return where Integrations are served, and those that a command is about; end the command if one is not there."""
    served = await served_integrations(client)
    if not scope.names:
        namespace = scope.namespace_of(client)
        with progress(READING):
            return served, await everything(client, served, (namespace,) if namespace is not None else None)
    return served, [await read_integration(client, served, ref) for ref in scope.refs(client)]


async def read_integration(client: Client, served: APIResource, ref: Ref) -> Document:
    """Return an Integration; end the command if there is none."""
    from integration_operator.runtime.errors import NotFound

    try:
        return await client.get(served.item(*ref))
    except NotFound:
        fail_missing(ref)


def fail_missing(ref: Ref) -> NoReturn:
    """End the command because an Integration that the user named does not exist."""
    fail(f'no Integration "{ref.name}" in namespace {ref.namespace}; get -A shows all', NO_PAIR)
