"""Native delivery: resources on the API server, which EnMasse and Syndesis reconcile themselves."""

from __future__ import annotations

from integration_operator.api import names
from integration_operator.cluster import Cluster
from integration_operator.domain.actions import Apply, Remove
from integration_operator.domain.live import Live, differences
from integration_operator.kube.errors import NotFound
from integration_operator.kube.kinds import Served


class NativeDelivery:
    """Server-side apply with our field manager, deletion with a uid precondition; answers go into the stores at
    once.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def apply(self, action: Apply) -> list[str]:
        """Apply the document.

        A new object is applied without force: if a foreign one of that name exists unseen, some field differs (a
        Secret's type and keys, a user's name, a connection's URI) and the server answers 409 instead of merging. A
        known one carries its uid, which the server compares, and takes its fields back by force.

        Returns the fields that the server dropped or changed: then applying again would do the same.
        """
        body = action.document
        if action.uid is not None:
            body = {**body, "metadata": {**body["metadata"], "uid": action.uid}}
        served = self._served(action.kind)
        answer = await self._cluster.client.apply(
            served.item(*action.ref), body, manager=names.FIELD_MANAGER, force=action.uid is not None
        )
        answer["apiVersion"], answer["kind"] = served.api_version, action.kind
        kept = self._cluster.store(action.kind).wrote(answer)
        live = kept if isinstance(kept, Live) else kept.live
        return differences(live, action.document)

    async def remove(self, action: Remove) -> None:
        """Delete the object of that name and uid."""
        store = self._cluster.store(action.kind)
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": action.uid},
            "propagationPolicy": "Background",
        }
        served = self._served(action.kind)
        try:
            answer = await self._cluster.client.delete(served.item(*action.ref), options)
        except NotFound:
            answer = {}
        if "deletionTimestamp" in (answer.get("metadata") or {}):
            answer["apiVersion"], answer["kind"] = served.api_version, action.kind
            store.wrote(answer)  # finalizers keep it visible; its end comes with the watch
        else:
            store.removed(action.ref, action.uid)

    def _served(self, kind: str) -> Served:
        served = self._cluster.served(kind)
        if served is None:
            raise NotFound(404, "NotFound", f"the cluster does not serve {kind}")
        return served
