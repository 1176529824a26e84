"""Writes to one resource, recorded in its store.

Each write has the uid as a precondition if it is known, so an object that was deleted and created again is not changed.
The store gets each response at once: the next reconcile sees it without waiting for the watch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import Conflict, NotFound
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.reflector import Reflector
from integration_operator.runtime.resources import APIResource

T = TypeVar("T")
Document = dict[str, Any]

NO_VERSION = "1"
"""A resourceVersion that no object ever has: etcd begins with 1, and each write adds one.

With it the server creates an object, and refuses to change one (kubernetes/kubernetes issue 106745).
"""


class Writer(Generic[T]):
    """Writes objects of a reflector's resource with a field manager."""

    def __init__(self, client: Client, reflector: Reflector[T], manager: str) -> None:
        self._client = client
        self._reflector = reflector
        self._manager = manager

    async def apply(self, document: Document, *, uid: str, version: str | None = None) -> T:
        """Apply a document to the object with this uid, with force, and return what is stored.

        ``version``, the resourceVersion, is a second precondition. Raises ``Conflict`` if one does not hold.
        """
        ref = Ref(document["metadata"]["namespace"], document["metadata"]["name"])
        preconditions = {"uid": uid, **({"resourceVersion": version} if version else {})}
        document = {**document, "metadata": {**document["metadata"], **preconditions}}
        return await self._apply(self._served().item(*ref), document, self._manager, force=True)

    async def create(self, document: Document) -> T:
        """Apply a document to no object, and return the new one.

        Raises ``Conflict`` if an object of this name exists, whoever created it. The store has it then, if it is one
        that the reflector selects.
        """
        ref = Ref(document["metadata"]["namespace"], document["metadata"]["name"])
        document = {**document, "metadata": {**document["metadata"], "resourceVersion": NO_VERSION}}
        try:
            return await self._apply(self._served().item(*ref), document, self._manager, force=False)
        except Conflict:
            await self._reflector.read(ref)
            raise

    async def apply_status(self, ref: Ref, uid: str, status: Document) -> T:
        """Apply the status of an object and return the object."""
        path = f"{self._served().item(*ref)}/status"
        return await self._apply(path, {**self._identity(ref, uid), "status": status}, self._manager, force=True)

    async def set_finalizer(
        self,
        ref: Ref,
        uid: str,
        finalizer: str,
        *,
        present: bool,
        annotations: Mapping[str, str] | None = None,
        manager: str | None = None,
    ) -> T:
        """Add or remove a finalizer, with the only annotations that go with it, and return the object.

        ``manager`` is a field manager that applies nothing else. If another manager also wrote the finalizer, an apply
        does not remove it and the object would never be deleted; a patch then removes it from the list.
        """
        path = self._served().item(*ref)
        document = self._identity(ref, uid)
        document["metadata"]["finalizers"] = [finalizer] if present else []
        if annotations:
            document["metadata"]["annotations"] = {**annotations}
        answer = await self._client.apply(path, document, manager=manager or self._manager, force=True)
        remaining = answer["metadata"].get("finalizers") or []
        if not present and finalizer in remaining:
            precondition = {key: answer["metadata"][key] for key in ("uid", "resourceVersion")}
            others = [name for name in remaining if name != finalizer]
            answer = await self._client.patch(path, {"metadata": {**precondition, "finalizers": others}})
        return self._record(answer)

    async def delete(self, ref: Ref, uid: str) -> None:
        """Delete the object of this name and uid; succeed if it does not exist."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        try:
            answer = await self._client.delete(self._served().item(*ref), options)
        except NotFound:
            answer = {}
        if "deletionTimestamp" in (answer.get("metadata") or {}):
            self._record(answer)  # it has finalizers; the watch reports its removal
        else:
            self._reflector.store.record_delete(ref, uid)

    async def _apply(self, path: str, document: Document, manager: str, *, force: bool) -> T:
        return self._record(await self._client.apply(path, document, manager=manager, force=force))

    def _record(self, answer: Document) -> T:
        served = self._served()
        answer["apiVersion"], answer["kind"] = served.api_version, served.kind
        return self._reflector.store.record_write(answer)

    def _identity(self, ref: Ref, uid: str) -> Document:
        served = self._served()
        return {
            "apiVersion": served.api_version,
            "kind": served.kind,
            "metadata": {"name": ref.name, "namespace": ref.namespace, "uid": uid},
        }

    def _served(self) -> APIResource:
        served = self._reflector.served
        if served is None:
            raise NotFound(404, "NotFound", f"the cluster does not serve {self._reflector.resource.kind}")
        return served
