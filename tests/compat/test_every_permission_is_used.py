"""The operator may do what it does, and nothing else: each verb that deploy/ grants is seen in the server's audit log.

An apply that creates an object needs ``create`` and ``patch``; the log calls it ``patch`` and its answer 201.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import yaml

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.manager import CONNECTION_CONTROLLER_LEASE, OPERATOR_LEASE, ConnectionOperator, election
from integration_operator.runtime.client import Client
from integration_operator.runtime.ref import Ref
from integration_operator.settings import Settings
from integration_operator.shipped import shipped_directory
from integration_operator_sandbox.controlplane.users import NAMESPACE
from integration_operator_sandbox.platforms.aggregated.server import AggregatedApi
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.audit_log import OPERATOR
from tests.support.connection_controller import CONTROLLER
from tests.support.documents import Document, secret_data
from tests.support.earlier_enmasse import INFRASTRUCTURE, drop_space, pair_in_config_map
from tests.support.keycloak_access import store_keycloak_access
from tests.support.keycloak_fixtures import realms_of
from tests.support.world import World

DEPLOY = Path(__file__).parents[2] / "deploy" / "kustomize"


class Use(NamedTuple):
    """A request as the rules of a role see it; ``name`` is empty if the rule names none."""

    group: str
    resource: str
    verb: str
    name: str = ""


def granted(directory: str) -> set[Use]:
    """Return what the roles of a directory of deploy/kustomize grant."""
    files = [file for name in ("cluster-role.yaml", "role.yaml") if (file := DEPLOY / directory / name).is_file()]
    return {
        Use(group, resource, verb, name)
        for file in files
        for rule in yaml.safe_load(file.read_text())["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    }


def entries(world: World, user: str) -> list[Document]:
    """Return the requests of a user for resources, watches too."""
    return [entry for entry in world.audit.entries(user) if "objectRef" in entry]


def uses(requests: list[Document]) -> set[Use]:
    found = set()
    for entry in requests:
        about = entry["objectRef"]
        resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
        use = Use(about.get("apiGroup", ""), resource, entry["verb"])
        found |= {use, use._replace(name=about.get("name", ""))}
        if entry["verb"] == "patch" and entry["responseStatus"].get("code") == 201:
            found.add(use._replace(verb="create"))
    return found


async def elect(world: World, user: str, lease: str) -> None:
    """Elect a process, and another one when the first releases the Lease."""
    settings = Settings(
        kubeconfig=world.control_plane.kubeconfig(user), leader_elect=True, lease_namespace=NAMESPACE, lease_seconds=3
    )
    async with election(settings, lease) as first, election(settings, lease) as second:
        assert first is not None
        assert second is not None
        tasks = [asyncio.create_task(first.run())]
        await asyncio.wait_for(first.leading(), 10)
        tasks.append(asyncio.create_task(second.run()))
        await asyncio.sleep(0.5)
        await first.release()
        await asyncio.wait_for(second.leading(), 10)
        await second.release()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)


def refused(requests: list[Document]) -> list[str]:
    return [f"{e['verb']} {e['requestURI']}" for e in requests if e.get("responseStatus", {}).get("code") == 403]


async def test_of_the_operator(world: World, syndesis_server: SyndesisServer, tmp_path: Path) -> None:
    """Deliver natively, and over REST with a property from a ConfigMap; create, repair and delete each object."""
    shipped = (shipped_directory("templates") / "connection.yaml.j2").read_text()
    source = "  - property: clientID\n    configMapKeyRef: { name: settings, key: client }\n"
    (tmp_path / "connection.yaml.j2").write_text(
        shipped.replace("configuredPropertiesFrom:\n", f"configuredPropertiesFrom:\n{source}")
    )
    async with world.platforms(), world.operator(templates=tmp_path, syndesis_url=syndesis_server.url):
        pair = await world.pair()
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
        over_rest = Pair(pair.space, Ref(await world.namespace("fuse"), "syndesis"))
        annotations = {names.ALLOWED_NAMESPACES: over_rest.syndesis.namespace}
        await world.patch("AddressSpace", pair.space, {"metadata": {"annotations": annotations}})
        await world.create("Syndesis", *over_rest.syndesis, spec={}, status={"phase": "Installed"})
        config_map = {"metadata": {"name": "settings"}, "data": {"client": "c-1"}}
        await world.kubectl.post(f"/api/v1/namespaces/{over_rest.syndesis.namespace}/configmaps", config_map)
        await world.offered(over_rest)
        await world.enable(over_rest)
        await world.has_reason(over_rest, "Ready")
        await world.delete("Syndesis", pair.syndesis)

        async def withdrawn() -> bool:
            return await world.integration(pair) is None

        await world.eventually("the offer is withdrawn", withdrawn)
    await elect(world, "operator", OPERATOR_LEASE)
    requests = entries(world, OPERATOR)
    assert refused(requests) == []
    assert granted("base") - uses(requests) == set(), "nothing uses this"


async def test_of_the_connection_controller(world: World, syndesis_server: SyndesisServer) -> None:
    fuse = await world.namespace("fuse")
    await world.syndesis(fuse)
    await world.create("Secret", fuse, "login", data=secret_data({"username": "me", "password": "secret-1"}))
    await world.kubectl.post(
        f"/api/v1/namespaces/{fuse}/configmaps", {"metadata": {"name": "settings"}, "data": {"client": "c-1"}}
    )
    spec = {
        "connectorId": "amqp",
        "configuredProperties": {"connectionUri": "amqp://broker:5672"},
        "configuredPropertiesFrom": [
            {"property": "username", "secretKeyRef": {"name": "login", "key": "username"}},
            {"property": "password", "secretKeyRef": {"name": "login", "key": "password"}},
            {"property": "clientID", "configMapKeyRef": {"name": "settings", "key": "client"}},
        ],
    }
    async with (
        Client.from_kubeconfig(world.control_plane.kubeconfig("connection-controller")) as client,
        ConnectionOperator(client, Settings(syndesis_url=syndesis_server.url)).running(),
    ):
        await world.create("Connection", fuse, "mine", spec=spec)

        async def ready() -> bool:
            found = await world.get("Connection", Ref(fuse, "mine"))
            return found is not None and (found.get("status") or {}).get("phase") == "Ready"

        await world.eventually("it is Ready", ready)
    await elect(world, "connection-controller", CONNECTION_CONTROLLER_LEASE)
    requests = entries(world, CONTROLLER)
    assert refused(requests) == []
    assert granted("connection-controller") - uses(requests) == set(), "nothing uses this"


async def test_with_earlier_releases_of_enmasse(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer
) -> None:
    async with (
        Client.from_kubeconfig(old.control_plane.kubeconfig()) as admin,
        realms_of(keycloak) as realms,
        AggregatedApi("0.30", admin, realms).running(),
    ):
        pair = await pair_in_config_map(old, keycloak)
        async with old.operator(
            poll_seconds=1,
            syndesis_url=syndesis_server.url,
            enmasse_namespace=INFRASTRUCTURE,
            address_spaces="configmap",
        ):
            await old.offered(pair)
            await old.enable(pair)
            await old.has_reason(pair, "Ready")
            ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
            await old.patch(
                "Integration", ref, {"spec": {"authorization": [{"operations": ["send"], "addresses": ["*"]}]}}
            )
            await asyncio.sleep(2)
            await old.enable(pair, enabled=False)

            async def gone() -> bool:
                return not keycloak.users(f"{pair.space.namespace}-orders")

            await old.eventually("the user is gone", gone)
    await drop_space(old, pair.space)
    found = uses(entries(old, OPERATOR))
    assert (granted("compatibility") | granted("configmaps")) - found == set(), "nothing uses this"
    assert refused(entries(old, OPERATOR)) == []


async def test_with_users_in_keycloak(old: World, keycloak: Keycloak, syndesis_server: SyndesisServer) -> None:
    """Secrets, Service and Route are looked for under the names that EnMasse's releases give them."""
    await store_keycloak_access(old, keycloak)
    pair = await pair_in_config_map(old, keycloak)
    where = {"syndesis_url": syndesis_server.url, "enmasse_namespace": INFRASTRUCTURE, "address_spaces": "configmap"}
    async with old.operator(user_delivery="keycloak", **where):
        await old.offered(pair)
        await old.enable(pair)
        await old.has_reason(pair, "AccessMissing")
    secrets = f"/api/v1/namespaces/{INFRASTRUCTURE}/secrets"
    newer = {"metadata": {"name": "standard-authservice-credentials"}, "data": secret_data({"admin.username": "a"})}
    await old.kubectl.post(secrets, newer)
    async with old.operator(user_delivery="keycloak", enmasse_release="0.33", **where):
        await old.patch(
            "Integration", Ref(pair.syndesis.namespace, naming.integration_name(pair)), {"spec": {"tls": "disabled"}}
        )
        await old.audit.quiet()
    await old.kubectl.delete(f"{secrets}/standard-authservice-credentials")
    await drop_space(old, pair.space)
    found = uses(entries(old, OPERATOR))
    assert granted("keycloak") - found == set(), "nothing uses this"
    assert refused(entries(old, OPERATOR)) == []
