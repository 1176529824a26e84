"""A delivered pair is a Provisioned Service of the Service Binding specification 1.1.

The table has each MUST, SHOULD and RECOMMENDED of its sections Provisioned Service and Well-known Secret Entries, and
what Workload Projection asks of the names (https://servicebinding.io/spec/core/1.1.0/).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from cryptography import x509

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.platforms.address_space import HOST
from integration_operator.runtime.ref import Ref
from tests.support.documents import Document, decoded, space_status
from tests.support.world import World, integration_ref

ROOT = Path(__file__).parents[2]
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/integrations.integreatly.org"
ENTRY_NAME = re.compile(r"[a-z0-9\-.]{1,253}")
RESERVED_AND_UNRESERVED = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
"""The characters of a URI (RFC 3986, section 2)."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the specification asks of: the resource, its Secret, its CustomResourceDefinition, the ClusterRole."""

    resource: Document
    secret: Document
    definition: Document
    role: Document

    @property
    def entries(self) -> dict[str, str]:
        """The data of the Secret as text."""
        return decoded(self.secret)


def is_uri(text: str) -> bool:
    parts = urlsplit(text)
    return bool(RESERVED_AND_UNRESERVED.fullmatch(text) and parts.scheme and parts.hostname and parts.port)


REQUIREMENTS: dict[str, Callable[[Service], bool]] = {
    "MUST define status.binding with the single field name": lambda s: (
        list(s.resource["status"]["binding"]) == ["name"]
    ),
    "the Secret MUST exist in the same namespace": lambda s: (
        s.secret["metadata"]["namespace"] == s.resource["metadata"]["namespace"]
    ),
    "the data SHOULD contain type": lambda s: s.entries["type"] == "amqp",
    "the type of the Secret SHOULD be servicebinding.io/{type}": lambda s: (
        s.secret["type"] == f"servicebinding.io/{s.entries['type']}"
    ),
    "RECOMMENDED: the data contain provider": lambda s: s.entries["provider"] == "enmasse",
    "RECOMMENDED: a label of the CustomResourceDefinition": lambda s: (
        s.definition["metadata"]["labels"]["servicebinding.io/provisioned-service"] == "true"
    ),
    "host MUST be a host name or an IP address": lambda s: bool(HOST.fullmatch(s.entries["host"])),
    "port MUST be a port number": lambda s: 0 < int(s.entries["port"]) < 65536,
    "uri MUST be a URI as in RFC 3986": lambda s: is_uri(s.entries["uri"]),
    "username MUST be text": lambda s: bool(s.entries["username"]),
    "password MUST be text": lambda s: bool(s.entries["password"]),
    "certificates MUST be PEM-encoded X.509 certificates": lambda s: bool(
        x509.load_pem_x509_certificates(s.entries["certificates"].encode())
    ),
    "private-key MUST be a private key": lambda s: "private-key" not in s.entries,
    "a ClusterRole SHOULD have the label servicebinding.io/controller": lambda s: (
        s.role["metadata"]["labels"]["servicebinding.io/controller"] == "true"
    ),
    "the ClusterRole MUST grant get, list and watch": lambda s: (
        s.role["rules"]
        == [{"apiGroups": ["integreatly.org"], "resources": ["integrations"], "verbs": ["get", "list", "watch"]}]
    ),
    "the name of a binding MUST match the pattern": lambda s: bool(ENTRY_NAME.fullmatch(s.secret["metadata"]["name"])),
    "the names of entries SHOULD match the pattern": lambda s: all(map(ENTRY_NAME.fullmatch, s.entries)),
}

OF_A_SYNDESIS = {"the type of the Secret SHOULD be servicebinding.io/{type}"}
"""What the Secret of a Syndesis does not follow: its type was kubernetes.io/basic-auth before, and cannot change."""


async def service(world: World, ref: Ref) -> Service:
    """Return an Integration that is Ready, with what belongs to it."""
    resource = await world.ready(ref)
    secret = await world.get("Secret", Ref(ref.namespace, resource["status"]["binding"]["name"]))
    assert secret is not None
    definition = await world.kubectl.get(CRD)
    role = yaml.safe_load((ROOT / "deploy/kustomize/tenants/service-binding.yaml").read_text())
    return Service(resource, secret, definition, role)


def broken(of: Service) -> set[str]:
    """Return the requirements that a service does not meet."""
    return {requirement for requirement, holds in REQUIREMENTS.items() if not holds(of)}


def binding_of(integration: Document | None) -> str | None:
    """Return the name in ``status.binding``."""
    return (((integration or {}).get("status") or {}).get("binding") or {}).get("name")


