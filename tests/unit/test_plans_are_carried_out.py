"""The controller carries out what plans say: it reacts to each change, reports once, and repairs within bounds.

It runs in virtual time, against an API server in memory.
"""

from __future__ import annotations

import asyncio

from integration_operator.api import names
from integration_operator.controllers.integration.guards import REPAIRS, WINDOW
from integration_operator.domain.model import naming
from integration_operator.runtime.errors import Conflict, Forbidden, Unavailable
from integration_operator.runtime.ref import Ref
from tests.support import builders
from tests.support.documents import Document, condition, decoded, reason
from tests.support.operated import INTEGRATION, PAIR, RESYNC, SOON, both, enabled, operated
from tests.support.virtual_time import run


def test_a_pair_is_offered_then_delivered_then_taken_down() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            assert (reason(scene.integration()), scene.integration()["status"]["phase"]) == ("NotEnabled", "accepted")
            assert scene.kinds() == []
            await enabled(scene)
            assert scene.kinds() == ["Connection", "MessagingUser", "Secret"]
            assert scene.integration()["status"]["phase"] == "complete"
            stored = condition(scene.integration(), "CredentialsReady")["message"]
            assert stored == f"Credential stored in Secret {naming.secret_name(PAIR)}"
            scene.specify(enabled=False)
            await asyncio.sleep(SOON)
            assert scene.kinds() == []
            assert scene.events() == [("Normal", "NotEnabled"), ("Normal", "Ready"), ("Normal", "NotEnabled")]

    run(scenario())


def test_an_integration_without_a_pair_is_told_what_it_lacks() -> None:
    async def scenario() -> None:
        alone = builders.integration("lonely")
        del alone["spec"]["client"]
        async with operated(*both(), alone) as scene:
            lonely = Ref("lonely", "mine")
            assert reason(scene.integration(lonely)) == "ClientMissing"
            scene.api.put(builders.syndesis("lonely"))
            await asyncio.sleep(SOON)
            assert reason(scene.integration(lonely)) == "NamespaceNotAllowed"
            assert scene.integration(lonely)["status"].get("phase", "") == ""

    run(scenario())


def test_at_rest_nothing_is_written() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            writes = len(scene.api.writes())
            scene.api.put(builders.syndesis(labels={"of": "no concern"}))
            await asyncio.sleep(2 * RESYNC)
            assert len(scene.api.writes()) == writes

    run(scenario())


def test_what_another_client_changes_or_deletes_is_restored() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            for kind, ref in (
                ("Secret", naming.secret_ref(PAIR)),
                ("MessagingUser", naming.user_ref(PAIR)),
                ("Connection", naming.connection_ref(PAIR)),
            ):
                before = scene.api.find(kind, ref)
                assert before is not None
                scene.api.remove(kind, ref)
                await asyncio.sleep(SOON)
                after = scene.api.find(kind, ref)
                assert after is not None, kind
                assert (after.get("spec"), after.get("data")) == (before.get("spec"), before.get("data"))
            login = scene.api.find("MessagingUser", naming.user_ref(PAIR))
            assert login is not None
            other = {"spec": {"authorization": [{"addresses": ["*"], "operations": ["manage"]}]}}
            scene.api.put({"kind": "MessagingUser", "metadata": naming.user_ref(PAIR)._asdict(), **other})
            await asyncio.sleep(SOON)
            repaired = scene.api.find("MessagingUser", naming.user_ref(PAIR))
            assert repaired is not None
            assert repaired["spec"] == login["spec"]

    run(scenario())


def test_a_client_that_changes_an_object_again_and_again_is_named_and_not_fought_for_ever() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            connection = {"kind": "Connection", "metadata": naming.connection_ref(PAIR)._asdict()}
            for number in range(REPAIRS + 1):
                scene.api.put({**connection, "spec": {"connectorId": f"other-{number}"}})
                await asyncio.sleep(1)
            contested = condition(scene.integration(), "ConnectionReady")
            assert contested["reason"] == "FieldContested"
            assert "another field manager (kubectl)" in contested["message"]
            assert ("Warning", "FieldContested") in scene.events()
            found = scene.api.find("Connection", naming.connection_ref(PAIR))
            assert found is not None
            assert found["spec"]["connectorId"] == f"other-{REPAIRS}"
            await asyncio.sleep(WINDOW)
            assert found != scene.api.find("Connection", naming.connection_ref(PAIR))
            assert reason(scene.integration()) == "Ready", "it is tried again once the window has passed"

    run(scenario())


