"""Resources of the Kubernetes API, and discovery of the version in which a server serves each."""

from __future__ import annotations

from dataclasses import dataclass

from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import NotFound


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that a controller reads or writes.

    ``version`` None lets discovery choose. ``selector`` is the label selector of LIST and WATCH, ``name`` restricts
    them to one object. ``metadata_only`` asks the server for metadata alone. ``polled`` allows LIST alone if the server
    does not support WATCH.
    """

    kind: str
    group: str
    plural: str
    version: str | None = None
    namespaced: bool = True
    selector: str | None = None
    metadata_only: bool = False
    polled: bool = False
    name: str | None = None

    @property
    def crd_name(self) -> str:
        """The name of its CustomResourceDefinition."""
        return f"{self.plural}.{self.group}"

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True, slots=True)
class APIResource:
    """A resource as a server serves it. ``watchable`` is True if the server supports WATCH."""

    resource: Resource
    version: str
    watchable: bool = True

    @property
    def kind(self) -> str:
        """The kind of its objects."""
        return self.resource.kind

    @property
    def api_version(self) -> str:
        """``group/version``, or the version alone for the core group."""
        return f"{self.resource.group}/{self.version}" if self.resource.group else self.version

    def collection(self, namespace: str | None = None) -> str:
        """Return the path of the collection, cluster-wide or in one namespace."""
        root = f"/apis/{self.api_version}" if self.resource.group else f"/api/{self.version}"
        plural = self.resource.plural
        return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"

    def item(self, namespace: str, name: str) -> str:
        """Return the path of one object."""
        return f"{self.collection(namespace)}/{name}"


async def discover(client: Client, resource: Resource) -> APIResource | None:
    """Return the resource as the server serves it, None if it does not. Raises ``ApiError`` if the server fails."""
    if not resource.group:
        return APIResource(resource, resource.version or "v1")
    try:
        group = await client.get(f"/apis/{resource.group}")
    except NotFound:
        return None
    preferred = group.get("preferredVersion", {}).get("version")
    versions = [v["version"] for v in group.get("versions", [])]
    for version in sorted(versions, key=lambda v: v != preferred):  # stable: the server lists newer versions first
        if resource.version not in (None, version):
            continue
        try:
            resources = await client.get(f"/apis/{resource.group}/{version}")
        except NotFound:
            continue
        for entry in resources.get("resources", []):
            if entry.get("name") == resource.plural:
                return APIResource(resource, version, watchable="watch" in entry.get("verbs", ()))
    return None
