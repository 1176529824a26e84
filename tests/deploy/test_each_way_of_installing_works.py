"""Each way of installing runs with exactly its permissions: nothing is refused, and each verb is used.

kubectl or Helm installs on a real control plane, or what OLM would create is applied. The processes of the stored
Deployment run with their own service account, and the API server's audit log says what they requested.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.manager import CONNECTION_CONTROLLER_LEASE, OPERATOR_LEASE
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import NotFound
from integration_operator.runtime.ref import Ref
from integration_operator.shipped import shipped_directory
from integration_operator_sandbox.controlplane.users import NAMESPACE
from integration_operator_sandbox.localhost.machine import free_port
from integration_operator_sandbox.platforms.aggregated.server import AggregatedApi
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.audit_log import OPERATOR
from tests.support.connection_controller import CONTROLLER
from tests.support.documents import Document, secret_data
from tests.support.earlier_enmasse import INFRASTRUCTURE, drop_space, pair_in_config_map, realm_of
from tests.support.installation import Installation, Use, granted, refused, used
from tests.support.keycloak_access import store_keycloak_access
from tests.support.keycloak_fixtures import realms_of
from tests.support.kustomize import DEPLOY, overlay_of_namespaces
from tests.support.proof_of_concept import poc_pair
from tests.support.status_pages import fetch
from tests.support.tenants import token_of
from tests.support.world import World

ACCOUNT = "integration-operator"
Installed = AbstractAsyncContextManager[list[Document]]
Install = Callable[[Installation, Path, list[str]], Installed]
"""What installs; it takes the directory of the test, and the namespaces of its pairs."""


@dataclass(frozen=True)
class Variant:
    """A way of installing, and what it grants that only other installations need."""

    install: Install
    namespaced: bool = False
    unused: frozenset[Use] = frozenset()


def by_kustomize(*directories: str) -> Install:
    return lambda installation, _directory, _namespaces: installation.by_kustomize(*(DEPLOY / d for d in directories))


def by_kustomize_in_namespaces(installation: Installation, directory: Path, namespaces: list[str]) -> Installed:
    return installation.by_kustomize(overlay_of_namespaces(directory, namespaces))


def by_components(*components: str) -> Install:
    def install(installation: Installation, directory: Path, _namespaces: list[str]) -> Installed:
        overlay = {"resources": ["base"], "components": components}
        paths = {key: [os.path.relpath(DEPLOY / name, directory) for name in names] for key, names in overlay.items()}
        (directory / "kustomization.yaml").write_text(yaml.safe_dump(paths))
        return installation.by_kustomize(directory)

    return install


def by_helm(**values: Any) -> Install:
    return lambda installation, _directory, _namespaces: installation.by_helm(values)


def by_helm_in_namespaces(installation: Installation, directory: Path, namespaces: list[str]) -> Installed:
    return installation.by_helm({"settings": {"namespaces": namespaces}})


def by_olm(installation: Installation, directory: Path, namespaces: list[str]) -> Installed:
    return installation.by_olm([])


def by_olm_in_namespaces(installation: Installation, directory: Path, namespaces: list[str]) -> Installed:
    return installation.by_olm(namespaces)


OF_THE_CLUSTER = frozenset(
    Use(group, resource, verb)
    for group, resource in (
        ("", "namespaces"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("apiregistration.k8s.io", "apiservices"),
    )
    for verb in ("list", "watch")
)
"""OLM grants them whatever the OperatorGroup is; an operator of all namespaces needs them."""

NATIVE = {
    "kustomize": Variant(by_kustomize("base")),
    "helm": Variant(by_helm()),
    "olm": Variant(by_olm),
    "kustomize-namespaces": Variant(by_kustomize_in_namespaces, namespaced=True),
    "helm-namespaces": Variant(by_helm_in_namespaces, namespaced=True),
    "olm-namespaces": Variant(by_olm_in_namespaces, namespaced=True, unused=OF_THE_CLUSTER),
}


def with_a_config_map(directory: Path) -> Path:
    """Return a directory with a template of the Connection that takes a property from a ConfigMap."""
    shipped = (shipped_directory("templates") / "connection.yaml.j2").read_text()
    source = "  - property: clientID\n    configMapKeyRef: { name: settings, key: client }\n"
    templates = directory / "templates"
    templates.mkdir()
    text = shipped.replace("configuredPropertiesFrom:\n", f"configuredPropertiesFrom:\n{source}")
    (templates / "connection.yaml.j2").write_text(text)
    return templates


async def create_config_map(world: World, namespace: str) -> None:
    """Create the ConfigMap from which Connections take a property."""
    config_map = {"metadata": {"name": "settings"}, "data": {"client": "c-1"}}
    await world.kubectl.post(f"/api/v1/namespaces/{namespace}/configmaps", config_map)


async def deliver_and_take_down(world: World, shop: str, fuse: str, rest: str) -> None:
    """Deliver natively and over REST, with a property from a ConfigMap; create, repair and delete each object."""
    pair = Pair(await world.space(shop, allowed=f"{fuse},{rest}"), await world.syndesis(fuse))
    children = await world.deliver(pair)
    for kind, body in (
        ("Secret", {"data": {"password": "eA=="}}),
        ("MessagingUser", {"spec": {"authentication": {"password": "eA=="}}}),
        ("Connection", {"spec": {"description": "x"}}),
    ):
        metadata = children[kind]["metadata"]
        await world.patch(kind, Ref(metadata["namespace"], metadata["name"]), body)
    await world.audit.quiet()
    await world.enable(pair, enabled=False)
    await world.taken_down(pair)
    over_rest = Pair(pair.space, Ref(rest, "syndesis"))
    await create_config_map(world, rest)
    await world.create("Syndesis", *over_rest.syndesis, spec={}, status={"phase": "Installed"})
    await world.offered(over_rest)
    await world.enable(over_rest)
    await world.has_reason(over_rest, "Ready")
    await withdraw(world, shop, fuse)


async def withdraw(world: World, shop: str, fuse: str) -> None:
    """Offer another AddressSpace, and have the offer withdrawn that no user has answered."""
    pair = Pair(await world.space(shop, "other", allowed=fuse), Ref(fuse, "syndesis"))
    await world.offered(pair)
    await world.patch("AddressSpace", pair.space, {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: None}}})

    async def withdrawn() -> bool:
        return await world.integration(pair) is None

    await world.eventually("the offer is withdrawn", withdrawn)


async def delete_lease(world: World, name: str) -> None:
    """Delete the Lease that an earlier installation in the same namespace left."""
    with suppress(NotFound):
        await world.kubectl.delete(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{name}")


def requests_of(world: World, user: str) -> list[Document]:
    """Return the requests of a user for resources, watches too."""
    return [entry for entry in world.audit.entries(user) if "objectRef" in entry]


@pytest.mark.parametrize("variant", NATIVE.values(), ids=NATIVE)
async def test_native(bare: World, syndesis_server: SyndesisServer, tmp_path: Path, variant: Variant) -> None:
    shop, fuse, rest = [await bare.namespace(name) for name in ("shop", "fuse", "rest")]
    flags = ["--templates", str(with_a_config_map(tmp_path)), "--syndesis-url", syndesis_server.url]
    installation = Installation(bare, tmp_path)
    async with variant.install(installation, tmp_path, [shop, fuse, rest]) as documents:
        await delete_lease(bare, OPERATOR_LEASE)
        bare.audit.mark()
        async with bare.platforms(), installation.running(*flags):
            await deliver_and_take_down(bare, shop, fuse, rest)
        requests = requests_of(bare, OPERATOR)
    assert refused(requests) == []
    assert granted(documents, ACCOUNT) - used(requests) == variant.unused, "nothing uses this"
    if variant.namespaced:
        namespaces = {request["objectRef"].get("namespace") for request in requests}
        assert namespaces == {shop, fuse, rest, INFRASTRUCTURE, NAMESPACE}


def by_kustomize_with_admission(installation: Installation, directory: Path, namespaces: list[str]) -> Installed:
    overlay = {
        "resources": [os.path.relpath(DEPLOY / "base", directory)],
        "components": [os.path.relpath(DEPLOY / "admission", directory)],
        "replicas": [{"name": ACCOUNT, "count": 1}],
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return installation.by_kustomize(directory)


ADMISSION = {
    "kustomize": by_kustomize_with_admission,
    "helm": by_helm(admission={"enabled": True}, replicas=1),
}


@pytest.mark.parametrize("install", ADMISSION.values(), ids=ADMISSION)
async def test_admission(bare: World, tmp_path: Path, install: Install) -> None:
    """One process, because two cannot listen on one port of this machine."""
    configuration = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/integration-operator"
    installation = Installation(bare, tmp_path)
    async with install(installation, tmp_path, []) as documents:
        bare.audit.mark()
        async with installation.running("--admission-port", str(free_port()), "--bind-address", "127.0.0.1"):

            async def completed() -> bool:
                (webhook,) = (await bare.kubectl.get(configuration))["webhooks"]
                config = webhook["clientConfig"]
                return bool(config.get("caBundle") and config["service"].get("path"))

            await bare.eventually("the process completes its configuration", completed)
        requests = requests_of(bare, OPERATOR)
    assert refused(requests) == []
    roles = [d for d in documents if d["metadata"]["name"].endswith("-admission")]
    assert granted(roles, ACCOUNT)
    assert granted(roles, ACCOUNT) - used(requests) == set(), "nothing uses this"


CONTROLLERS = {
    "kustomize": (by_kustomize("base", "connection-controller"), "connection-controller"),
    "helm": (by_helm(connectionController={"enabled": True}), "integration-operator-connection-controller"),
}


@pytest.mark.parametrize(("install", "account"), CONTROLLERS.values(), ids=CONTROLLERS)
async def test_connection_controller(
    bare: World, syndesis_server: SyndesisServer, tmp_path: Path, install: Install, account: str
) -> None:
    fuse = await bare.namespace("fuse")
    await bare.syndesis(fuse)
    await bare.create("Secret", fuse, "login", data=secret_data({"username": "me", "password": "secret-1"}))
    await create_config_map(bare, fuse)
    spec = {
        "connectorId": "amqp",
        "configuredProperties": {"connectionUri": "amqp://broker:5672"},
        "configuredPropertiesFrom": [
            {"property": "username", "secretKeyRef": {"name": "login", "key": "username"}},
            {"property": "password", "secretKeyRef": {"name": "login", "key": "password"}},
            {"property": "clientID", "configMapKeyRef": {"name": "settings", "key": "client"}},
        ],
    }
    installation = Installation(bare, tmp_path)
    async with install(installation, tmp_path, []) as documents:
        await delete_lease(bare, CONNECTION_CONTROLLER_LEASE)
        bare.audit.mark()
        async with installation.running("--syndesis-url", syndesis_server.url, deployment=account):
            await bare.create("Connection", fuse, "mine", spec=spec)

            async def ready() -> bool:
                found = await bare.get("Connection", Ref(fuse, "mine"))
                return found is not None and (found.get("status") or {}).get("phase") == "Ready"

            await bare.eventually("it is Ready", ready)
        requests = requests_of(bare, CONTROLLER.replace("connection-controller", account))
    assert refused(requests) == []
    assert granted(documents, account) - used(requests) == set(), "nothing uses this"


AUTHENTICATED = {
    "kustomize": by_components("authenticated-metrics"),
    "helm": by_helm(metrics={"authentication": True}),
}


@pytest.mark.parametrize("install", AUTHENTICATED.values(), ids=AUTHENTICATED)
async def test_authenticated_metrics(bare: World, tmp_path: Path, install: Install) -> None:
    """Prometheus scrapes with the token of its service account and the role that is shipped for it."""
    installation, port = Installation(bare, tmp_path), free_port()
    async with install(installation, tmp_path, []) as documents:
        await delete_lease(bare, OPERATOR_LEASE)
        deployment = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/integration-operator"
        stored = await bare.kubectl.patch(deployment, {"spec": {"replicas": 1}})  # on one machine, with one port
        (container,) = stored["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
        token = await token_of(bare, "prometheus", role="integration-operator-metrics-reader")
        bare.audit.mark()
        async with installation.running("--metrics-port", str(port), "--bind-address", "127.0.0.1"):
            assert (await fetch(port, "/metrics", tls=True)).status == 401
            answer = await fetch(port, "/metrics", tls=True, Authorization=f"Bearer {token}")
            assert answer.status == 200, answer
        requests = requests_of(bare, OPERATOR)
    assert refused(requests) == []
    roles = [d for d in documents if "authenticated-metrics" in d["metadata"]["name"]]
    assert granted(roles, ACCOUNT)
    assert granted(roles, ACCOUNT) - used(requests) == set(), "nothing uses this"


EARLIER = {
    "kustomize": by_kustomize("compatibility", "configmaps"),
    "helm": by_helm(enmasse={"aggregatedApi": True, "configMaps": True}, settings={"address_spaces": "configmap"}),
}


@pytest.mark.parametrize("install", EARLIER.values(), ids=EARLIER)
async def test_with_earlier_releases_of_enmasse(
    bare_old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, tmp_path: Path, install: Install
) -> None:
    """What only newer releases need is not used here: ``test_native`` uses it."""
    installation = Installation(bare_old, tmp_path)
    flags = ["--poll-seconds", "1", "--syndesis-url", syndesis_server.url, "--address-spaces", "configmap"]
    async with (
        Client.from_kubeconfig(bare_old.control_plane.kubeconfig()) as admin,
        realms_of(keycloak) as realms,
        AggregatedApi("0.30", admin, realms).running(),
        install(installation, tmp_path, []) as documents,
    ):
        pair = await pair_in_config_map(bare_old, keycloak)
        bare_old.audit.mark()
        async with installation.running(*flags):
            await bare_old.offered(pair)
            await bare_old.enable(pair)
            await bare_old.has_reason(pair, "Ready")
            ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
            authorization = [{"operations": ["send"], "addresses": ["*"]}]
            await bare_old.patch("Integration", ref, {"spec": {"authorization": authorization}})
            await asyncio.sleep(2)
            await bare_old.enable(pair, enabled=False)

            async def gone() -> bool:
                return not keycloak.users(f"{pair.space.namespace}-orders")

            await bare_old.eventually("the user is gone", gone)
        requests = requests_of(bare_old, OPERATOR)
    await drop_space(bare_old, pair.space)
    assert refused(requests) == []
    roles = [d for d in documents if "compatibility" in d["metadata"]["name"] or "configmaps" in d["metadata"]["name"]]
    assert granted(roles, ACCOUNT)
    assert granted(roles, ACCOUNT) - used(requests) == set(), "nothing uses this"


POC = {
    "kustomize": by_kustomize("proof-of-concept"),
    "helm": by_helm(settings={"profile": "poc"}, enmasse={"configMaps": True, "keycloak": True}),
}
POC_NAMESPACE = "enmasse"


@pytest.mark.parametrize("install", POC.values(), ids=POC)
async def test_in_place_of_the_proof_of_concept(
    bare_old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, tmp_path: Path, install: Install
) -> None:
    """Secrets, Service and Route are looked for under the names that EnMasse's releases give them."""
    await bare_old.ensure_namespaces(POC_NAMESPACE)
    secrets = f"/api/v1/namespaces/{POC_NAMESPACE}/secrets"
    newer = {"metadata": {"name": "standard-authservice-credentials"}, "data": secret_data({"admin.username": "a"})}
    installation = Installation(bare_old, tmp_path)
    server = ["--syndesis-url", syndesis_server.url]
    async with install(installation, tmp_path, []) as documents:
        bare_old.audit.mark()
        await store_keycloak_access(bare_old, keycloak, infrastructure=POC_NAMESPACE)
        pair = await poc_pair(bare_old, keycloak, infrastructure=POC_NAMESPACE)
        async with installation.running(*server):
            await bare_old.offered(pair)
            await bare_old.enable(pair)
            await bare_old.has_reason(pair, "AccessMissing")
        await bare_old.kubectl.post(secrets, newer)
        async with installation.running(*server, "--enmasse-release", "0.33"):
            ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
            await bare_old.patch("Integration", ref, {"spec": {"tls": "disabled"}})
            await bare_old.audit.quiet()
        await bare_old.kubectl.delete(f"{secrets}/standard-authservice-credentials")
        async with installation.running(*server, "--keycloak-url", keycloak.url):
            await bare_old.has_reason(pair, "Ready")
            await bare_old.enable(pair, enabled=False)

            async def gone() -> bool:
                return not keycloak.users(realm_of(pair)) and not syndesis_server.stored()

            await bare_old.eventually("user and connection are gone", gone)
        requests = requests_of(bare_old, OPERATOR)
        await drop_space(bare_old, pair.space, infrastructure=POC_NAMESPACE)
    assert refused(requests) == []
    roles = [d for d in documents if d["metadata"].get("namespace") == POC_NAMESPACE]
    assert granted(roles, ACCOUNT)
    assert granted(roles, ACCOUNT) - used(requests) == set(), "nothing uses this"
