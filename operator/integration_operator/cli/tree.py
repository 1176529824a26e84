"""``integration-operator tree``: which object owns which, and how far each is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from integration_operator.cli.failure import one_line
from integration_operator.cli.flags import Context, Kubeconfig, Output, check_output
from integration_operator.cli.output import MAX_LINE, echo
from integration_operator.cli.reading import connected
from integration_operator.cli.scope import AllNamespaces, Names, Namespace, Scope, read_integrations
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.policies.integrations import parse_integration, specified_pair
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.text import sanitized

if TYPE_CHECKING:
    from integration_operator.runtime.client import Client
    from integration_operator.runtime.resources import APIResource, Resource

Document = dict[str, Any]


@dataclass(slots=True)
class Node:
    """An object, or state over REST, which only the operator deletes. ``owners`` are uids of its owner references."""

    title: str
    state: str
    uid: str = ""
    owners: tuple[str, ...] = ()
    children: list[Node] = field(default_factory=list)

    def document(self) -> Document:
        """Return it as JSON."""
        return {"object": self.title, "state": self.state, "owns": [child.document() for child in self.children]}


def tree(
    integrations: Names = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    output: Output = "text",
) -> None:
    """Show which object owns which.

    Each object is shown with its state. The garbage collector deletes what an object owns when that object is
    deleted.
    """
    scope = Scope(kubeconfig, context, tuple(integrations or ()), namespace, all_namespaces)
    scope.check()
    check_output(output)
    with one_line():
        forest, integrations_read = asyncio.run(_tree(scope))
    if output == "json":
        echo(json.dumps([node.document() for node in forest], indent=2) + "\n")
        return
    if not integrations_read:
        typer.echo("No Integration.", err=True)
    lines = [line for node in forest for line in _lines(node)]
    width = max((len(line) for line, _ in lines), default=0)
    for line, state in lines:
        echo(f"{line.ljust(width)}   {sanitized(state, MAX_LINE)}".rstrip() + "\n")


async def _tree(scope: Scope) -> tuple[list[Node], int]:
    async with connected(scope.kubeconfig, scope.context) as client:
        _, documents = await read_integrations(client, scope)
        integrations = sorted(map(parse_integration, documents), key=lambda integration: integration.ref)
        objects = _Objects(client)
        nodes: dict[str, Node] = {}
        for integration in integrations:
            for node in await _nodes(objects, integration):
                nodes.setdefault(node.uid or f"{integration.ref} {node.title}", node)
    return _forest(list(nodes.values())), len(integrations)


def _forest(nodes: Sequence[Node]) -> list[Node]:
    """Put each node below its owner; return those that none of the others owns."""
    known = {node.uid: node for node in nodes if node.uid}
    roots: list[Node] = []
    for node in nodes:
        owner = next((known[uid] for uid in node.owners if uid in known and uid != node.uid), None)
        (roots if owner is None else owner.children).append(node)
    return roots


async def _nodes(objects: _Objects, integration: Integration) -> list[Node]:
    """Return an Integration, its pair, and what was delivered."""
    from integration_operator import resources

    nodes = []
    if (pair := specified_pair(integration)) is not None:
        nodes.append(await objects.node(resources.ADDRESS_SPACE, pair.space))
        if not pair.is_binding:
            nodes.append(await objects.node(resources.SYNDESIS, pair.syndesis))
    state = _summary(integration)
    nodes.append(_node_of(integration.live.document, "Integration", integration.ref, state))
    if secret := integration.delivered.get("secretName"):
        nodes.append(await objects.node(resources.SECRET, Ref(integration.ref.namespace, str(secret))))
    for side in ("user", "secondUser"):
        user = integration.delivered_side(side)
        if user.get("name"):
            ref = Ref(str(user.get("namespace", "")), str(user["name"]))
            nodes.append(await objects.node(resources.MESSAGING_USER, ref))
        elif user.get("username"):
            nodes.append(_over_rest(f"user {user['username']}", str(user.get("delivery")), integration))
    connection = integration.delivered_side("connection")
    if connection.get("name"):
        ref = Ref(integration.ref.namespace, str(connection["name"]))
        nodes.append(await objects.node(resources.CONNECTION, ref))
    elif connection.get("id"):
        nodes.append(_over_rest(f"connection {connection['id']}", str(connection.get("delivery")), integration))
    return nodes


def _summary(integration: Integration) -> str:
    """Return how far an Integration is: ready, disabled, suspended, or why it is not ready."""
    summary = integration.summary
    if summary.get("status") == "True":
        return str(summary["type"]).lower()
    return f"not ready: {summary.get('reason', 'not seen yet')}"


def _over_rest(what: str, delivery: str, integration: Integration) -> Node:
    place = "Syndesis" if what.startswith("connection") else "Keycloak"
    title = sanitized(f"{what} in {place} (delivery {delivery})")
    return Node(title, "deleted by the operator", owners=(integration.live.uid,))


class _Objects:
    """Reads objects one by one, each once; what may not be read is a node that says so."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._served: dict[str, APIResource | None] = {}
        self._nodes: dict[tuple[str, Ref], Node] = {}

    async def node(self, resource: Resource, ref: Ref) -> Node:
        """Return the node of an object."""
        key = resource.kind, ref
        if key not in self._nodes:
            self._nodes[key] = await self._read(resource, ref)
        return self._nodes[key]

    async def _read(self, resource: Resource, ref: Ref) -> Node:
        from integration_operator.runtime.errors import Forbidden, NotFound
        from integration_operator.runtime.resources import discover

        title = sanitized(f"{resource.kind} {ref}")
        try:
            if resource.kind not in self._served:
                self._served[resource.kind] = await discover(self._client, resource)
            served = self._served[resource.kind]
            if served is None:
                return Node(title, "kind not served")
            document = await self._client.get(served.item(*ref))
        except NotFound:
            return Node(title, "does not exist")
        except Forbidden:
            return Node(title, "not readable for you")
        return _node_of(document, resource.kind, ref, _state_of(document))


def _node_of(document: Document, kind: str, ref: Ref, state: str) -> Node:
    metadata = document["metadata"]
    owners = tuple(str(owner.get("uid")) for owner in metadata.get("ownerReferences") or ())
    deleting = "being deleted" if "deletionTimestamp" in metadata else ""
    text = ", ".join(filter(None, (state, deleting)))
    return Node(sanitized(f"{kind} {ref}"), text, str(metadata.get("uid", "")), owners)


def _state_of(document: Document) -> str:
    """Return what a platform reports of an object, in its own word."""
    status = document.get("status")
    if not isinstance(status, dict):
        return ""
    if "isReady" in status:
        return "ready" if status["isReady"] is True else "not ready"
    return str(status.get("phase") or "")


def _lines(node: Node, prefix: str = "", below: str = "") -> Iterator[tuple[str, str]]:
    yield prefix + node.title, node.state
    for number, child in enumerate(node.children, 1):
        last = number == len(node.children)
        yield from _lines(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))
