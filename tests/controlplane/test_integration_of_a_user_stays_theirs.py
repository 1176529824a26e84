"""An Integration that a user or a GitOps tool wrote: its life and what is written in it are theirs."""

from __future__ import annotations

from typing import Any

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.documents import condition, reason
from tests.support.world import World


async def said(world: World, ref: Ref, wanted: str, type_: str = "Ready") -> dict[str, Any]:
    async def there() -> Any:
        found = await world.get("Integration", ref)
        return found if found and reason(found, type_) == wanted else None

    return await world.eventually(f"{ref} has reason {wanted}", there)  # type: ignore[no-any-return]


def reference(pair: Pair) -> dict[str, str]:
    return {"namespace": pair.space.namespace, "name": pair.space.name}


async def test_it_is_the_pairs_own_under_any_name(world: World) -> None:
    pair = await world.pair(across=True)
    mine = Ref(pair.syndesis.namespace, "mine")
    await world.create("Integration", *mine, spec={"addressSpaceRef": reference(pair), "enabled": True})
    async with world.operator():
        await said(world, mine, "UserPending")
        found = await world.get("Integration", mine)
        assert found is not None
        assert found["spec"] == {
            "addressSpaceRef": reference(pair),
            "enabled": True,
            "client": "syndesis",
            "serviceProvider": "fuse",
            "integrationType": "amqp",
        }
        assert "ownerReferences" not in found["metadata"]
        assert "labels" not in found["metadata"]
        assert await world.integration(pair) is None, "none is offered beside it"
        children = await world.children(pair)
        assert all(children.values())
        assert children["Secret"]["metadata"]["ownerReferences"][0]["name"] == "mine"  # type: ignore[index]

        await world.delete("AddressSpace", pair.space)
        await said(world, mine, "NamespaceNotAllowed")
        await world.taken_down(pair)
        assert await world.get("Integration", mine) is not None


async def test_what_they_wrote_stays_theirs(world: World) -> None:
    pair = await world.pair()
    mine = Ref(pair.syndesis.namespace, "mine")
    spec = {"addressSpaceRef": reference(pair), "client": "syndesis", "enabled": True, "tls": "disabled"}
    spec["authorization"] = [{"operations": ["recv"], "addresses": ["inbox"]}]
    await world.create("Integration", *mine, spec=spec)
    async with world.operator():
        await said(world, mine, "UserPending")
        children = await world.children(pair)
        assert children["MessagingUser"]["spec"]["authorization"] == spec["authorization"]  # type: ignore[index]
        uri = children["Connection"]["spec"]["configuredProperties"]["connectionUri"]  # type: ignore[index]
        assert uri.startswith("amqp://")
        found = await world.get("Integration", mine)
        ours = [e for e in found["metadata"]["managedFields"] if e["manager"] == names.FIELD_MANAGER]  # type: ignore[index]
        owned = {key for e in ours for key in e["fieldsV1"].get("f:spec", {})}
        assert owned == {"f:serviceProvider", "f:integrationType"}


async def test_second_one_says_so_and_does_nothing(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        second = Ref(pair.syndesis.namespace, "second")
        await world.create("Integration", *second, spec={"addressSpaceRef": reference(pair), "enabled": False})
        found = await said(world, second, "Duplicate")
        assert naming.integration_name(pair) in condition(found, "Paired")["message"]
        await world.audit.quiet()
        assert all((await world.children(pair)).values())


async def test_pair_that_is_not_allowed_says_why_and_makes_nothing(world: World) -> None:
    shop, fuse = await world.namespace("shop"), await world.namespace("fuse")
    pair = Pair(await world.space(shop), await world.syndesis(fuse))
    mine = Ref(fuse, "mine")
    await world.create("Integration", *mine, spec={"addressSpaceRef": reference(pair), "enabled": True})
    async with world.operator():
        found = await said(world, mine, "NamespaceNotAllowed")
        assert f"must add {fuse} to its annotation {names.ALLOWED_NAMESPACES}" in condition(found, "Ready")["message"]
        assert not any((await world.children(pair)).values())
        consent = {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: fuse}}}
        await world.patch("AddressSpace", pair.space, consent)
        await said(world, mine, "UserPending")


