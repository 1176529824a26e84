"""A rotation replaces user and password; the earlier user remains for the overlap, and never are there three."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms import Login
from tests.support.crashing import Moments, kill_at, killed, mortal
from tests.support.documents import Document, condition, decoded, reason
from tests.support.repeatedly import repeatedly
from tests.support.world import World


def ref_of(pair: Pair) -> Ref:
    return Ref(pair.syndesis.namespace, naming.integration_name(pair))


async def credential(world: World, pair: Pair) -> dict[str, str]:
    """Return user name and password from the pair's Secret."""
    secret = await world.get("Secret", naming.secret_ref(pair))
    assert secret is not None
    return {key: value for key, value in decoded(secret).items() if key in ("username", "password")}


async def rotate(world: World, pair: Pair, *, overlap: str, request: str = "now") -> None:
    """Request a rotation as a user does."""
    body: Document = {"metadata": {"annotations": {names.ROTATE: request}}, "spec": {"rotation": {"overlap": overlap}}}
    await world.patch("Integration", ref_of(pair), body)


async def has_rotated(world: World, pair: Pair, reason_: str) -> Document:
    return await world.has_reason(pair, reason_, "Rotating")


async def ready_pair(world: World) -> Pair:
    pair = await world.pair()
    await world.offered(pair)
    await world.enable(pair)
    await world.has_reason(pair, "Ready")
    return pair


async def test_a_request_is_followed_once(world: World) -> None:
    async with world.platforms() as enmasse, world.operator():
        pair = await ready_pair(world)
        before = await credential(world, pair)
        seen: set[frozenset[str]] = set()

        def look() -> None:
            seen.add(frozenset(login.username for login in enmasse.logins if login.namespace == pair.space.namespace))

        world.audit.mark()
        async with repeatedly(look, every=0.005):
            await rotate(world, pair, overlap="3s")
            shown = await has_rotated(world, pair, "Overlap")
            after = await credential(world, pair)
            assert after["username"] == naming.other_username(pair, before["username"])
            assert after["password"] != before["password"]
            assert shown["status"]["delivered"]["user"]["username"] == after["username"]
            assert shown["status"]["delivered"]["secondUser"]["username"] == before["username"]
            assert condition(shown, "Ready")["status"] == "True"
            done = await has_rotated(world, pair, "Rotated")
        both = frozenset({before["username"], after["username"]})
        assert seen <= {frozenset({before["username"]}), both, frozenset({after["username"]})}
        assert both in seen
        assert enmasse.logins == {Login(pair.space.namespace, pair.space.name, after["username"]): after["password"]}, (
            "the earlier credential opens nothing"
        )
        assert "secondUser" not in done["status"]["delivered"]
        await world.audit.quiet()
        assert len(world.audit.writes()) <= 9, world.audit.writes()
        assert await events(world, pair) >= {"CredentialRotated", "EarlierUserDeleted"}

        world.audit.mark()
        await asyncio.sleep(3)
        assert world.audit.requests() == [], "one request is one rotation"


async def events(world: World, pair: Pair) -> set[str]:
    found = await world.kubectl.get(f"/api/v1/namespaces/{pair.syndesis.namespace}/events")
    return {event["reason"] for event in found["items"]}


async def test_during_the_overlap_nothing_is_requested(world: World) -> None:
    async with world.platforms(), world.operator():
        pair = await ready_pair(world)
        await rotate(world, pair, overlap="1h")
        await has_rotated(world, pair, "Overlap")
        await world.audit.quiet()
        world.audit.mark()
        await asyncio.sleep(3)
        assert world.audit.requests() == []


async def test_a_schedule_rotates_again_and_again(world: World) -> None:
    async with world.platforms(), world.operator():
        pair = await ready_pair(world)
        passwords = {(await credential(world, pair))["password"]}
        await world.patch("Integration", ref_of(pair), {"spec": {"rotation": {"every": "3s", "overlap": "1s"}}})

        async def thrice() -> bool:
            passwords.add((await credential(world, pair))["password"])
            return len(passwords) >= 3

        await world.eventually("two rotations", thrice)
        await world.patch("Integration", ref_of(pair), {"spec": {"rotation": {"every": None}}})
        await has_rotated(world, pair, "Rotated")


