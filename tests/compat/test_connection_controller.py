"""The connection controller takes Connections to Syndesis's server, with its own permissions and its own finalizer."""

from __future__ import annotations

import asyncio
from typing import Any

from integration_operator.api import names
from integration_operator.backends.circuit_breaker import OPEN_FOR
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.connection_controller import CONTROLLER, connection_controller, create_connection, in_phase
from tests.support.documents import condition, secret_data
from tests.support.world import World


async def test_life_of_a_connection(world: World, syndesis_server: SyndesisServer) -> None:
    namespace = await world.namespace("fuse")
    async with connection_controller(world, syndesis_server):
        ref = await create_connection(world, namespace)
        await in_phase(world, ref, "Pending")
        assert syndesis_server.requests == [], "without a Syndesis no server is asked"
        await world.syndesis(namespace)
        found = await in_phase(world, ref, "Ready")
        identifier = found["status"]["connectionId"]
        assert found["metadata"]["finalizers"] == [names.CONNECTION_FINALIZER]
        assert found["status"]["lastVerified"]["status"] == "OK"
        assert syndesis_server.stored()[identifier]["name"] == "mine"
        assert syndesis_server.password(identifier) == "secret-1"

        await world.patch("Connection", ref, {"spec": {"description": "ours"}})

        async def described() -> bool:
            return syndesis_server.stored()[identifier].get("description") == "ours"

        await world.eventually("a change is followed", described)
        assert syndesis_server.password(identifier) == "secret-1"

        await world.delete("Connection", ref)

        async def gone() -> bool:
            return not syndesis_server.stored() and await world.get("Connection", ref) is None

        await world.eventually("connection and Connection are gone", gone)


async def test_a_handed_over_id_is_adopted_and_a_handed_over_connection_left(
    world: World, syndesis_server: SyndesisServer
) -> None:
    namespace = await world.namespace("fuse")
    await world.syndesis(namespace)
    syndesis_server.put_stored(
        {
            "id": "enm-old",
            "name": "old",
            "connectorId": "amqp",
            "createdDate": 1,
            "userId": "developer",
            "configuredProperties": {"connectionUri": "amqp://old:5672", "clientID": "kept"},
        }
    )
    async with connection_controller(world, syndesis_server):
        ref = await create_connection(world, namespace, connectionId="enm-old")
        await in_phase(world, ref, "Ready")
        (adopted,) = syndesis_server.stored().values()
        assert adopted["id"] == "enm-old"
        assert adopted["configuredProperties"]["connectionUri"] == "amqp://broker:5672"
        assert (adopted["createdDate"], adopted["userId"]) == (1, "developer")
        assert adopted["configuredProperties"]["clientID"] == "kept", "what a user set besides stays"

        await world.patch("Connection", ref, {"metadata": {"annotations": {"integreatly.org/handed-over": "rest"}}})
        await world.delete("Connection", ref)

        async def gone() -> bool:
            return await world.get("Connection", ref) is None

        await world.eventually("the Connection goes", gone)
        assert list(syndesis_server.stored()) == ["enm-old"]


async def test_at_rest_and_after_a_restart_nothing_is_written(world: World, syndesis_server: SyndesisServer) -> None:
    namespace = await world.namespace("fuse")
    await world.syndesis(namespace)
    async with connection_controller(world, syndesis_server):
        ref = await create_connection(world, namespace)
        await in_phase(world, ref, "Ready")
    before = syndesis_server.stored()
    world.audit.mark()
    async with connection_controller(world, syndesis_server):
        await world.eventually("the restarted one has looked", _asked(syndesis_server, len(syndesis_server.requests)))
        assert world.audit.writes(CONTROLLER) == []
    assert syndesis_server.stored() == before


def _asked(server: SyndesisServer, before: int) -> Any:
    async def asked() -> bool:
        return len(server.requests) > before

    return asked


async def test_what_a_person_has_to_do_is_said(world: World, syndesis_server: SyndesisServer) -> None:
    namespace = await world.namespace("fuse")
    await world.syndesis(namespace)
    async with connection_controller(world, syndesis_server):
        missing = await create_connection(world, namespace, "other", connectorId="nope")
        found = await in_phase(world, missing, "Error")
        assert found["status"]["conditions"][0]["reason"] == "ConnectorMissing"


