"""An Integration with ``spec.consumer: binding`` delivers user and Secret into a namespace that the giver allows."""

from __future__ import annotations

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms import SimulatedEnMasse
from tests.support.documents import Document, condition, decoded
from tests.support.world import World


async def shared_space(world: World, *namespaces: str) -> Ref:
    """Create an AddressSpace that namespaces may use."""
    return await world.space(await world.namespace("shop"), allowed=",".join(namespaces))


def logins_of(enmasse: SimulatedEnMasse, space: Ref) -> dict[str, str]:
    """Return the passwords of those who can log in to an AddressSpace, by user name."""
    return {
        login.username: password
        for login, password in enmasse.logins.items()
        if (login.namespace, login.space) == space
    }


async def credential(world: World, pair: Pair) -> dict[str, str]:
    """Return the entries of the Secret that the status names."""
    integration = await world.ready(pair.consumer)
    secret = await world.get("Secret", Ref(pair.consumer.namespace, integration["status"]["binding"]["name"]))
    assert secret is not None
    return decoded(secret)


async def test_two_workloads_have_users_of_their_own(world: World) -> None:
    async with world.platforms() as enmasse, world.operator():
        apps = await world.namespace("apps")
        space = await shared_space(world, apps)
        pairs = [await world.bind(space, apps, name) for name in ("checkout", "billing")]
        secrets = [await credential(world, pair) for pair in pairs]
        assert logins_of(enmasse, space) == {secret["username"]: secret["password"] for secret in secrets}
        assert len(logins_of(enmasse, space)) == 2
        integration = await world.integration(pairs[0])
        assert integration is not None
        assert condition(integration, "ConnectionReady") == {}
        assert integration["status"]["phase"] == "complete"
        assert await world.items("Connection", apps) == []
        await world.delete("Integration", pairs[0].consumer)
        await world.taken_down(pairs[0])
        await world.eventually("its login is gone", lambda: only(enmasse, space, secrets[1]["username"]))
        assert await credential(world, pairs[1]) == secrets[1]


async def only(enmasse: SimulatedEnMasse, space: Ref, *usernames: str) -> bool:
    """Return whether exactly these can log in."""
    return set(logins_of(enmasse, space)) == set(usernames)


async def test_a_syndesis_of_the_same_name_keeps_its_own(world: World) -> None:
    """The Integration is named like the Syndesis, and then like its offer; their Secrets and users stay apart."""
    async with world.platforms(), world.operator(enable_new=True):
        theirs = await world.pair()
        before = await world.ready(Ref(theirs.consumer.namespace, naming.integration_name(theirs)))
        kept = await world.children(theirs)
        namespace = theirs.consumer.namespace
        for name in ("syndesis", f"{naming.integration_name(theirs)}x"):
            pair = await world.bind(theirs.space, namespace, name)
            assert (await credential(world, pair))["username"] not in naming.usernames(theirs)
        assert await world.children(theirs) == kept
        after = await world.integration(theirs)
        assert after is not None
        assert after["status"] == before["status"]


async def test_a_namespace_without_consent_gets_nothing_and_learns_nothing(world: World) -> None:
    async with world.platforms() as enmasse, world.operator():
        apps = await world.namespace("apps")
        space = await shared_space(world, "other")
        shown = []
        for name, where in (("there", space), ("missing", Ref(space.namespace, "nothing"))):
            pair = await world.bind(where, apps, name)
            integration = await world.has_reason(pair, "NamespaceNotAllowed")
            assert not any((await world.children(pair)).values())
            shown.append(str(integration["status"]).replace(str(where), "SPACE").replace(name, "NAME"))
        assert without_times(shown[0]) == without_times(shown[1]), "one answer, whether it exists or not"
        assert "binding" not in shown[0]
        assert logins_of(enmasse, space) == {}


def without_times(text: str) -> str:
    return "".join(part for part in text.split("'") if not part.endswith("Z"))


async def test_withdrawn_consent_ends_the_login(world: World) -> None:
    async with world.platforms() as enmasse, world.operator():
        apps = await world.namespace("apps")
        space = await shared_space(world, apps)
        pair = await world.bind(space, apps, deletionPolicy="Retain")
        await credential(world, pair)
        await world.patch("Integration", pair.consumer, {"spec": {"suspend": True}})
        await world.has_reason(pair, "Suspended")
        await world.patch("AddressSpace", space, {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: None}}})
        await world.taken_down(pair)
        await world.eventually("its login is gone", lambda: only(enmasse, space))
        integration = await world.has_reason(pair, "NamespaceNotAllowed")
        assert "binding" not in integration["status"]
        await world.patch("Integration", pair.consumer, {"spec": {"suspend": False}})
        await world.patch("AddressSpace", space, {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: apps}}})
        await credential(world, pair)