def test_a_secret_that_is_deleted_after_a_rotation_is_restored_and_not_rotated_again() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene, rotation={"overlap": "1s"})
            secret, metadata = naming.secret_ref(PAIR), {**INTEGRATION._asdict(), "annotations": {names.ROTATE: "1"}}
            first = scene.api.find("Secret", secret)
            scene.api.put({"kind": "Integration", "metadata": metadata})
            await asyncio.sleep(60)
            rotated = scene.api.find("Secret", secret)
            assert first is not None
            assert rotated is not None
            assert decoded(rotated)["password"] != decoded(first)["password"]
            scene.api.remove("Secret", secret)
            await asyncio.sleep(60)
            restored = scene.api.find("Secret", secret)
            assert restored is not None
            for key in ("username", "password"):
                assert decoded(restored)[key] == decoded(rotated)[key]

    run(scenario())


def test_an_object_that_others_delete_each_time_is_created_later_each_time() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            ref = naming.connection_ref(PAIR)
            for delay in (0.0, 1.0, 2.0, 4.0):
                scene.api.remove("Connection", ref)
                await asyncio.sleep(0.25)
                assert (scene.api.find("Connection", ref) is None) == bool(delay)
                await asyncio.sleep(delay)
                assert scene.api.find("Connection", ref) is not None
            scene.api.remove("Connection", ref)
            await asyncio.sleep(SOON)
            contested = condition(scene.integration(), "ConnectionReady")
            assert contested["reason"] == "ObjectContested"
            assert f"Connection {ref} was deleted 5 times" in contested["message"]
            await asyncio.sleep(8)
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_an_object_of_another_owner_under_a_name_that_the_pair_needs_is_named() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            secret = {"kind": "Secret", "metadata": naming.secret_ref(PAIR)._asdict(), "data": {}}
            scene.api.put(secret)  # without our label, so that no watch shows it
            scene.specify(enabled=True)
            await asyncio.sleep(SOON)
            taken = condition(scene.integration(), "CredentialsReady")
            assert taken["reason"] == "NameTaken"
            assert str(naming.secret_ref(PAIR)) in taken["message"]
            assert scene.kinds() == ["Secret"], "without a credential nothing else is created"
            assert condition(scene.integration(), "UserReady")["reason"] == "Waiting"
            scene.api.remove("Secret", naming.secret_ref(PAIR))
            await asyncio.sleep(60)
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_a_name_that_is_taken_is_needed_again_once_it_is_free() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            foreign = {"kind": "Connection", "metadata": naming.connection_ref(PAIR)._asdict(), "spec": {}}
            before = scene.api.put(foreign)
            scene.specify(enabled=True)
            await asyncio.sleep(SOON)
            taken = condition(scene.integration(), "ConnectionReady")
            assert taken["reason"] == "NameTaken"
            assert str(naming.connection_ref(PAIR)) in taken["message"]
            assert condition(scene.integration(), "UserReady")["status"] == "True"
            assert scene.api.find("Connection", naming.connection_ref(PAIR)) == before
            scene.api.remove("Connection", naming.connection_ref(PAIR))
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_a_user_that_is_deleted_while_its_space_is_not_ready_is_created_when_it_is() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            scene.api.put(builders.space(ready=False))
            scene.api.remove("MessagingUser", naming.user_ref(PAIR))
            await asyncio.sleep(SOON)
            assert condition(scene.integration(), "UserReady")["reason"] == "AddressSpaceNotReady"
            assert scene.kinds() == ["Connection", "Secret"]
            scene.api.put(builders.space())
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_a_conflict_passes_without_a_report() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            events, left = scene.events(), [1]

            def conflict(verb: str, path: str) -> None:
                if verb == "APPLY" and "connections" in path and left:
                    left.pop()
                    raise Conflict(409, "Conflict", "it changed")

            scene.api.before = conflict
            connection = {"kind": "Connection", "metadata": naming.connection_ref(PAIR)._asdict()}
            scene.api.put({**connection, "spec": {"connectorId": "other"}})
            await asyncio.sleep(SOON)
            assert left == []
            assert scene.events() == events
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_an_action_that_fails_is_reported_and_stops_only_what_needs_it() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            attempts: list[float] = []

            def refuse(verb: str, path: str) -> None:
                if verb == "APPLY" and "messagingusers" in path:
                    attempts.append(asyncio.get_running_loop().time())
                    raise Forbidden(403, "Forbidden", "a quota is used up")

            scene.api.before = refuse
            scene.specify(enabled=True)
            await asyncio.sleep(600)
            assert scene.integration()["status"]["phase"] == "integrating"
            refused = condition(scene.integration(), "UserReady")
            assert refused["reason"] == "Forbidden"
            assert "a quota is used up" in refused["message"]
            assert scene.kinds() == ["Secret"]
            assert condition(scene.integration(), "ConnectionReady")["message"] == "Waits for UserReady"
            assert attempts[-1] - attempts[-2] <= 125, "what a user corrects elsewhere is noticed within two minutes"
            scene.api.before = lambda verb, path: None
            await asyncio.sleep(125)
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_a_deletion_that_fails_is_reported_and_keeps_the_record_of_what_is_left() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)

            def refuse(verb: str, path: str) -> None:
                if verb == "DELETE" and "messagingusers" in path:
                    raise Forbidden(403, "Forbidden", "a webhook is in the way")

            scene.api.before = refuse
            scene.specify(enabled=False)
            await asyncio.sleep(SOON)
            assert condition(scene.integration(), "UserReady")["reason"] == "Forbidden"
            assert condition(scene.integration(), "Rotating") == {}
            assert scene.kinds() == ["MessagingUser", "Secret"]
            scene.api.before = lambda verb, path: None
            await asyncio.sleep(125)
            assert scene.kinds() == []
            assert reason(scene.integration()) == "NotEnabled"

    run(scenario())