async def test_a_password_changed_in_syndesis_is_put_back(world: World, syndesis_server: SyndesisServer) -> None:
    namespace = await world.namespace("fuse")
    await world.syndesis(namespace)
    async with connection_controller(world, syndesis_server, verification_seconds=10):
        ref = await create_connection(world, namespace)
        found = await in_phase(world, ref, "Ready")
        identifier = found["status"]["connectionId"]
        assert len(found["status"]["storedHash"]) == 32
        stored = syndesis_server.stored()[identifier]
        stored["configuredProperties"]["password"] = "a-users-own"
        syndesis_server.put_stored(stored)

        async def back() -> bool:
            return syndesis_server.password(identifier) == "secret-1"

        await world.eventually("the password is put back", back)

        async def noted() -> bool:
            known = await in_phase(world, ref, "Ready")
            return bool(known["status"]["storedHash"] != found["status"]["storedHash"])

        await world.eventually("what is stored now is noted", noted)


async def test_a_server_that_is_back_has_all_of_its_connections_at_once(
    world: World, syndesis_server: SyndesisServer
) -> None:
    """However long it was away: what is refused while it is left alone is no failure, and its return is told."""
    namespace = await world.namespace("fuse")
    await world.syndesis(namespace)
    syndesis_server.fail(times=10_000, status=503)
    async with connection_controller(world, syndesis_server) as control:
        refs = [await create_connection(world, namespace, f"mine-{n}") for n in range(4)]

        async def left_alone() -> bool:
            found = [await world.get("Connection", ref) for ref in refs]
            conditions = [ready for f in found if f and (ready := condition(f, "Ready"))]
            return len(conditions) == 4 and all(f"retried every {OPEN_FOR} s" in c["message"] for c in conditions)

        await world.eventually("it is left alone", left_alone)
        await asyncio.sleep(2 * OPEN_FOR)
        world.audit.mark()
        asked = len(syndesis_server.requests)
        await asyncio.sleep(2 * OPEN_FOR)
        assert len(syndesis_server.requests) - asked <= 3, "one request tries it each time"
        assert world.audit.writes(CONTROLLER) == [], "what is said of it stays the same"
        syndesis_server.recover()
        for ref in refs:
            await in_phase(world, ref, "Ready")
        assert control.queue.add_rate_limited(refs[0]) < 1, "its back-off has not grown"


async def test_a_secret_with_our_label_is_followed_and_its_values_are_not_kept(
    world: World, syndesis_server: SyndesisServer
) -> None:
    namespace = await world.namespace("fuse")
    await world.syndesis(namespace)
    async with connection_controller(world, syndesis_server) as control:
        ref = await create_connection(world, namespace)
        labelled = {"metadata": {"labels": {names.INTEGRATION_LABEL: "yes"}}}
        await world.patch("Secret", Ref(namespace, "mine-login"), labelled)
        found = await in_phase(world, ref, "Ready")
        await world.patch("Secret", Ref(namespace, "mine-login"), {"data": secret_data({"pass_word": "secret-2"})})

        async def followed() -> bool:
            return syndesis_server.password(found["status"]["connectionId"]) == "secret-2"

        await world.eventually("the new password is delivered", followed)
        kept = [secret for secret in control.controller.secrets if secret.ref.namespace == namespace]
        assert [secret.ref.name for secret in kept] == ["mine-login"]
        assert "secret-2" not in repr(kept)
        assert secret_data({"it": "secret-2"})["it"] not in repr(kept)


async def test_a_finalizer_that_somebody_else_wrote_too_holds_nothing(
    world: World, syndesis_server: SyndesisServer
) -> None:
    namespace = await world.namespace("fuse")
    async with connection_controller(world, syndesis_server):
        await world.syndesis(namespace)
        ref = await create_connection(world, namespace)
        await in_phase(world, ref, "Ready")
        await world.patch(
            "Connection", ref, {"metadata": {"finalizers": [names.CONNECTION_FINALIZER, "example.com/theirs"]}}
        )
        await world.delete("Connection", ref)

        async def only_theirs() -> bool:
            found = await world.get("Connection", ref)
            return found is not None and found["metadata"]["finalizers"] == ["example.com/theirs"]

        await world.eventually("ours is off", only_theirs)
        assert syndesis_server.stored() == {}