async def test_the_giver_bounds_the_operations(world: World) -> None:
    async with world.platforms() as enmasse, world.operator():
        apps = await world.namespace("apps")
        space = await shared_space(world, apps)
        pair = await world.bind(space, apps, authorization=[{"operations": ["manage"]}])
        integration = await world.has_reason(pair, "AuthorizationNotAllowed", "UserReady")
        assert "binding" not in integration["status"]
        assert logins_of(enmasse, space) == {}


@pytest.mark.parametrize("kind", ["Secret", "MessagingUser"])
async def test_an_object_of_another_is_not_taken_over(world: World, kind: str) -> None:
    """Labels and annotations that name another pair prove nothing, whoever has written them."""
    async with world.platforms(), world.operator():
        apps = await world.namespace("apps")
        space = await shared_space(world, apps)
        pair = Pair(space, Ref(apps, "checkout"), "Integration")
        ref, rest = foreign(kind, pair)
        made = await world.create(kind, *ref, metadata={"labels": {names.INTEGRATION_LABEL: "mine"}}, **rest)
        await world.bind(space, apps)
        side = "CredentialsReady" if kind == "Secret" else "UserReady"
        integration = await world.has_reason(pair, "NameTaken", side)
        assert "binding" not in integration["status"]
        kept = await world.get(kind, ref)
        assert kept is not None
        content = {key: value for key, value in kept.items() if key not in ("metadata", "status")}
        assert content == {key: value for key, value in made.items() if key not in ("metadata", "status")}
        await world.delete(kind, ref)
        await credential(world, pair)


def foreign(kind: str, pair: Pair) -> tuple[Ref, Document]:
    """Return the name that a pair needs, and what a tenant has put there."""
    if kind == "Secret":
        return naming.secret_ref(pair), {"stringData": {"username": "theirs", "password": "theirs"}}
    spec = {
        "username": naming.username(pair),
        "authentication": {"type": "password", "password": "dGhlaXJz"},
        "authorization": [{"operations": ["send"], "addresses": ["a"]}],
    }
    return naming.user_ref(pair), {"spec": spec}


async def test_it_is_rotated(world: World) -> None:
    async with world.platforms() as enmasse, world.operator():
        apps = await world.namespace("apps")
        space = await shared_space(world, apps)
        pair = await world.bind(space, apps, rotation={"overlap": "2s"})
        before = await credential(world, pair)
        await world.patch("Integration", pair.consumer, {"metadata": {"annotations": {names.ROTATE: "now"}}})
        shown = await world.has_reason(pair, "Overlap", "Rotating")
        assert condition(shown, "Rotating")["message"].startswith("The Secret has user")
        assert logins_of(enmasse, space)[before["username"]] == before["password"]
        after = await credential(world, pair)
        assert after["username"] != before["username"]
        assert logins_of(enmasse, space)[after["username"]] == after["password"]
        await world.has_reason(pair, "Rotated", "Rotating")
        await world.eventually("one login is left", lambda: only(enmasse, space, after["username"]))


async def test_at_rest_a_restart_writes_nothing(world: World) -> None:
    async with world.platforms():
        apps = await world.namespace("apps")
        async with world.operator():
            space = await shared_space(world, apps)
            pair = await world.bind(space, apps)
            before = await credential(world, pair)
            await world.audit.quiet(seconds=1)
        world.audit.mark()
        async with world.operator():
            await world.audit.quiet(seconds=2)
        assert world.audit.writes() == []
        assert await credential(world, pair) == before


async def test_its_namespace_ends(world: World) -> None:
    async with world.platforms() as enmasse, world.operator():
        apps = await world.namespace("apps")
        space = await shared_space(world, apps)
        pair = await world.bind(space, apps)
        await credential(world, pair)
        await world.kubectl.delete(f"/api/v1/namespaces/{apps}", {})
        await world.eventually("its login is gone", lambda: only(enmasse, space))


async def test_its_address_space_ends(world: World) -> None:
    async with world.platforms() as enmasse, world.operator():
        apps = await world.namespace("apps")
        space = await shared_space(world, apps)
        pair = await world.bind(space, apps)
        await credential(world, pair)
        await world.delete("AddressSpace", space)
        await world.taken_down(pair)
        await world.eventually("its login is gone", lambda: only(enmasse, space))
        shown = await world.has_reason(pair, "NamespaceNotAllowed")
        assert "binding" not in shown["status"], "the Integration is the user's, and stays"


async def test_deleted_while_the_operator_is_away(world: World) -> None:
    async with world.platforms() as enmasse:
        apps = await world.namespace("apps")
        async with world.operator():
            space = await shared_space(world, apps)
            pair = await world.bind(space, apps)
            await credential(world, pair)
        await world.delete("Integration", pair.consumer)
        assert len(logins_of(enmasse, space)) == 1
        async with world.operator():
            await world.taken_down(pair)
            await world.eventually("its login is gone", lambda: only(enmasse, space))
