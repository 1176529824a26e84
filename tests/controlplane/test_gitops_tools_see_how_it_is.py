"""kstatus, Argo CD's and Flux's health checks tell what passes from what a user must mend, and from what is settled."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.documents import Document, condition, reason
from tests.support.gitops import ARGO_CD, Kubectl, all_tools
from tests.support.go_programs import BUILD_TIMEOUT
from tests.support.world import World

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT + 180)

IN_PROGRESS = ("InProgress", "Progressing", "InProgress")
FAILED = ("Failed", "Degraded", "Failed")
CURRENT = ("Current", "Healthy", "Current")
SUSPENDED = ("Current", "Suspended", "Current")
DELETING = ("Terminating", "Progressing")
"""By kstatus and Argo CD. Flux's evaluator looks at no deletion, because Flux waits for it in another way."""

SPEC = {"client": "syndesis", "addressSpaceRef": {"namespace": "nowhere", "name": "orders"}}


def ref_of(pair: Pair) -> Ref:
    return Ref(pair.syndesis.namespace, naming.integration_name(pair))


async def seen(world: World, pair: Pair, wanted: tuple[str, ...]) -> Document:
    """Wait until all tools say that of the pair's Integration."""

    async def judged() -> Document | None:
        found = await world.integration(pair)
        return found if found is not None and await asyncio.to_thread(all_tools, found) == wanted else None

    return await world.eventually(f"{pair} is {wanted}", judged, every=0.2)  # type: ignore[no-any-return]


async def test_one_that_no_operator_has_seen_is_not_current(world: World) -> None:
    fuse = await world.namespace("fuse")
    created = await world.create("Integration", fuse, "mine", spec=SPEC)
    assert created["status"] == {"observedGeneration": -1}
    assert all_tools(created) == IN_PROGRESS
    assert await world.get("Integration", Ref(fuse, "mine")) == created, "the default is stored, or set on each read"


async def test_a_change_that_no_operator_has_seen_is_not_current(world: World) -> None:
    pair = await world.pair()
    async with world.operator():
        await seen(world, pair, CURRENT)
    changed = await world.patch("Integration", ref_of(pair), {"spec": {"enabled": True}})
    assert all_tools(changed) == IN_PROGRESS


async def test_the_life_of_one(world: World) -> None:
    pair = await world.pair()
    async with world.operator():
        offered = await seen(world, pair, CURRENT)
        assert condition(offered, "Disabled")["reason"] == "NotEnabled"
        assert condition(offered, "Ready") == {}

        await world.enable(pair)
        delivering = await seen(world, pair, IN_PROGRESS)
        await world.delivered(pair)
        delivering = await world.has_reason(pair, "UserPending")
        assert condition(delivering, "Reconciling")["reason"] == "UserPending"
        assert condition(delivering, "Stalled") == {}

        async with world.platforms():
            ready = await seen(world, pair, CURRENT)
            assert condition(ready, "Ready")["status"] == "True"
            assert not {"Reconciling", "Stalled"} & {c["type"] for c in ready["status"]["conditions"]}

            await world.patch("Integration", ref_of(pair), {"spec": {"suspend": True}})
            suspended = await seen(world, pair, SUSPENDED)
            assert reason(suspended, "Suspended") == "Suspended"
            await world.patch("Integration", ref_of(pair), {"spec": {"suspend": False}})
            await seen(world, pair, CURRENT)
            await world.ready(ref_of(pair))

            await world.enable(pair, enabled=False)
            disabled = await seen(world, pair, CURRENT)
            assert "user" not in disabled["status"].get("delivered", {})
            assert not any((await world.children(pair)).values())


