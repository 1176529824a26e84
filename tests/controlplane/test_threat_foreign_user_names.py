"""Threat: a user name that the receiver chooses meets a MessagingUser that is foreign or another pair's.

As tenants with limited tokens; the operator has exactly the permissions it ships, and is restarted, and killed, in the
middle. Whatever the receiver writes, nothing that the operator did not make for this very pair is touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.errors import Forbidden
from integration_operator.runtime.ref import Ref
from tests.support.documents import Document, path
from tests.support.scenes import WITH_FINALIZER, Scene, scene
from tests.support.world import World


async def test_the_tenants_have_no_more_rights_than_that(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on:
        with pytest.raises(Forbidden):
            await on.receiver.get(path("MessagingUser", on.pair.space.namespace))
        with pytest.raises(Forbidden):
            await on.giver.get(path("Integration", on.pair.syndesis.namespace))


FORGED: Document = {
    "phase": "complete",
    "delivered": {
        "user": {"delivery": "keycloak", "username": "boss", "appliedHash": "x", "credentialsHash": "y"},
        "connection": {"delivery": "rest", "id": "i-1"},
        "source": "crd",
    },
}


async def restarted(on: Scene, during: Callable[[], Awaitable[Any]], **settings: Any) -> None:
    """Check ``during`` under two operators, one after the other: the second knows nothing of the first."""
    for _ in range(2):
        async with on.world.operator(**settings):
            await during()
            await on.world.audit.quiet()


@pytest.mark.parametrize("connection", ["native", "rest"])
@pytest.mark.parametrize("forged", [False, True], ids=["plain", "finalizer and status forged"])
async def test_a_users_own_messaging_user_is_never_taken(
    world: World, tmp_path: Path, connection: str, forged: bool
) -> None:
    async with scene(world, tmp_path) as on:
        before = await on.boss()
        await on.bring("boss")
        delivery = {"user": "native", "connection": connection}
        forgery = {"metadata": WITH_FINALIZER, "status": FORGED} if forged else {}
        await on.ask(credentialsSecretRef={"name": "byo"}, delivery=delivery, **forgery)

        async def refused() -> None:
            found = await on.said("NameTaken")
            assert "boss" in str(found["status"]["conditions"])
            await on.untouched(before)

        await restarted(on, refused, syndesis_url="http://127.0.0.1:9")

        async def disabled() -> None:
            await on.said("NotEnabled")
            await on.untouched(before)

        await on.change(enabled=False)
        await restarted(on, disabled, syndesis_url="http://127.0.0.1:9")
        await on.untouched(before)


async def test_under_the_generated_name_too(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on:
        before = await on.boss(naming.username(on.pair))
        await on.ask(metadata=WITH_FINALIZER, status=FORGED)

        async def refused() -> None:
            await on.said("NameTaken")
            await on.untouched(before)

        await restarted(on, refused)


async def test_another_pairs_user_is_not_this_pairs(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on:
        other = await world.namespace("other")
        victim = Pair(on.pair.space, await world.syndesis(other))
        allowed = {names.ALLOWED_NAMESPACES: f"{on.pair.syndesis.namespace},{other}"}
        await world.patch("AddressSpace", on.pair.space, {"metadata": {"annotations": allowed}})
        async with world.operator():
            delivered = await world.deliver(victim)
        before = delivered["MessagingUser"]
        await on.bring(naming.username(victim))
        await on.ask(credentialsSecretRef={"name": "byo"})

        async def refused() -> None:
            await on.said("UsernameInvalid")
            await on.untouched(before)

        await restarted(on, refused)
        await on.change(enabled=False)
        async with world.operator():
            await on.said("NotEnabled")
            await on.untouched(before)


async def test_without_consent_nothing_is_deleted_in_the_givers_namespace(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path, consent=False) as on:
        own_name, chosen = await on.boss(naming.username(on.pair)), await on.boss()
        await on.bring("boss")
        status = {**FORGED, "delivered": {**FORGED["delivered"], "user": {"delivery": "native", "username": "boss"}}}
        await on.ask(metadata=WITH_FINALIZER, status=status, credentialsSecretRef={"name": "byo"})
        async with world.operator(give_up_seconds=1):
            await on.said("NamespaceNotAllowed")
            await on.change(enabled=False)
            await world.audit.quiet()
            await on.receiver.delete(path("Integration", *on.ref))
            await asyncio.sleep(2)
            await world.audit.quiet()
        await on.untouched(own_name)
        await on.untouched(chosen)


@pytest.mark.parametrize("kind", ["Secret", "MessagingUser"])
async def test_copies_stay(world: World, tmp_path: Path, kind: str) -> None:
    """Copy with `kubectl get -o yaml` and `kubectl apply`, under another name or in another namespace."""
    async with scene(world, tmp_path) as on:
        elsewhere = await world.namespace("elsewhere")
        async with world.operator():
            found = (await world.deliver(on.pair))[kind]
            metadata = {key: found["metadata"][key] for key in ("labels", "annotations")}
            managed = found["metadata"]["managedFields"]
            body = {key: found[key] for key in ("spec", "data", "type") if key in found}
            copies = []
            for namespace, name in (
                (found["metadata"]["namespace"], "orders.copy"),
                (elsewhere, found["metadata"]["name"]),
            ):
                for with_managers in (False, True):
                    suffix = "-shown" if with_managers else ""
                    extra = {"managedFields": managed} if with_managers else {}
                    copies.append(
                        await world.create(kind, namespace, f"{name}{suffix}", metadata={**metadata, **extra}, **body)
                    )
            await world.enable(on.pair, enabled=False)
            await world.taken_down(on.pair)
            await world.audit.quiet()
            for copy in copies:
                ref = Ref(copy["metadata"]["namespace"], copy["metadata"]["name"])
                now = await world.get(kind, ref)
                assert now is not None, ref
                assert now["metadata"]["resourceVersion"] == copy["metadata"]["resourceVersion"]


async def test_the_generated_secret_is_no_credential_of_ones_own(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on:
        payments = Pair(
            await world.space(on.pair.space.namespace, "payments", allowed=on.pair.syndesis.namespace), on.pair.syndesis
        )
        async with world.operator():
            before, other = await world.deliver(on.pair), await world.deliver(payments)
            ref = Ref(on.pair.syndesis.namespace, naming.integration_name(on.pair))
            for secret in (before["Secret"], other["Secret"]):
                name = secret["metadata"]["name"]
                await on.receiver.patch(path("Integration", *ref), {"spec": {"credentialsSecretRef": {"name": name}}})
                await world.has_reason(on.pair, "SecretGenerated", "CredentialsReady")
                await world.audit.quiet()
                now = await world.children(on.pair)
                assert now["Secret"]["metadata"]["uid"] == before["Secret"]["metadata"]["uid"]  # type: ignore[index]
                user = now["MessagingUser"]
                assert user["spec"]["authentication"] == before["MessagingUser"]["spec"]["authentication"]  # type: ignore[index]


async def test_what_a_backup_tool_puts_back_is_adopted(world: World, tmp_path: Path) -> None:
    """Under their generated names, with their annotations, without owners and field managers; nothing is lost."""
    async with scene(world, tmp_path) as on:
        async with world.operator():
            before = await world.deliver(on.pair)
        integration = await world.integration(on.pair)
        assert integration is not None
        saved = {**before, "Integration": integration}
        refs = {kind: Ref(d["metadata"]["namespace"], d["metadata"]["name"]) for kind, d in saved.items()}
        space = await world.get("AddressSpace", on.pair.space)
        assert space is not None
        for kind, ref in (*refs.items(), ("AddressSpace", on.pair.space)):
            await world.delete(kind, ref)
        for kind, document in saved.items():
            metadata = {key: document["metadata"][key] for key in ("labels", "annotations")}
            body = {key: document[key] for key in ("spec", "data", "type") if key in document}
            await world.create(kind, *refs[kind], metadata=metadata, **body)
        async with world.operator():
            await world.audit.quiet()
            assert await world.get("Integration", refs["Integration"]) is not None, "its AddressSpace is not there yet"
            metadata = {"annotations": space["metadata"]["annotations"]}
            await world.create(
                "AddressSpace", *on.pair.space, metadata=metadata, spec=space["spec"], status=space["status"]
            )
            await world.has_reason(on.pair, "UserPending")
            await world.audit.quiet()
            after = await world.delivered(on.pair)
            assert after["Secret"]["data"] == before["Secret"]["data"], "the credential is the same"
            assert after["MessagingUser"]["metadata"]["ownerReferences"], "and its objects have owners again"
            await world.enable(on.pair, enabled=False)
            await world.taken_down(on.pair)
