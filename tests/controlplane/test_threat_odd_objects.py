"""Threat: objects at the limits of what the API server takes, and objects that claim to be what they are not.

Each gets a condition or is delivered; nothing is a defect, and a bystander's pair is served.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.documents import condition, encoded, path, space_status
from tests.support.scenes import Scene, scene
from tests.support.world import World


@pytest.fixture(autouse=True)
def no_defect(operator_log: io.StringIO) -> Any:
    """Check that no line of the log reports a defect."""
    yield
    shown = operator_log.getvalue()
    assert '"event"' in shown, "the operator logged what it did"
    assert "Traceback" not in shown
    assert "panicked" not in shown


async def bystander(world: World) -> None:
    shop = await world.namespace("bystander")
    pair = Pair(await world.space(shop), await world.syndesis(shop))
    await world.deliver(pair)


async def test_an_integration_with_all_the_annotations_that_fit(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():
        annotations = {f"example.com/a{n}": "é" * 1_250 for n in range(100)}
        labels = {f"example.com/l{n}": "x" * 63 for n in range(3_000)}
        await on.ask(metadata={"annotations": annotations, "labels": labels})
        found = await on.said("Ready")
        assert len(json.dumps(found["status"])) < 10_000
        for child in (await world.children(on.pair)).values():
            assert child is not None
            assert "example.com" not in str(child)
        await on.change(enabled=False)
        await world.taken_down(on.pair)


@pytest.mark.parametrize("name", ["a" * 63, "a" * 253, "a.b", "0", "a--b.c-d" + ".e" * 50])
async def test_an_address_space_with_a_name_at_the_limits(world: World, tmp_path: Path, name: str) -> None:
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():
        await world.space(on.pair.space.namespace, name, allowed=on.pair.syndesis.namespace)
        pair = Pair(Ref(on.pair.space.namespace, name), on.pair.syndesis)
        await world.offered(pair)
        await world.enable(pair)

        async def judged() -> bool:
            integration = await world.integration(pair)
            found = condition(integration or {}, "Ready")
            return found.get("status") == "True" or found.get("reason") in ("Invalid", "InvalidName", "UserFailed")

        await world.eventually("it is Ready, or says why not", judged)
        await bystander(world)


async def test_a_credential_of_any_characters(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():
        await on.bring("clerk", "pässwörd 😀 \u202e\u0000 end")
        await on.ask(credentialsSecretRef={"name": "byo"})

        async def judged() -> bool:
            found = condition(await integration(on), "Ready")
            return found.get("reason") in ("Ready", "SecretMalformed")

        await world.eventually("it is used or refused", judged)
        secret = path("Secret", on.ref.namespace, "byo")
        for username in ("bøss", "../boss", "Boss", "boss\u0000", "a" * 300, "boss ", "\u202eboss"):
            await on.receiver.patch(secret, {"data": {"username": encoded(username)}})
            await on.said("UsernameInvalid")
        await on.receiver.patch(secret, {"data": {"username": base64.b64encode(b"\xff\xfe").decode()}})
        await on.said("SecretMalformed")


async def integration(on: Scene) -> dict[str, Any]:
    return await on.world.get("Integration", on.ref) or {}


async def test_owners_that_a_tenant_forged_delete_nothing_of_others(world: World, tmp_path: Path) -> None:
    """The collector deletes what names an owner of another namespace: the tenant's own, and what hangs on it."""
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():
        boss = await on.boss()
        space = await world.get("AddressSpace", on.pair.space)
        assert space is not None
        for owner in (boss, space):
            reference = {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "blockOwnerDeletion": True,
                "controller": True,
            }
            await on.ask(metadata={"ownerReferences": [reference]})

            async def collected() -> bool:
                return await world.get("Integration", on.ref) is None

            await world.eventually("the collector takes it", collected)
            await world.taken_down(on.pair)
        after = await world.get("AddressSpace", on.pair.space)
        assert after is not None
        assert after["metadata"]["resourceVersion"] == space["metadata"]["resourceVersion"]
        assert await on.user("boss") is not None
        await bystander(world)


async def test_a_connection_that_the_receiver_wrote_under_our_name(world: World, tmp_path: Path) -> None:
    """With our annotations it counts as restored by a backup tool, and is repaired.

    Without them its name is taken, and the login does not wait for that.
    """
    async with scene(world, tmp_path) as on, world.operator():
        ref = naming.connection_ref(on.pair)
        spec = {
            "connectorId": "amqp",
            "name": "theirs",
            "configuredProperties": {"connectionUri": "amqp://of.mallory:5672"},
            "connectionId": "i-of-somebody",
        }
        document = {
            "apiVersion": names.CONNECTION_API_VERSION,
            "kind": "Connection",
            "metadata": {"name": ref.name},
            "spec": spec,
        }
        await on.receiver.post(path("Connection", ref.namespace), document)
        await on.ask()
        found = await on.said("NameTaken")
        assert condition(found, "ConnectionReady")["reason"] == "NameTaken"
        theirs = await world.get("Connection", ref)
        assert theirs is not None
        assert theirs["spec"]["name"] == "theirs"
        annotations = {
            names.ADDRESS_SPACE_ANNOTATION: "/".join(on.pair.space),
            names.SYNDESIS_ANNOTATION: "/".join(on.pair.syndesis),
        }
        await on.receiver.patch(path("Connection", *ref), {"metadata": {"annotations": annotations}})

        async def ours() -> bool:
            now = await world.get("Connection", ref)
            return now is not None and "of.mallory" not in str(now["spec"]) and now["spec"]["name"] != "theirs"

        await world.eventually("it is repaired", ours)


async def test_of_two_syndesis_of_a_namespace_the_duplicate_gets_nothing(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():
        fuse = on.pair.syndesis.namespace
        await world.create("Syndesis", fuse, "second", spec={}, status={"phase": "NotInstalled", "reason": "Duplicate"})
        for client, said in (("second", "SyndesisDuplicate"), ("of-another-namespace", "SyndesisNotFound")):
            reference = on.pair.space._asdict()
            spec = {"addressSpaceRef": reference, "client": client, "enabled": True}
            await world.create("Integration", fuse, f"for-{client}", spec=spec)
            await on.said(said, name=f"for-{client}")
        await world.audit.quiet()
        assert await world.items("MessagingUser", on.pair.space.namespace) == []


async def test_a_status_that_a_giver_fills_to_the_brim(world: World, tmp_path: Path) -> None:
    """The status of an AddressSpace is the giver's to write."""
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():
        status = space_status()
        status["messages"] = ["\u001b]0;x\u0007" * 2_000] * 5
        status["endpointStatuses"] += [
            {"name": f"e{n}", "serviceHost": "h" * 253, "servicePorts": []} for n in range(1_000)
        ]
        await on.giver.patch(path("AddressSpace", *on.pair.space), {"status": status})
        await on.ask()
        await on.said("Ready")
        await on.giver.patch(path("AddressSpace", *on.pair.space), {"status": {"isReady": False}})
        found = await on.said("AddressSpaceNotReady")
        assert len(json.dumps(found["status"])) < 12_000
        assert "\u001b" not in json.dumps(found, ensure_ascii=False)