async def test_one_that_is_disabled_is_settled_once_everything_is_deleted(world: World) -> None:
    async with world.operator(), world.platforms():
        pair = await world.pair()
        children = await world.deliver(pair)
        await world.ready(ref_of(pair))
        user = Ref(children["MessagingUser"]["metadata"]["namespace"], children["MessagingUser"]["metadata"]["name"])
        await world.patch("MessagingUser", user, {"metadata": {"finalizers": ["example.com/slow"]}})
        await world.enable(pair, enabled=False)
        held = await world.has_reason(pair, "Removing", "Reconciling")
        assert condition(held, "Disabled")["status"] == "True"
        assert all_tools(held) == IN_PROGRESS
        await world.patch("MessagingUser", user, {"metadata": {"finalizers": None}})
        await seen(world, pair, CURRENT)


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"credentialsSecretRef": {"name": "missing"}}, "SecretNotFound"),
        ({"authorization": [{"operations": ["manage"]}]}, "AuthorizationNotAllowed"),
    ],
    ids=["SecretNotFound", "AuthorizationNotAllowed"],
)
async def test_what_a_user_must_mend_has_failed_until_they_do(world: World, spec: Any, wanted: str) -> None:
    async with world.operator(), world.platforms():
        pair = await world.pair(across=True)
        await world.offered(pair)
        await world.patch("Integration", ref_of(pair), {"spec": {"enabled": True, **spec}})
        stalled = await seen(world, pair, FAILED)
        assert reason(stalled, "Stalled") == wanted
        assert condition(stalled, "Stalled")["message"] == condition(stalled, "Ready")["message"]
        assert condition(stalled, "Reconciling") == {}
        await world.patch("Integration", ref_of(pair), {"spec": dict.fromkeys(spec)})
        await seen(world, pair, CURRENT)


async def test_a_space_that_does_not_exist_must_be_mended(world: World) -> None:
    fuse = await world.namespace("fuse")
    await world.syndesis(fuse)
    await world.create("Integration", fuse, "mine", spec={**SPEC, "enabled": True})
    async with world.operator():

        async def failed() -> bool:
            found = await world.get("Integration", Ref(fuse, "mine"))
            return found is not None and await asyncio.to_thread(all_tools, found) == FAILED

        await world.eventually("it has failed", failed, every=0.2)


async def test_a_space_that_is_not_ready_passes(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.offered(pair)
        await world.patch("AddressSpace", pair.space, {"status": {"isReady": False}})
        await world.enable(pair)
        found = await world.has_reason(pair, "AddressSpaceNotReady")
        assert all_tools(found) == IN_PROGRESS


async def test_one_that_is_being_deleted_is_terminating(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.offered(pair)
        await world.patch("Integration", ref_of(pair), {"metadata": {"finalizers": ["example.com/slow"]}})
        await world.delete("Integration", ref_of(pair))
        found = await world.integration(pair)
        assert found is not None
        assert all_tools(found)[:2] == DELETING
        await world.patch("Integration", ref_of(pair), {"metadata": {"finalizers": None}})


async def test_a_connection(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        ref = naming.connection_ref(pair)
        fresh = await world.get("Connection", ref)
        assert fresh is not None
        assert all_tools(fresh) == IN_PROGRESS
        async with world.platforms():
            await world.ready(ref_of(pair))
        taken = await world.get("Connection", ref)
        assert taken is not None
        assert all_tools(taken) == CURRENT


async def test_a_space_that_is_applied_just_after_it_is_no_failure(world: World) -> None:
    """Flux fails a Kustomization at once if one of its objects has failed."""
    shop = await world.namespace("shop")
    await world.syndesis(shop)
    async with world.operator(), world.platforms():
        spec = {"client": "syndesis", "addressSpaceRef": {"namespace": shop, "name": "orders"}, "enabled": True}
        ref = Ref(shop, "mine")
        await world.create("Integration", shop, "mine", spec=spec)
        await world.audit.quiet()
        waiting = await world.get("Integration", ref)
        assert waiting is not None
        assert all_tools(waiting) == IN_PROGRESS
        await world.space(shop)
        ready = await world.ready(ref)
        assert all_tools(ready) == CURRENT


async def test_the_health_checks_are_merged_into_the_configuration_of_argo_cd(world: World, tmp_path: Path) -> None:
    kubectl = Kubectl(world.control_plane.kubeconfig("user"), tmp_path)
    await kubectl.run("create", "namespace", "argocd")
    await kubectl.run("create", "configmap", "argocd-cm", "-n", "argocd", "--from-literal=url=https://argocd")
    patch = ("patch", "configmap", "argocd-cm", "-n", "argocd", "--type=merge", f"--patch-file={ARGO_CD}")
    await kubectl(*patch)
    data = (await world.kubectl.get("/api/v1/namespaces/argocd/configmaps/argocd-cm"))["data"]
    assert data["url"] == "https://argocd"
    assert len(data) == 3
