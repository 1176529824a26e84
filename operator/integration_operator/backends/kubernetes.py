"""The Kubernetes backend: resources that EnMasse and Syndesis reconcile."""

from __future__ import annotations

from integration_operator.api import names
from integration_operator.cache import Cache
from integration_operator.domain.model.actions import Apply, Delete
from integration_operator.runtime.errors import Conflict
from integration_operator.runtime.live_object import LiveObject, differences


class KubernetesBackend:
    """Applies and deletes resources under the operator's field manager."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def apply(self, action: Apply) -> list[str]:
        """Apply the document; return the fields that the server dropped or changed.

        A new object is only created: one of this name that the cache does not show is not changed, whether it is
        foreign, or an earlier process made it and this one knows nothing of its password. An existing object is applied
        by uid and with force.
        """
        writer = self._cache.writer(action.kind, names.FIELD_MANAGER)
        if action.uid is None:
            stored = await writer.create(action.document)
        else:
            version = self._version(action) if action.only_if is not None else None
            stored = await writer.apply(action.document, uid=action.uid, version=version)
        return differences(stored if isinstance(stored, LiveObject) else stored.live, action.document)

    def _version(self, action: Apply) -> str:
        """Return the version of the object that the document was made from. Raises ``Conflict`` if it has changed."""
        store = self._cache.store(action.kind)
        if store.get(action.ref) is not action.only_if:
            raise Conflict(409, "Conflict", f"{action.kind} {action.ref} has changed meanwhile")
        return store.version(action.ref)

    async def delete(self, action: Delete) -> None:
        """Delete the object of this name and uid."""
        await self._cache.writer(action.kind, names.FIELD_MANAGER).delete(action.ref, action.uid)
