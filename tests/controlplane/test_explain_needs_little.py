"""`explain` on a cluster needs no Secrets, and no more than a tenant may read.

It says at once what it may not read, and prints the operator's own plan.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from integration_operator.domain.model import naming
from integration_operator.runtime.ref import Ref
from tests.support.earlier_enmasse import drop_space, store_space
from tests.support.tenants import kubeconfig_of, write_kubeconfig
from tests.support.world import World

RBAC = "/apis/rbac.authorization.k8s.io/v1"
LISTED = {
    "enmasse.io": "addressspaces",
    "syndesis.io": "syndesises",
    "integreatly.org": "integrations",
}

AT_ONCE = 9.0
"""Seconds within which a refusal is said: a process starts in 0.5 to 5 on a busy machine, and nothing is waited for."""


class Answer(NamedTuple):
    code: int
    out: str
    err: str
    seconds: float


async def explain(kubeconfig: Path, *flags: str) -> Answer:
    command = [sys.executable, "-m", "integration_operator", "explain", "--kubeconfig", str(kubeconfig), *flags]
    began = time.monotonic()
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, timeout=60
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Answer(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


@pytest.fixture
def tenant(world: World, tmp_path: Path) -> Any:
    """Make a service account that may list the given kinds in the given namespaces, and its kubeconfig."""

    async def make(*namespaces: str, resources: dict[str, str] = LISTED, user: str = "tenant") -> Path:
        rules = [
            {"apiGroups": [group], "resources": [plural], "verbs": ["list"]} for group, plural in resources.items()
        ]
        return await kubeconfig_of(world, user, namespaces, rules, tmp_path)

    return make


async def test_a_tenant_sees_the_namespace_of_its_context(world: World, tenant: Any) -> None:
    pair = await world.pair()
    shop = pair.space.namespace
    config = await tenant(shop)
    world.audit.mark()
    answer = await explain(config)
    assert answer.code == 0, answer
    assert answer.out.splitlines()[0] == f"Read: namespace {shop}"
    assert "Not read: Secrets, MessagingUsers, Connections" in answer.out
    assert f"AddressSpace {pair.space} × Syndesis {pair.syndesis}: a pair" in answer.out
    asked = {
        e["objectRef"]["resource"]
        for e in world.audit.requests(f"system:serviceaccount:{shop}:tenant")
        if "objectRef" in e
    }
    assert asked.isdisjoint({"secrets", "messagingusers", "connections", "configmaps"})
    assert asked >= set(LISTED.values())
    assert (await explain(config, "-n", shop)).out == answer.out


async def test_several_namespaces_show_a_pair_across_them(world: World, tenant: Any) -> None:
    pair = await world.pair(across=True)
    shop, fuse = pair.space.namespace, pair.syndesis.namespace
    config = await tenant(fuse, shop)
    spec = {"client": pair.syndesis.name, "addressSpaceRef": {"namespace": shop, "name": pair.space.name}}
    await world.create("Integration", fuse, "mine", spec={**spec, "enabled": True})
    here = await explain(config)
    assert here.code == 3
    assert f"namespace {shop} was not read" in here.out
    assert "AddressSpaceNotFound" not in here.out, "what was not looked at is not said to be missing"
    both = await explain(config, "-n", fuse, "-n", shop)
    assert both.code == 0, both
    assert f"Read: namespaces {fuse}, {shop}" in both.out
    assert f"Integration {fuse}/mine enabled" in both.out
    assert "→ create Secret, MessagingUser and Connection, and keep them up to date" in both.out


@pytest.mark.parametrize("flags", [["-A"], ["-n", "kube-system"]], ids=" ".join)
async def test_what_one_may_not_read_is_said_at_once(world: World, tenant: Any, flags: list[str]) -> None:
    config = await tenant(await world.namespace("shop"))
    answer = await explain(config, *flags)
    assert answer.code == 4
    assert "Forbidden" in answer.err
    assert "addressspaces" in answer.err
    assert len(answer.err.splitlines()) == 1
    assert answer.seconds < AT_ONCE


async def test_a_tenant_that_may_read_nothing_is_told_at_once(world: World, tenant: Any) -> None:
    shop = await world.namespace("shop")
    answer = await explain(await tenant(shop, resources={"enmasse.io": "addressspaces"}))
    assert (answer.code, len(answer.err.splitlines())) == (4, 1), answer
    assert "syndesises" in answer.err
    assert answer.seconds < AT_ONCE


async def test_a_token_that_is_wrong_is_said_at_once(world: World, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    write_kubeconfig(world, wrong, "nonsense", "default")
    answer = await explain(wrong)
    assert (answer.code, len(answer.err.splitlines())) == (4, 1), answer
    assert "Unauthorized" in answer.err
    assert "nonsense" not in answer.err
    assert answer.seconds < AT_ONCE


async def test_a_server_that_is_not_there_is_said(world: World, tmp_path: Path) -> None:
    config = tmp_path / "gone"
    config.write_text(
        "{clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], "
        "contexts: [{name: a, context: {cluster: a}}], current-context: a}"
    )
    answer = await explain(config)
    assert (answer.code, len(answer.err.splitlines())) == (4, 1), answer
    assert answer.err == "integration-operator: http://127.0.0.1:1: connection refused\n"


async def test_a_certificate_that_is_not_trusted_is_said(world: World, tmp_path: Path) -> None:
    document = yaml.safe_load(world.control_plane.kubeconfig("user").read_text())
    del document["clusters"][0]["cluster"]["certificate-authority-data"]
    config = tmp_path / "untrusted"
    config.write_text(yaml.safe_dump(document))
    answer = await explain(config)
    assert (answer.code, len(answer.err.splitlines())) == (4, 1), answer
    assert "TLS certificate not trusted" in answer.err


async def test_an_answer_is_not_followed_by_anything(world: World) -> None:
    await world.pair()
    for _ in range(3):
        answer = await explain(world.control_plane.kubeconfig("user"))
        assert (answer.code, answer.err) == (0, ""), answer
        assert answer.out.startswith("Read: all namespaces\n")


async def test_it_says_what_the_operator_decides(world: World) -> None:
    """Consent, a space that moved, an Integration for nothing: each with the reason that the operator writes."""
    pair = await world.pair(across=True, allowed="elsewhere")
    fuse = pair.syndesis.namespace
    spec = {"client": pair.syndesis.name, "enabled": True}
    shop = {"addressSpaceRef": {"namespace": pair.space.namespace, "name": pair.space.name}}
    await world.create("Integration", fuse, "refused", spec={**spec, **shop})
    gone = {"addressSpaceRef": {"namespace": pair.space.namespace, "name": "gone"}}
    await world.create(
        "Integration", fuse, "moved", spec={**spec, **gone}, status={"delivered": {"source": "configmap"}}
    )
    await world.create("Integration", fuse, "nothing", spec={})
    answer = await explain(world.control_plane.kubeconfig("user"), "-o", "json")
    assert answer.code == 3
    assert "Read: all namespaces" in answer.err
    plans = {tuple(e["integrations"]): e["plan"] for e in json.loads(answer.out)}
    assert plans[(f"{fuse}/refused enabled",)]["reason"] == "NamespaceNotAllowed"
    assert plans[(f"{fuse}/refused enabled",)]["step"] == "WITHDRAW"
    assert plans[(f"{fuse}/moved enabled",)]["reason"] == "AddressSpaceMoved"
    assert plans[(f"{fuse}/nothing disabled",)]["reason"] == "AddressSpaceMissing"


async def test_a_mass_deletion_that_would_be_held_is_said(world: World) -> None:
    fuse = await world.namespace("fuse")
    await world.syndesis(fuse)
    for number in range(10):
        spec = {"client": "syndesis", "addressSpaceRef": {"namespace": "shop", "name": f"gone-{number}"}}
        await world.create("Integration", fuse, f"i-{number}", spec=spec)
    answer = await explain(world.control_plane.kubeconfig("user"))
    assert answer.out.count("MassDeletionHeld") == 10, answer


async def test_a_condition_that_the_operator_wrote_is_shown(world: World) -> None:
    pair = await world.pair()
    async with world.operator():
        await world.has_reason(pair, "NotEnabled")
    answer = await explain(world.control_plane.kubeconfig("user"))
    assert "Disabled=True: NotEnabled: " in answer.out
    assert "→ nothing is delivered: NotEnabled: " in answer.out


async def test_spaces_in_config_maps_are_read_where_enmasse_keeps_them(old: World) -> None:
    fuse = await old.namespace("fuse")
    await old.syndesis(fuse)
    ref = Ref(fuse, "orders")
    await store_space(old, ref)
    try:
        answer = await explain(old.control_plane.kubeconfig("user"), "-n", fuse)
        assert answer.code == 0, answer
        assert f"AddressSpace {ref} × Syndesis {fuse}/syndesis: a pair" in answer.out
        elsewhere = await explain(old.control_plane.kubeconfig("user"), "--enmasse-namespace", "default")
        assert (elsewhere.code, "Not served by the cluster: AddressSpace" in elsewhere.out) == (3, True), elsewhere
    finally:
        await drop_space(old, ref)


async def test_a_named_integration_alone_is_explained(world: World) -> None:
    pair, other = await world.pair(), await world.namespace("other")
    await world.create("Integration", other, "nothing", spec={})
    async with world.operator():
        await world.has_reason(pair, "NotEnabled")
    user = world.control_plane.kubeconfig("user")
    answer = await explain(user, f"{pair.syndesis.namespace}/{naming.integration_name(pair)}")
    assert answer.code == 0, answer
    assert answer.out.count("AddressSpace ") == 1
    assert f"AddressSpace {pair.space} × Syndesis {pair.syndesis}: a pair" in answer.out
    answer = await explain(user, "none", "-n", other)
    assert (answer.code, answer.out) == (3, "")
    assert f'no Integration "none" in namespace {other}' in answer.err