async def test_a_pair_with_a_syndesis(world: World) -> None:
    async with world.platforms(), world.operator(enable_new=True):
        pair = await world.pair()
        delivered = await service(world, integration_ref(pair))
        assert broken(delivered) == OF_A_SYNDESIS
        entries = delivered.entries
        assert entries["uri"] == f"amqps://{entries['host']}:{entries['port']}"
        connection = await world.get("Connection", naming.connection_ref(pair))
        assert connection is not None
        assert connection["spec"]["configuredProperties"]["connectionUri"].startswith(entries["uri"])
        assert connection["spec"]["configuredProperties"]["brokerCertificate"] == entries["certificates"]


async def test_an_integration_for_any_workload(world: World) -> None:
    async with world.platforms(), world.operator():
        apps = await world.namespace("apps")
        space = await world.space(await world.namespace("shop"), allowed=apps)
        pair = await world.bind(space, apps)
        assert broken(await service(world, pair.consumer)) == set()


async def test_binding_is_there_only_while_the_user_can_log_in(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        assert binding_of(await world.integration(pair)) is None, "EnMasse has not applied the user"
        async with world.platforms():
            delivered = await world.ready(integration_ref(pair))
            assert binding_of(delivered) == naming.secret_name(pair)
            await world.patch("Integration", integration_ref(pair), {"spec": {"suspend": True}})
            assert binding_of(await world.has_reason(pair, "Suspended")) == naming.secret_name(pair)
            await world.patch("Integration", integration_ref(pair), {"spec": {"suspend": False}})
            await world.enable(pair, enabled=False)
            await world.taken_down(pair)
            assert binding_of(await world.has_reason(pair, "NotEnabled")) is None


async def test_binding_is_absent_with_a_secret_of_a_user(world: World) -> None:
    async with world.platforms(), world.operator(enable_new=True):
        pair = await world.pair()
        assert binding_of(await world.ready(integration_ref(pair)))
        own, labels = Ref(pair.syndesis.namespace, "own"), {names.INTEGRATION_LABEL: "yes"}
        values = {"username": "alice", "password": "one"}
        await world.create("Secret", *own, metadata={"labels": labels}, stringData=values)
        await world.patch("Integration", integration_ref(pair), {"spec": {"credentialsSecretRef": {"name": "own"}}})

        async def absent() -> bool:
            return binding_of(await world.integration(pair)) is None

        await world.eventually("status.binding is absent", absent)
        await world.ready(integration_ref(pair))
        assert binding_of(await world.integration(pair)) is None
        secret = await world.get("Secret", own)
        assert secret is not None
        assert decoded(secret) == values


async def entries_become(world: World, pair: Pair, **desired: str | None) -> dict[str, str]:
    """Wait until the Secret has entries, or lacks those that are None."""

    async def there() -> Any:
        secret = await world.get("Secret", naming.secret_ref(pair))
        data = decoded(secret) if secret else {}
        return data if all(data.get(key) == value for key, value in desired.items()) else None

    return await world.eventually(f"the Secret has {desired}", there)  # type: ignore[no-any-return]


async def test_the_secret_follows_the_address_space(world: World) -> None:
    async with world.platforms(), world.operator(enable_new=True):
        pair = await world.pair()
        before = (await service(world, integration_ref(pair))).entries
        moved = space_status("moved.enmasse-infra.svc")
        await world.patch("AddressSpace", pair.space, {"status": moved})
        after = await entries_become(world, pair, host="moved.enmasse-infra.svc", port="5671")
        assert {key: after[key] for key in ("username", "password")} == {
            key: before[key] for key in ("username", "password")
        }
        await world.patch("Integration", integration_ref(pair), {"spec": {"tls": "disabled"}})
        uri = "amqp://moved.enmasse-infra.svc:5672"
        await entries_become(world, pair, port="5672", uri=uri, certificates=None)


async def test_an_endpoint_that_vanishes_takes_nothing_from_the_secret(world: World) -> None:
    async with world.platforms(), world.operator(enable_new=True):
        pair = await world.pair()
        before = (await service(world, integration_ref(pair))).entries
        version = (await world.children(pair))["Secret"]["metadata"]["resourceVersion"]  # type: ignore[index]
        await world.patch("AddressSpace", pair.space, {"status": {"endpointStatuses": [], "caCert": None}})
        shown = await world.has_reason(pair, "NoMessagingEndpoint", "UserReady")
        assert binding_of(shown) is None, "nothing can use it now"
        secret = await world.get("Secret", naming.secret_ref(pair))
        assert secret is not None
        assert (decoded(secret), secret["metadata"]["resourceVersion"]) == (before, version)
        await world.patch("Secret", naming.secret_ref(pair), {"stringData": {"password": "guessed"}})
        await entries_become(world, pair, **before)
