"""An API server in memory, for controllers in virtual time: it takes the place of their ``Client``.

It serves every kind of the product. EnMasse and the reconciler of Connections do their part at once, unless a test says
that they do not.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from integration_operator import resources
from integration_operator.runtime.client import Query
from integration_operator.runtime.errors import ApiError, Conflict, NotFound
from integration_operator.runtime.live_object import owned_fields
from integration_operator.runtime.managed_fields import managed_fields, merged, without_former_fields
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.resources import Resource
from tests.support.documents import Document

VERSIONS = {"syndesis.io": ("v1beta3", "v1alpha1"), "integreatly.org": ("v1alpha1",), "enmasse.io": ("v1beta1",)}
DEFAULT_VERSIONS = ("v1beta1", "v1")
KINDS = {
    resource.kind: resource
    for resource in (*vars(resources).values(), Resource("Event", "", "events"))
    if isinstance(resource, Resource)
}
PATH = re.compile(r"/apis?(?:/(?P<group>[a-z0-9.]+\.[a-z0-9.]+))?/(?P<version>v[a-z0-9]+)(?:/(?P<rest>.+))?")


@dataclass(frozen=True)
class Target:
    """What a path names."""

    kind: str
    api_version: str
    namespace: str = ""
    name: str = ""
    is_status: bool = False

    @property
    def ref(self) -> Ref:
        return Ref(self.namespace, self.name)


@dataclass
class ApiServer:
    """The objects by kind and reference. Each change is sent to the watches of its kind."""

    objects: dict[tuple[str, Ref], Document] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    """Kinds that are not served."""
    unwatched: set[str] = field(default_factory=set)
    """Kinds that are served without WATCH, as by EnMasse's aggregated API."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Verb and path of each request."""
    before: Callable[[str, str], None] = lambda verb, path: None
    """Called with verb and path of each request; raises what the request is to fail with."""
    idle_platforms: bool = False
    """True if EnMasse and the reconciler of Connections do nothing."""

    def __post_init__(self) -> None:
        self._version = 1
        self._watches: dict[str, set[asyncio.Queue[tuple[str, Document] | ApiError]]] = {}
        self._applied: dict[tuple[str, Ref, str, bool], Document] = {}

    # What users do

    def put(self, document: Document) -> Document:
        """Create an object, or change fields of it, as a user does; None removes a field."""
        ref = Ref(document["metadata"].get("namespace", ""), document["metadata"]["name"])
        live = self.objects.get((document["kind"], ref))
        key = (document["kind"], ref, "kubectl", False)
        self._applied[key] = _without_none(merged(self._applied.get(key, {}), document))
        return self._store(document["kind"], ref, _without_none(merged(live or {}, document)))

    def remove(self, kind: str, ref: Ref) -> None:
        """Delete an object, as a user does."""
        document = self.objects[kind, ref]
        if document["metadata"].get("finalizers"):
            stamp = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
            self._store(kind, ref, {**document, "metadata": {**document["metadata"], **stamp}})
        else:
            self._drop(kind, ref)

    def expire(self, kind: str, error: ApiError) -> None:
        """End the watches of a kind with an error."""
        for watch in self._watches[kind]:
            watch.put_nowait(error)

    def find(self, kind: str, ref: Ref) -> Document | None:
        """Return an object."""
        return self.objects.get((kind, ref))

    def all(self, kind: str) -> list[Document]:
        """Return all objects of a kind."""
        return [document for (of_kind, _), document in self.objects.items() if of_kind == kind]

    def writes(self) -> list[tuple[str, str]]:
        """Return verb and path of the requests that write."""
        return [request for request in self.requests if request[0] not in ("GET", "WATCH")]

    # What a client does

    async def get(
        self, path: str, query: Query | None = None, *, accept: str = "", max_bytes: int | None = None
    ) -> Document:
        await self._arrives("GET", path)
        if (group := re.fullmatch(r"/apis/([a-z0-9.]+)(?:/(v[a-z0-9]+))?", path)) is not None:
            return self._discovery(*group.groups())
        target = self._target(path)
        if target.name:
            return _copy(self._existing(target))
        matching = [_copy(d) for ref, d in self._of(target) if _selects(query or {}, d)]
        version = "" if target.kind in self.unwatched else str(self._version)
        return {"items": matching, "metadata": {"resourceVersion": version}}

    async def post(self, path: str, body: Document, query: Query | None = None) -> Document:
        await self._arrives("POST", path)
        target = self._target(path)
        name = body["metadata"].get("name") or f"{body['metadata']['generateName']}{self._version}"
        ref = Ref(target.namespace, name)
        return self._store(target.kind, ref, merged(body, {"metadata": {"name": name}}))

    async def patch(self, path: str, body: Document, query: Query | None = None, *, content_type: str = "") -> Document:
        await self._arrives("PATCH", path)
        target = self._target(path)
        live = self._existing(target)
        self._check(live, body["metadata"])
        return _copy(self._store(target.kind, target.ref, _without_none(merged(live, body))))

    async def apply(self, path: str, body: Document, *, manager: str, force: bool) -> Document:
        await self._arrives("APPLY", path)
        target, body = self._target(path), _copy(body)
        live = self.objects.get((target.kind, target.ref))
        if live is None and (target.is_status or "uid" in body["metadata"]):
            raise NotFound(404, "NotFound", f"{path} does not exist")
        if live is not None:
            self._check(live, body["metadata"])
        for server_field in ("uid", "resourceVersion"):
            body["metadata"].pop(server_field, None)
        applied = {"status": body["status"], "metadata": {}} if target.is_status else body
        key = (target.kind, target.ref, manager, target.is_status)
        before, self._applied[key] = self._applied.get(key, {"metadata": {}}), applied
        result = without_former_fields(live or {}, _owned(before), applied)
        names = [*(live or applied)["metadata"].get("finalizers", ()), *applied["metadata"].get("finalizers", ())]
        others = [of for other, of in self._applied.items() if other[:2] == key[:2] and other != key]
        kept = {name for of in (applied, *others) for name in of["metadata"].get("finalizers", ())}
        former = set(before["metadata"].get("finalizers", ())) - kept
        result = merged(result, applied)
        result["metadata"] = {**result["metadata"], "finalizers": sorted({*names} - former)}
        return _copy(self._store(target.kind, target.ref, result))

    async def delete(self, path: str, body: Document | None = None) -> Document:
        await self._arrives("DELETE", path)
        target = self._target(path)
        document = self._existing(target)
        self._check(document, (body or {}).get("preconditions", {}))
        self.remove(target.kind, target.ref)
        return _copy(self.objects.get((target.kind, target.ref), {}))

    async def watch(
        self,
        path: str,
        query: Query,
        *,
        accept: str = "",
        silence: float = 0.0,
        opened: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Document]:
        await self._arrives("WATCH", path)
        target = self._target(path)
        events: asyncio.Queue[tuple[str, Document] | ApiError] = asyncio.Queue()
        self._watches.setdefault(target.kind, set()).add(events)
        opened()
        try:
            while True:
                event = await events.get()
                if isinstance(event, ApiError):
                    raise event
                type_, document = event
                if target.namespace and document["metadata"].get("namespace") != target.namespace:
                    continue
                yield {"type": type_ if _selects(query, document) else "DELETED", "object": _copy(document)}
        finally:
            self._watches[target.kind].discard(events)

    # How the server works

    async def _arrives(self, verb: str, path: str) -> None:
        await asyncio.sleep(0.001)
        self.requests.append((verb, path))
        self.before(verb, path)

    def _discovery(self, group: str, version: str | None) -> Document:
        served = [r for r in KINDS.values() if r.group == group and r.kind not in self.absent]
        if not served:
            raise NotFound(404, "NotFound", f"{group} is not served")
        if version is None:
            versions = [{"version": v} for v in VERSIONS.get(group, DEFAULT_VERSIONS)]
            return {"versions": versions, "preferredVersion": versions[0]}
        verbs = {r.plural: ["list"] if r.kind in self.unwatched else ["list", "watch"] for r in served}
        return {"resources": [{"name": plural, "verbs": verbs} for plural, verbs in verbs.items()]}

    def _target(self, path: str) -> Target:
        parsed = PATH.fullmatch(path)
        assert parsed is not None, path
        parts = (parsed["rest"] or "").split("/")
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        group = parsed["group"] or ""
        kind = next(r.kind for r in KINDS.values() if (r.group, r.plural) == (group, parts[0]))
        if kind in self.absent:
            raise NotFound(404, "NotFound", f"{kind} is not served")
        api_version = f"{group}/{parsed['version']}" if group else parsed["version"]
        return Target(kind, api_version, namespace, parts[1] if len(parts) > 1 else "", parts[2:] == ["status"])

    def _of(self, target: Target) -> list[tuple[Ref, Document]]:
        return [
            (ref, document)
            for (kind, ref), document in self.objects.items()
            if kind == target.kind and target.namespace in ("", ref.namespace)
        ]

    def _existing(self, target: Target) -> Document:
        document = self.objects.get((target.kind, target.ref))
        if document is None:
            raise NotFound(404, "NotFound", f"{target.kind} {target.ref} does not exist")
        return document

    def _check(self, live: Document, preconditions: Document) -> None:
        for key in ("uid", "resourceVersion"):
            if preconditions.get(key) not in (None, live["metadata"][key]):
                raise Conflict(409, "Conflict", f"another {key}")

    def _store(self, kind: str, ref: Ref, document: Document) -> Document:
        live = self.objects.get((kind, ref))
        self._version += 1
        document = _copy(document)
        metadata = document["metadata"]
        metadata.setdefault("uid", f"uid-{self._version}")
        metadata.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        metadata["resourceVersion"] = str(self._version)
        if live is None or live.get("spec") != document.get("spec"):
            metadata["generation"] = metadata.get("generation", 0) + 1
        metadata["managedFields"] = [
            {**entry, **({"subresource": "status"} if is_status else {})}
            for (of_kind, of, manager, is_status), applied in self._applied.items()
            if (of_kind, of) == (kind, ref)
            for entry in managed_fields(applied, manager)
        ]
        if not self.idle_platforms:
            _reconcile(kind, document)
        if not metadata.get("finalizers"):
            metadata.pop("finalizers", None)
        self.objects[kind, ref] = document
        if "deletionTimestamp" in metadata and "finalizers" not in metadata:
            self._drop(kind, ref)
        else:
            self._send(kind, "ADDED" if live is None else "MODIFIED", document)
        return document

    def _drop(self, kind: str, ref: Ref) -> None:
        document = self.objects.pop((kind, ref))
        self._version += 1
        document["metadata"]["resourceVersion"] = str(self._version)
        for key in [key for key in self._applied if key[:2] == (kind, ref)]:
            del self._applied[key]
        self._send(kind, "DELETED", document)
        self._collect()

    def _collect(self) -> None:
        """Delete what has owners, all of which are gone."""
        alive = {document["metadata"]["uid"] for document in self.objects.values()}
        for (kind, ref), document in list(self.objects.items()):
            owners = {owner["uid"] for owner in document["metadata"].get("ownerReferences") or ()}
            orphaned = owners and not owners & alive and "deletionTimestamp" not in document["metadata"]
            if orphaned and (kind, ref) in self.objects:
                self.remove(kind, ref)

    def _send(self, kind: str, type_: str, document: Document) -> None:
        for watch in self._watches.get(kind, ()):
            watch.put_nowait((type_, _copy(document)))


def _reconcile(kind: str, document: Document) -> None:
    """Write the status that a platform writes once it has done its part."""
    generation = document["metadata"]["generation"]
    if kind == "MessagingUser":
        document["status"] = {"phase": "Active", "generation": generation}
    elif kind == "Connection":
        document["status"] = {"phase": "Ready", "connectionId": "i-1", "observedGeneration": generation}


def _selects(query: Query, document: Document) -> bool:
    metadata = document["metadata"]
    key, _, value = query.get("labelSelector", "").partition("=")
    labels = metadata.get("labels") or {}
    named = query.get("fieldSelector", "").removeprefix("metadata.name=") in ("", metadata["name"])
    return named and (not key or (key in labels and value in ("", labels[key])))


def _owned(applied: Document) -> Any:
    (entry,) = managed_fields(applied, "")
    return owned_fields(json.dumps(entry["fieldsV1"]))


def _without_none(document: Document) -> Document:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in document.items()
        if value is not None
    }


def _copy(document: Document) -> Document:
    copy: Document = json.loads(json.dumps(document))
    return copy
