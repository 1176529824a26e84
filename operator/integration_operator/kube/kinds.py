"""The kinds the operator reads and writes, and where the API server serves them.

A version is fixed only for the kinds whose contract is ours. For EnMasse's and Syndesis's kinds it is asked of the
server (discovery), because releases differ: Syndesis serves v1alpha1 up to 1.11 and v1beta3 alone from 1.13.
"""

from __future__ import annotations

from dataclasses import dataclass

from integration_operator.api import names
from integration_operator.kube.client import Client
from integration_operator.kube.errors import NotFound


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object.

    ``version`` is None where discovery chooses. ``selector`` is the label selector of LIST and WATCH.
    ``metadata_only`` asks the server for metadata alone. ``polled`` says that LIST is enough where the kind is served
    without watch, as EnMasse's aggregated API does (≤ 0.30); without, such a kind is left to plain requests.
    """

    name: str
    group: str
    plural: str
    version: str | None = None
    namespaced: bool = True
    selector: str | None = None
    metadata_only: bool = False
    polled: bool = False

    @property
    def crd_name(self) -> str:
        """The name of the CustomResourceDefinition that would serve it."""
        return f"{self.plural}.{self.group}"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Served:
    """Where a kind is served: ``api_version`` as it stands in documents, and whether it can be watched."""

    kind: Kind
    version: str
    watchable: bool = True

    @property
    def api_version(self) -> str:
        """``group/version``, or the bare version of the core group."""
        return f"{self.kind.group}/{self.version}" if self.kind.group else self.version

    def collection(self, namespace: str | None = None) -> str:
        """The path of the collection, cluster-wide or of one namespace."""
        root = f"/apis/{self.api_version}" if self.kind.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.kind.plural}" if namespace else f"{root}/{self.kind.plural}"

    def item(self, namespace: str, name: str) -> str:
        """The path of one object."""
        return f"{self.collection(namespace)}/{name}"


ADDRESS_SPACE = Kind("AddressSpace", "enmasse.io", "addressspaces", polled=True)
MESSAGING_USER = Kind("MessagingUser", "user.enmasse.io", "messagingusers")
AUTHENTICATION_SERVICE = Kind("AuthenticationService", "admin.enmasse.io", "authenticationservices")
SPACE_CONFIG_MAP = Kind("ConfigMap", "", "configmaps", version="v1", selector="type=address-space")
"""Where EnMasse ≤ 0.30 keeps its AddressSpaces (ConfigMapAddressSpaceApi.java @0.24.0)."""
SYNDESIS = Kind("Syndesis", "syndesis.io", "syndesises")
CONNECTION = Kind("Connection", "syndesis.io", "connections", version="v1alpha1")
INTEGRATION = Kind("Integration", "integreatly.org", "integrations", version="v1alpha1")
SECRET = Kind("Secret", "", "secrets", version="v1", selector=names.INTEGRATION_LABEL)
NAMESPACE = Kind("Namespace", "", "namespaces", version="v1", namespaced=False, metadata_only=True)
CRD = Kind(
    "CustomResourceDefinition",
    "apiextensions.k8s.io",
    "customresourcedefinitions",
    version="v1",
    namespaced=False,
    metadata_only=True,
)
API_SERVICE = Kind(
    "APIService",
    "apiregistration.k8s.io",
    "apiservices",
    version="v1",
    namespaced=False,
    metadata_only=True,
)


async def discover(client: Client, kind: Kind) -> Served | None:
    """Where the server serves ``kind``; None where it does not serve it.

    Raises ``ApiError`` where the server does not say.
    """
    if not kind.group:
        return Served(kind, kind.version or "v1")
    try:
        group = await client.get(f"/apis/{kind.group}")
    except NotFound:
        return None
    preferred = group.get("preferredVersion", {}).get("version")
    versions = [v["version"] for v in group.get("versions", [])]
    for version in sorted(versions, key=lambda v: v != preferred):  # stable: the server lists newer versions first
        if kind.version not in (None, version):
            continue
        try:
            resources = await client.get(f"/apis/{kind.group}/{version}")
        except NotFound:
            continue
        for resource in resources.get("resources", []):
            if resource.get("name") == kind.plural:
                return Served(kind, version, watchable="watch" in resource.get("verbs", ()))
    return None