@kill_at
@pytest.mark.timeout(600)
async def test_killed_at_any_step_no_credential_is_lost(world: World, every: int) -> None:
    """Whatever the Secret says can log in at every moment, and at the end there is one user."""
    async with world.platforms() as enmasse:

        async def life(moments: Moments) -> None:
            part = World(world.control_plane, world.kubectl)
            async with mortal(part, moments):
                pair = await ready_pair(part)
                before = await credential(part, pair)
                await rotate(part, pair, overlap="1s")
                async with logins_of_the_secret(part, enmasse, pair):
                    await has_rotated(part, pair, "Rotated")
                after = await credential(part, pair)
                assert after["username"] != before["username"]
                login = Login(pair.space.namespace, pair.space.name, after["username"])
                mine = {key: value for key, value in enmasse.logins.items() if key.namespace == login.namespace}
                assert mine == {login: after["password"]}
            await part.clean()

        await killed(life, at_least=24, every=every)


def logins_of_the_secret(world: World, enmasse: Any, pair: Pair) -> Any:
    """Check during the block that the credential in the Secret can log in."""

    async def look() -> None:
        known = await credential(world, pair)
        login = Login(pair.space.namespace, pair.space.name, known["username"])
        assert enmasse.logins.get(login) == known["password"], "the Secret's credential cannot log in"

    return repeatedly(look, every=0.02)


async def test_disabled_while_the_next_user_is_created(world: World) -> None:
    async with world.operator():
        async with world.platforms():
            pair = await ready_pair(world)
        await rotate(world, pair, overlap="1h")
        await has_rotated(world, pair, "UserPending")
        assert len(await world.items("MessagingUser", pair.space.namespace)) == 2
        await world.enable(pair, enabled=False)
        async with world.platforms() as enmasse:
            await gone(world, pair)
            assert enmasse.logins == {}


async def test_disabled_during_the_overlap(world: World) -> None:
    async with world.platforms() as enmasse, world.operator():
        pair = await ready_pair(world)
        await rotate(world, pair, overlap="1h")
        await has_rotated(world, pair, "Overlap")
        await world.enable(pair, enabled=False)
        await gone(world, pair)
        assert enmasse.logins == {}


async def gone(world: World, pair: Pair) -> None:
    await world.taken_down(pair)

    async def no_user() -> bool:
        return not await world.items("MessagingUser", pair.space.namespace)

    await world.eventually("no MessagingUser is left", no_user)


async def test_a_foreign_object_has_the_name_of_the_next_user(world: World) -> None:
    async with world.platforms(), world.operator():
        pair = await ready_pair(world)
        before = await credential(world, pair)
        ref = naming.user_ref(pair, naming.other_username(pair, before["username"]))
        spec = {
            "username": ref.name.partition(".")[2],
            "authentication": {"type": "password", "password": "dGhlaXJz"},
            "authorization": [{"operations": ["send"], "addresses": ["a"]}],
        }
        await world.create("MessagingUser", *ref, spec=spec)
        await rotate(world, pair, overlap="1s")
        shown = await has_rotated(world, pair, "NameTaken")
        assert str(ref) in condition(shown, "Rotating")["message"]
        assert condition(shown, "Ready")["status"] == "True"
        assert await credential(world, pair) == before
        theirs = await world.get("MessagingUser", ref)
        assert theirs is not None
        assert theirs["spec"] == spec
        await world.delete("MessagingUser", ref)
        await has_rotated(world, pair, "Rotated")


async def test_an_owner_of_a_secret_rotates_and_the_operator_follows(world: World) -> None:
    async with world.platforms() as enmasse, world.operator():
        pair = await ready_pair(world)
        own, labels = Ref(pair.syndesis.namespace, "own"), {names.INTEGRATION_LABEL: "yes"}
        await world.create(
            "Secret", *own, metadata={"labels": labels}, stringData={"username": "alice", "password": "one"}
        )
        spec = {"credentialsSecretRef": {"name": "own"}, "rotation": {"overlap": "2s"}}
        await world.patch("Integration", ref_of(pair), {"spec": spec})
        await uses(world, pair, {"alice"})
        await world.patch("Secret", own, {"stringData": {"username": "bobby", "password": "two"}})
        shown = await has_rotated(world, pair, "Overlap")
        assert reason(shown) == "Ready"
        assert {login.username for login in enmasse.logins} == {"alice", "bobby"}
        await uses(world, pair, {"bobby"})
        assert enmasse.logins == {Login(pair.space.namespace, pair.space.name, "bobby"): "two"}


async def uses(world: World, pair: Pair, usernames: set[str]) -> None:
    """Wait until the pair has these users, and is Ready."""

    async def only() -> bool:
        users = await world.items("MessagingUser", pair.space.namespace)
        integration = await world.integration(pair)
        ready = integration is not None and reason(integration) == "Ready"
        return ready and {user["spec"]["username"] for user in users} == usernames

    await world.eventually(f"the users are {usernames}", only)
