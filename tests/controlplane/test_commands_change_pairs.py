"""``enable``, ``disable``, ``suspend`` and ``resume`` change one field, and follow what the operator makes of it."""

from __future__ import annotations

from pathlib import Path

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.command_line import piped
from tests.support.tenants import tenant
from tests.support.world import World


def ref_of(pair: Pair) -> Ref:
    return Ref(pair.syndesis.namespace, naming.integration_name(pair))


async def test_enable_follows_until_the_pair_is_ready_and_disable_until_it_is_taken_down(world: World) -> None:
    user = world.control_plane.kubeconfig("user")
    async with world.platforms(), world.operator():
        pair = await world.pair()
        await world.offered(pair)
        answer = await piped(user, "enable", str(ref_of(pair)))
        assert answer.code == 0, answer.err
        lines = answer.out.splitlines()
        assert lines[0] == f"{ref_of(pair)}: enabled"
        assert "Ready: The user can log in" in lines[-2]
        assert lines[-1].strip() == "done"
        again = await piped(user, "enable", str(ref_of(pair)))
        assert again.out.splitlines()[0] == f"{ref_of(pair)}: enabled already"
        answer = await piped(user, "disable", str(ref_of(pair)))
        assert answer.code == 0, answer.err
        assert not any((await world.children(pair)).values())


async def test_suspend_and_resume(world: World) -> None:
    user = world.control_plane.kubeconfig("user")
    async with world.platforms(), world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        here = ("-n", pair.syndesis.namespace, "--all")
        lines = (await piped(user, "suspend", *here)).out.splitlines()
        assert lines[0] == f"{ref_of(pair)}: suspended"
        assert "Suspended: " in lines[-2]
        lines = (await piped(user, "resume", *here, "--no-wait")).out.splitlines()
        assert lines == [f"{ref_of(pair)}: resumed"]
        await world.has_reason(pair, "Ready")


async def test_what_is_not_done_in_time_is_said(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.offered(pair)
        user = world.control_plane.kubeconfig("user")
        answer = await piped(user, "enable", str(ref_of(pair)), "--within", "1")
        assert answer.code == 5
        assert "not done within 1 s; last: UserPending" in answer.err
        assert (await piped(user, "disable", str(ref_of(pair)), "--no-wait")).out == f"{ref_of(pair)}: disabled\n"


async def test_an_editor_of_integrations_needs_no_other_right(world: World, tmp_path: Path) -> None:
    async with world.platforms(), world.operator():
        pair = await world.pair()
        await world.offered(pair)
        async with tenant(world, "editor", pair.syndesis.namespace, tmp_path):
            kubeconfig = tmp_path / f"editor-{world.tag}-{pair.syndesis.namespace}"
            answer = await piped(kubeconfig, "enable", "--all")
            assert answer.code == 0, answer.err
            shown = await piped(kubeconfig, "tree")
        assert f"Integration {ref_of(pair)}" in shown.out
        assert f"Secret {naming.secret_ref(pair)}" in shown.out
        assert shown.out.count("not readable for you") == 5


async def test_a_name_that_does_not_exist_changes_nothing(world: World) -> None:
    user = world.control_plane.kubeconfig("user")
    async with world.operator():
        pair = await world.pair()
        await world.offered(pair)
        answer = await piped(user, "enable", str(ref_of(pair)), "shop/none")
        assert answer.code == 3
        assert 'no Integration "none" in namespace shop' in answer.err
        integration = await world.integration(pair)
        assert integration is not None
        assert not integration["spec"].get("enabled")


async def test_the_field_is_the_users_and_not_the_operators(world: World) -> None:
    """The operator tells by the field manager who answered an offer."""
    async with world.platforms(), world.operator():
        pair = await world.pair()
        await world.offered(pair)
        await piped(world.control_plane.kubeconfig("user"), "enable", str(ref_of(pair)))
        integration = await world.integration(pair)
        assert integration is not None
        managers = {
            entry["manager"]
            for entry in integration["metadata"]["managedFields"]
            if "f:enabled" in (entry.get("fieldsV1") or {}).get("f:spec", {})
        }
        assert managers == {"kubectl-integration"}