async def test_it_is_told_what_it_lacks(world: World) -> None:
    pair = await world.pair()
    async with world.operator():
        lacking = Ref(pair.syndesis.namespace, "lacking")
        await world.create("Integration", *lacking, spec={"enabled": True})
        found = await said(world, lacking, "AddressSpaceMissing")
        assert "spec.addressSpaceRef" in condition(found, "Paired")["message"]
        gone = Ref(pair.syndesis.namespace, "gone")
        nowhere = {"namespace": pair.space.namespace, "name": "nowhere"}
        await world.create("Integration", *gone, spec={"addressSpaceRef": nowhere, "enabled": True})
        await said(world, gone, "AddressSpaceNotFound")


async def test_proof_of_concepts_object_is_taken_over(world: World) -> None:
    pair = await world.pair()
    old = Ref(pair.syndesis.namespace, "enmasse-orders-to-fuse")
    spec = {"service": "enmasse", "serviceProvider": "fuse", "integrationType": "amqp", "client": "syndesis"}
    await world.create(
        "Integration",
        *old,
        spec={**spec, "enabled": True},
        status={"phase": "complete", "statusMessage": "", "metaData": {"connectionID": "i-1", "realm": "x"}},
    )
    async with world.operator():
        found = await said(world, old, "UserPending")
        assert found["spec"]["addressSpaceRef"] == reference(pair)
        assert found["status"]["metaData"]["connectionID"] == "i-1"
        assert await world.integration(pair) is None


async def test_suspended_is_left_as_it_is(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        await world.patch("Integration", ref, {"spec": {"suspend": True}})
        await world.has_reason(pair, "Suspended")
        await world.patch("Connection", naming.connection_ref(pair), {"spec": {"name": "Mine"}})
        await world.patch("Integration", ref, {"spec": {"enabled": False}})
        await world.audit.quiet()
        children = await world.children(pair)
        assert all(children.values())
        assert children["Connection"]["spec"]["name"] == "Mine"  # type: ignore[index]
        await world.patch("Integration", ref, {"spec": {"suspend": None}})
        await world.taken_down(pair)


async def test_their_secret_is_used_and_followed(world: World) -> None:
    pair = await world.pair()
    namespace = pair.syndesis.namespace
    ref = Ref(namespace, naming.integration_name(pair))
    async with world.platforms(), world.operator():
        before = await world.deliver(pair)
        own = Ref(namespace, "brought")
        await world.create("Secret", *own, type="Opaque", data={"login": "YWxpY2U=", "word": "c2VzYW1l"})
        keys = {"name": "brought", "usernameKey": "login", "passwordKey": "word"}
        await world.patch("Integration", ref, {"spec": {"credentialsSecretRef": keys, "rotation": {"overlap": "0s"}}})
        await world.has_reason(pair, "SecretNotFound")
        still = await world.children(pair)
        assert still["MessagingUser"]["metadata"]["uid"] == before["MessagingUser"]["metadata"]["uid"]  # type: ignore[index]

        await world.patch("Secret", own, {"metadata": {"labels": {names.INTEGRATION_LABEL: "any"}}})
        user_ref = naming.user_ref(pair, "alice")

        async def used() -> Any:
            user = await world.get("MessagingUser", user_ref)
            return user and user["spec"]["authentication"]["password"] == "c2VzYW1l"

        await world.eventually("the user has their password", used)

        async def ours_gone() -> bool:
            old_user = await world.get("MessagingUser", naming.user_ref(pair))
            return old_user is None and await world.get("Secret", naming.secret_ref(pair)) is None

        await world.eventually("our own user and Secret are gone", ours_gone)
        connection = await world.get("Connection", naming.connection_ref(pair))
        assert connection["spec"]["configuredPropertiesFrom"][1]["secretKeyRef"] == {"name": "brought", "key": "word"}  # type: ignore[index]

        await world.patch("Secret", own, {"data": {"word": "b3Blbg=="}})

        async def followed() -> Any:
            user = await world.get("MessagingUser", user_ref)
            return user and user["spec"]["authentication"]["password"] == "b3Blbg=="

        await world.eventually("a changed Secret is followed", followed)
        await world.enable(pair, enabled=False)

        async def gone() -> bool:
            return await world.get("MessagingUser", user_ref) is None

        await world.eventually("the user is gone", gone)
        assert await world.get("Secret", own) is not None, "their Secret is theirs"
