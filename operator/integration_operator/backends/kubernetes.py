"""The Kubernetes backend: resources on the API server, which EnMasse and Syndesis reconcile themselves."""

from __future__ import annotations

from integration_operator.api import names
from integration_operator.cache import Cache
from integration_operator.domain.model.actions import Apply, Delete
from integration_operator.runtime.live_object import LiveObject, differences


class KubernetesBackend:
    """Applies and deletes resources under the operator's field manager."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def apply(self, action: Apply) -> list[str]:
        """Apply the document; return the fields that the server dropped or changed, which it would do again.

        A new object is applied without force: if a foreign object of that name exists, some field differs (a Secret's
        type and keys, a user's name, a connection's URI), and the server answers 409 instead of merging. A known one
        is applied by its uid, and takes its fields back by force.
        """
        writer = self._cache.writer(action.kind, names.FIELD_MANAGER)
        stored = await writer.apply(action.document, uid=action.uid, force=action.uid is not None)
        return differences(stored if isinstance(stored, LiveObject) else stored.live, action.document)

    async def delete(self, action: Delete) -> None:
        """Delete the object of this name and uid."""
        await self._cache.writer(action.kind, names.FIELD_MANAGER).delete(action.ref, action.uid)
