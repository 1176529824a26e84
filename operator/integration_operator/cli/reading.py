"""A cluster that is read once, without a watch: what the commands decide from.

Commands run with a user's permissions. A kind that a command needs and the user may not read ends the command with one
line. A kind that only adds to what is known is noted as unread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from integration_operator.cli.failure import NO_CLUSTER, fail
from integration_operator.cli.progress import progress
from integration_operator.runtime.ref import Ref

if TYPE_CHECKING:
    from integration_operator.runtime.client import Client
    from integration_operator.runtime.errors import ApiError
    from integration_operator.runtime.resources import APIResource, Resource

Document = dict[str, Any]

USER_AGENT = "kubectl-integration"
"""The API server takes the field manager of a user's change from it."""
TIMEOUT = 10.0
"""Seconds for each answer of a cluster."""
SILENCE = 3600.0
"""Seconds for which a watch may be silent: nothing may change for long."""
NOT_SERVED = "the cluster does not serve Integration: integration-operator crds | kubectl apply --server-side -f -"
READING = "reading the cluster"
PAGE = 500
"""Objects of one LIST; client-go's default page."""


@dataclass(slots=True)
class Reading:
    """What was read. ``namespaces`` None means all namespaces."""

    namespaces: tuple[str, ...] | None
    documents: dict[str, list[Document]] = field(default_factory=dict)
    served: dict[str, APIResource | None] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def scope(self) -> str:
        """The namespaces that were read, for messages."""
        if self.namespaces is None:
            return "all namespaces"
        return f"namespace{'s' if len(self.namespaces) > 1 else ''} {', '.join(self.namespaces)}"

    def saw(self, namespace: str) -> bool:
        """Check if the objects of a namespace were read."""
        return self.namespaces is None or namespace in self.namespaces


def ref_of(name: str, namespace: str) -> Ref:
    """Return what a user named as NAME, in ``namespace``, or as NAMESPACE/NAME."""
    left, slash, right = name.partition("/")
    return Ref(left, right) if slash else Ref(namespace, name)


@asynccontextmanager
async def connected(kubeconfig: Path | None, context: str | None) -> AsyncIterator[Client]:
    """Open a client for a cluster; end the command if the cluster refuses a request or does not answer."""
    from integration_operator.runtime import logs
    from integration_operator.runtime.client import Client
    from integration_operator.runtime.errors import ApiError

    logs.configure("error", "auto")
    async with Client.find(kubeconfig, context, timeout=TIMEOUT, user_agent=USER_AGENT) as client:
        try:
            yield client
        except ApiError as error:
            fail(f"{client.server}: {_explain(error)}", NO_CLUSTER)


def _explain(error: ApiError) -> str:
    """Return why a request to the cluster failed, for the user who made it."""
    from integration_operator.runtime.errors import Unauthorized
    from integration_operator.runtime.network_errors import describe_network_error

    if error.status == 0 and error.__cause__ is not None:
        return describe_network_error(error.__cause__, seconds=TIMEOUT)
    if isinstance(error, Unauthorized):
        return "Unauthorized: the cluster does not accept the credentials of the kubeconfig"
    return str(error)


async def served_integrations(client: Client) -> APIResource:
    """Return where Integrations are served; end the command if they are not."""
    from integration_operator import resources
    from integration_operator.runtime.resources import discover

    served = await discover(client, resources.INTEGRATION)
    if served is None:
        fail(NOT_SERVED, NO_CLUSTER)
    return served


async def read(
    client: Client,
    needed: Iterable[Resource],
    optional: Iterable[Resource] = (),
    *,
    namespaces: Iterable[str] = (),
    everywhere: bool = False,
    enmasse_namespace: str = "enmasse-infra",
) -> Reading:
    """Read resources in namespaces.

    Without ``namespaces``, read all, or the context's own if the user may not list in all; ``everywhere`` requires all.
    Raises ``ApiError``.
    """
    from integration_operator.runtime.errors import Forbidden

    needed = tuple(needed)
    chosen = tuple(dict.fromkeys(namespaces))
    with progress(READING):
        if chosen:
            return await _read(client, Reading(chosen), needed, optional, enmasse_namespace)
        try:
            return await _read(client, Reading(None), needed, optional, enmasse_namespace)
        except Forbidden:
            if everywhere:
                raise
            return await _read(client, Reading((client.namespace,)), needed, optional, enmasse_namespace)