def test_a_server_that_asks_for_time_gets_it() -> None:
    """The longest time counts, of several actions that failed."""

    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            attempts: list[float] = []

            def refuse(verb: str, path: str) -> None:
                for plural, seconds in (("messagingusers", 100.0), ("connections", 20.0)):
                    if verb == "APPLY" and plural in path:
                        attempts.append(asyncio.get_running_loop().time())
                        raise Unavailable(503, "Busy", "try later", retry_after=seconds)

            scene.api.before = refuse
            scene.api.put(
                {"kind": "MessagingUser", "metadata": naming.user_ref(PAIR)._asdict(), "spec": {"authorization": []}}
            )
            scene.api.put(
                {"kind": "Connection", "metadata": naming.connection_ref(PAIR)._asdict(), "spec": {"connectorId": "x"}}
            )
            await asyncio.sleep(SOON)
            tried = len(attempts)
            await asyncio.sleep(90)
            assert len(attempts) == tried
            await asyncio.sleep(20)
            assert len(attempts) > tried

    run(scenario())


def test_a_field_that_the_server_drops_is_not_applied_again_and_again() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            store = scene.api._store

            def dropping(kind: str, ref: Ref, document: Document) -> Document:
                if kind == "Connection" and "spec" in document:
                    document["spec"]["connectorId"] = "of the server"
                return store(kind, ref, document)

            scene.api._store = dropping  # type: ignore[method-assign]
            scene.api.put({"kind": "Connection", "metadata": naming.connection_ref(PAIR)._asdict(), "spec": {}})
            await asyncio.sleep(SOON)
            applied = [path for verb, path in scene.api.writes() if "connections" in path]
            await asyncio.sleep(5 * WINDOW)
            assert [path for verb, path in scene.api.writes() if "connections" in path] == applied

    run(scenario())
