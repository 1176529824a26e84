"""With the setting ``namespaces`` the operator works with Roles alone, and holds what it sees only half of."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.manager import Operator
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.client import Client
from integration_operator.settings import Settings
from integration_operator.shipped import shipped_directory
from tests.support.command_line import piped
from tests.support.documents import Document, condition
from tests.support.tenants import RBAC, kubeconfig_of
from tests.support.world import World

DEPLOY = shipped_directory("deploy")
OF_THE_CLUSTER = {"namespaces", "customresourcedefinitions", "apiservices"}
OF_ENMASSE = {"authenticationservices"}


def rules(file: str) -> list[Document]:
    """Return the rules of a role in deploy/kustomize."""
    return list(yaml.safe_load((DEPLOY / file).read_text())["rules"])


def test_the_roles_are_the_cluster_role() -> None:
    """What the Role in a namespace, and the one in EnMasse's, grant together is what the ClusterRole grants there."""
    whole = [rule for rule in rules("base/cluster-role.yaml") if not OF_THE_CLUSTER & set(rule["resources"])]
    watched, enmasse = rules("watched-namespace/role.yaml"), rules("authentication-services/role.yaml")
    assert sorted(watched + enmasse, key=str) == sorted(whole, key=str)
    assert {resource for rule in enmasse for resource in rule["resources"]} == OF_ENMASSE


@asynccontextmanager
async def operator_in(world: World, tmp_path: Path, *namespaces: str, **settings: Any) -> AsyncIterator[str]:
    """Run the operator with the Roles of deploy/kustomize/namespaced, and yield the name of its user."""
    await world.ensure_namespaces("enmasse-infra")
    name = f"operator-{world.tag}"
    kubeconfig = await kubeconfig_of(world, name, namespaces, rules("watched-namespace/role.yaml"), tmp_path)
    enmasse = {"metadata": {"name": name}, "rules": rules("authentication-services/role.yaml")}
    await world.kubectl.post(f"{RBAC}/namespaces/enmasse-infra/roles", enmasse)
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespaces[0]}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
    await world.kubectl.post(f"{RBAC}/namespaces/enmasse-infra/rolebindings", binding)
    async with Client.from_kubeconfig(kubeconfig) as client:
        operator = Operator(client, TemplateFiles(None), Settings(namespaces=namespaces, **settings))
        async with operator.running():
            yield f"system:serviceaccount:{namespaces[0]}:{name}"


async def test_with_roles_alone(world: World, tmp_path: Path) -> None:
    pair = await world.pair(across=True)
    other = await world.namespace("other")
    unwatched = Pair(await world.space(other), await world.syndesis(other))
    namespaces = (pair.space.namespace, pair.syndesis.namespace)
    world.audit.mark()
    async with world.platforms(), operator_in(world, tmp_path, *namespaces) as user:
        await world.deliver(pair)
        await world.has_reason(pair, "Ready")
        await world.delete("Connection", naming.connection_ref(pair))
        await world.delivered(pair)
        await world.enable(pair, enabled=False)
        await world.taken_down(pair)
        assert await world.integration(unwatched) is None
        requests = world.audit.entries(user)
    assert [r["requestURI"] for r in requests if (r.get("responseStatus") or {}).get("code") == 403] == []
    objects = [request["objectRef"] for request in requests if "objectRef" in request]
    assert {about.get("namespace") for about in objects} == {*namespaces, "enmasse-infra"}


async def test_doctor_checks_the_roles(world: World, tmp_path: Path) -> None:
    shop, fuse = await world.namespace("shop"), await world.namespace("fuse")
    async with operator_in(world, tmp_path, shop) as user:
        account = "/".join(user.split(":")[-2:])

        async def permissions(namespaces: str) -> list[Document]:
            answer = await piped(
                world.control_plane.kubeconfig("user"),
                *("doctor", "-o", "json", "--service-account", account),
                INTEGRATION_OPERATOR_NAMESPACES=namespaces,
            )
            return [finding for finding in json.loads(answer.out) if finding["check"] == "permissions"]

        (finding,) = await permissions(shop)
        assert finding["level"] == "ok"
        lacking = await permissions(f"{shop},{fuse}")
    assert {finding["level"] for finding in lacking} == {"problem"}
    assert any(f"lacks secrets in namespace {fuse} (list, watch, " in finding["message"] for finding in lacking)
    assert not any(shop in finding["message"].partition(" lacks ")[2] for finding in lacking)


async def test_what_is_seen_half_is_held(world: World) -> None:
    """An operator that watched the whole cluster is restricted to the namespace of one side."""
    async with world.platforms():
        async with world.operator():
            pair = await world.pair(across=True)
            await world.deliver(pair)
            await world.has_reason(pair, "Ready")
            await world.audit.quiet()
        before = await world.children(pair)
        for side in (pair.space.namespace, pair.syndesis.namespace):
            world.audit.mark()
            async with world.operator(namespaces=(side,)):
                await world.audit.quiet(seconds=1)
                assert await world.children(pair) == before
                if side == pair.syndesis.namespace:
                    integration = await world.has_reason(pair, "NamespaceNotWatched", "Paired")
                    said = condition(integration, "Paired")["message"]
                    assert f"does not watch namespace {pair.space.namespace}, " in said
        async with world.operator():
            await world.has_reason(pair, "Ready")
            assert await world.children(pair) == before