async def _read(
    client: Client, reading: Reading, needed: tuple[Resource, ...], optional: Iterable[Resource], enmasse_namespace: str
) -> Reading:
    from integration_operator.resources import ADDRESS_SPACE, SPACE_CONFIG_MAP
    from integration_operator.runtime.errors import Forbidden, NotFound
    from integration_operator.runtime.resources import discover

    for resource in needed:
        served = reading.served[resource.kind] = await discover(client, resource)
        if served is not None:
            reading.documents[resource.kind] = await everything(client, served, reading.namespaces)
    if ADDRESS_SPACE in needed and reading.served[ADDRESS_SPACE.kind] is None:  # EnMasse ≤ 0.30
        optional = (*optional, SPACE_CONFIG_MAP)
    for resource in optional:
        try:
            served = reading.served[resource.kind] = await discover(client, resource)
            if served is not None:  # in EnMasse's namespace, or cluster-wide
                where = (enmasse_namespace,) if resource.namespaced else None
                reading.documents[resource.kind] = await everything(client, served, where)
        except (Forbidden, NotFound) as error:
            reading.unread[resource.kind] = error.reason
    return reading


async def everything(
    client: Client, served: APIResource, namespaces: tuple[str, ...] | None, query: Mapping[str, str] | None = None
) -> list[Document]:
    """Return the objects of a resource that a query selects, in namespaces or in all. Raises ``ApiError``."""
    from integration_operator.resources import NAMESPACE
    from integration_operator.runtime.errors import NotFound
    from integration_operator.runtime.resources import discover

    if namespaces is None:
        try:
            return await _pages(client, served, served.collection(), query)
        except NotFound:  # EnMasse's aggregated API has no LIST over all namespaces up to 0.24
            everywhere = await discover(client, NAMESPACE)
            if served.watchable or everywhere is None:
                raise
            there = await _pages(client, everywhere, everywhere.collection())
            namespaces = tuple(namespace["metadata"]["name"] for namespace in there)
    documents: list[Document] = []
    for namespace in namespaces:
        documents += await _pages(client, served, served.collection(namespace), query)
    return documents


async def changes(
    client: Client, collection: str, query: Mapping[str, str], known: Iterable[Document]
) -> AsyncIterator[Document]:
    """Yield each object that changes, the deleted ones, too, until the caller ends. ``known`` are not repeated.

    A watch without a resourceVersion begins with all objects, so that nothing is missed if it has to be opened again.
    Raises ``ApiError``.
    """
    versions = {document["metadata"]["uid"]: document["metadata"].get("resourceVersion") for document in known}
    while True:
        async for event in client.watch(collection, {**query}, silence=SILENCE):
            if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
                break
            document = event["object"]
            uid, version = document["metadata"]["uid"], document["metadata"]["resourceVersion"]
            if versions.get(uid) != version:
                versions[uid] = version
                yield document


async def _pages(
    client: Client, served: APIResource, collection: str, chosen: Mapping[str, str] | None = None
) -> list[Document]:
    from integration_operator.runtime.client import METADATA_LIST
    from integration_operator.runtime.errors import TooLarge
    from integration_operator.runtime.reflector import items_of

    limit = PAGE
    query = {**(chosen or {}), "limit": str(limit)}
    if served.resource.selector:
        query["labelSelector"] = served.resource.selector
    accept = METADATA_LIST if served.resource.metadata_only else "application/json"
    documents: list[Document] = []
    while True:
        try:
            page = await client.get(collection, query, accept=accept)
        except TooLarge:
            if limit == 1:
                raise
            limit = max(1, limit // 8)
            query = {**query, "limit": str(limit)}
            continue
        # The items of a LIST of a built-in resource have neither apiVersion nor kind.
        documents += [
            {**item, "apiVersion": served.api_version, "kind": served.kind} for item in items_of(page, collection)
        ]
        rest = (page.get("metadata") or {}).get("continue")
        if not rest:
            return documents
        query = {**query, "continue": rest}
