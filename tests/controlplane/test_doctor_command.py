"""``doctor`` finds what is wrong, says the command that mends it, and exits with 1 if there is a problem."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from integration_operator.runtime.ref import Ref
from tests.support.command_line import piped
from tests.support.world import World


async def findings(world: World, *flags: str) -> tuple[int, list[dict[str, Any]]]:
    answer = await piped(world.control_plane.kubeconfig("user"), "doctor", "-o", "json", *flags)
    assert answer.err == ""
    return answer.code, json.loads(answer.out)


def of(found: list[dict[str, Any]], check: str) -> list[dict[str, Any]]:
    return [finding for finding in found if finding["check"] == check]


async def test_an_installation_without_a_problem(world: World) -> None:
    code, found = await findings(world, "--service-account", "integration-operator/integration-operator")
    assert code == 0, [finding for finding in found if finding["level"] == "problem"]
    checks = {finding["check"] for finding in found if finding["level"] == "ok"}
    expected = {"versions", "cluster", "kubernetes", "clock", "kinds", "permissions", "templates", "integrations"}
    assert checks >= expected | {"messaging users"}
    (permissions,) = of(found, "permissions")
    assert permissions["message"].startswith("service account integration-operator/integration-operator: all ")


async def test_a_password_that_stops_enmasse_for_all_tenants(world: World) -> None:
    shop = await world.namespace("shop")
    authentication = {"type": "password", "password": "not base64"}
    await world.create("MessagingUser", shop, "orders.app", spec={"username": "app", "authentication": authentication})
    try:
        code, found = await findings(world)
        assert code == 1
        (finding,) = [finding for finding in of(found, "messaging users") if shop in finding["message"]]
        assert finding["level"] == "problem"
        assert f"MessagingUser {shop}/orders.app is not base64" in finding["message"]
        assert finding["fix"].startswith(f"kubectl patch messaginguser orders.app -n {shop} --type=merge")
        whole = base64.b64encode(b"a password that is long enough to be broken into lines").decode()
        patch = {"spec": {"authentication": {"password": f"{whole[:20]}\n{whole[20:]}"}}}

        await world.patch("MessagingUser", Ref(shop, "orders.app"), patch)
        _, found = await findings(world)
        assert not [finding for finding in found if shop in finding["message"]]
    finally:
        await world.delete("MessagingUser", Ref(shop, "orders.app"))


async def test_a_service_account_that_lacks_permissions(world: World) -> None:
    code, found = await findings(world, "--service-account", "integration-operator/another")
    assert code == 1
    messages = [finding["message"] for finding in of(found, "permissions")]
    assert "service account integration-operator/another lacks integrations.integreatly.org " in "\n".join(messages)
    assert all(finding["fix"] == "kubectl apply -k deploy/kustomize/base" for finding in of(found, "permissions"))


async def test_a_template_that_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "connection.yaml.j2").write_text("{{")
    code, found = await findings(world, "--templates", str(tmp_path))
    assert code == 1
    (finding,) = of(found, "templates")
    assert "connection.yaml.j2:1" in finding["message"]


async def test_integrations_that_wait_for_something(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.offered(pair)
        await world.enable(pair)
        await world.has_reason(pair, "UserPending")
        _, found = await findings(world)
    waiting = [finding for finding in of(found, "integrations") if finding["level"] == "warning"]
    assert any("enabled and not ready: UserPending" in finding["message"] for finding in waiting)


async def test_a_syndesis_that_takes_no_connection(world: World) -> None:
    shop = await world.namespace("shop")
    async with world.platforms():
        await world.syndesis(shop)
        await world.create("Syndesis", shop, "second", spec={})

        async def found_it() -> list[dict[str, Any]]:
            _, found = await findings(world)
            return [finding for finding in of(found, "syndesis") if f"{shop}/second" in finding["message"]]

        (finding,) = await world.eventually("the second one is found", found_it)
    assert finding["level"] == "warning"
    assert "a second one in its namespace" in finding["message"]
    assert finding["fix"] == f"kubectl describe syndesis second -n {shop}"
