"""What is delivered over REST is delivered, verified and deleted through every failure of its server."""

from __future__ import annotations

import asyncio

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.checks import Check
from integration_operator.runtime.errors import Failure
from tests.support.documents import condition, reason
from tests.support.operated import BOTH_OVER_REST, GIVE_UP, INTEGRATION, PAIR, SOON, both, enabled, operated
from tests.support.virtual_time import run


def test_two_over_rest_are_delivered_and_taken_down() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene, delivery=BOTH_OVER_REST)
            assert scene.kinds() == ["Secret"]
            assert (scene.keycloak.there, scene.syndesis.there) == ({naming.usernames(PAIR)[0]},) * 2
            assert (scene.keycloak.asked, scene.syndesis.asked) == (["ensure"], ["ensure", "verify"])
            assert condition(scene.integration(), "ConnectionVerified")["status"] == "True"
            assert scene.integration()["metadata"]["finalizers"] == [names.REST_STATE_FINALIZER]
            scene.api.remove("Integration", INTEGRATION)
            await asyncio.sleep(SOON)
            assert (scene.keycloak.there, scene.syndesis.there) == (set(), set())
            assert "finalizers" not in scene.integration()["metadata"], "it is offered again"
            assert reason(scene.integration()) == "NotEnabled"
            assert scene.kinds() == []

    run(scenario())


def test_a_connection_that_does_not_work_is_verified_once_a_period_until_it_does() -> None:
    async def scenario() -> None:
        async with operated(*both(), verification=600.0) as scene:
            scene.syndesis.verification = Check.failure("VerificationFailed", "no such host")
            await enabled(scene, delivery=BOTH_OVER_REST)
            failed = condition(scene.integration(), "ConnectionVerified")
            assert (failed["status"], failed["message"]) == ("False", "no such host")
            scene.syndesis.asked.clear()
            await asyncio.sleep(4 * 700)
            assert set(scene.syndesis.asked) == {"verify"}
            assert 2 <= len(scene.syndesis.asked) <= 4
            scene.syndesis.verification = Check.success("Verified", "it works")
            await asyncio.sleep(2 * 700)
            assert condition(scene.integration(), "ConnectionVerified")["status"] == "True"
            scene.syndesis.asked.clear()
            scene.keycloak.asked.clear()
            await asyncio.sleep(4 * 700)
            assert set(scene.syndesis.asked) == {"ensure"}, "it is read, and not verified again"
            assert set(scene.keycloak.asked) == {"ensure"}
            assert 3 <= len(scene.syndesis.asked) + len(scene.keycloak.asked) <= 6

    run(scenario())


def test_a_secret_that_is_being_deleted_is_waited_for_and_then_restored() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            ref = naming.secret_ref(PAIR)
            before = scene.api.find("Secret", ref)
            assert before is not None
            secret = {"kind": "Secret", "metadata": {**ref._asdict(), "finalizers": ["of/another"]}}
            scene.api.put(secret)
            scene.api.remove("Secret", ref)
            await asyncio.sleep(SOON)
            waits = condition(scene.integration(), "CredentialsReady")
            assert waits["reason"] == "Waiting"
            assert waits["message"] == f"Secret {ref} is being deleted"
            assert scene.kinds() == ["Connection", "MessagingUser", "Secret"]
            scene.api.put({"kind": "Secret", "metadata": {**ref._asdict(), "finalizers": None}})
            await asyncio.sleep(SOON)
            after = scene.api.find("Secret", ref)
            assert after is not None
            assert after["data"] == before["data"], "the user keeps its password"
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_state_over_rest_is_deleted_even_if_a_tenant_removes_the_finalizer() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene, delivery=BOTH_OVER_REST)
            scene.keycloak.failure = scene.syndesis.failure = Failure("Down", "no answer")
            scene.api.remove("Integration", INTEGRATION)
            await asyncio.sleep(SOON)
            metadata = {**INTEGRATION._asdict(), "finalizers": None}
            scene.api.put({"kind": "Integration", "metadata": metadata})
            await asyncio.sleep(SOON)
            assert scene.api.all("Integration") == []
            scene.keycloak.failure = scene.syndesis.failure = None
            await asyncio.sleep(300)
            assert (scene.keycloak.there, scene.syndesis.there) == (set(), set())
            asked = len(scene.keycloak.asked) + len(scene.syndesis.asked)
            await asyncio.sleep(5 * 600)
            assert len(scene.keycloak.asked) + len(scene.syndesis.asked) == asked, "then it is forgotten"

    run(scenario())


def test_a_server_that_never_answers_is_given_up_and_what_stays_there_is_named() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene, delivery=BOTH_OVER_REST)
            scene.syndesis.failure = Failure("Down", "no answer")
            scene.api.remove("Integration", INTEGRATION)
            await asyncio.sleep(GIVE_UP - SOON)
            assert scene.keycloak.there == set(), "the login is closed at once"
            assert reason(scene.integration()) == "IntegrationDeleting"
            assert ("Warning", "LeftBehind") not in scene.events()
            await asyncio.sleep(600)
            assert reason(scene.integration()) == "NotEnabled", "it is gone, and offered again"
            (left,) = (event for event in scene.api.all("Event") if event["reason"] == "LeftBehind")
            assert left["type"] == "Warning"
            assert "stays in Syndesis" in left["message"]
            assert str(naming.connection_ref(PAIR)) in left["message"]
            assert left["involvedObject"]["name"] == INTEGRATION.name

    run(scenario())


def test_a_server_that_recovers_gets_what_waited_for_it() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            scene.syndesis.failure = Failure("Down", "no answer", retry_after=280.0)
            scene.specify(enabled=True, delivery=BOTH_OVER_REST)
            await asyncio.sleep(SOON)
            failed = condition(scene.integration(), "ConnectionReady")
            assert failed["reason"] == "Down"
            asked = len(scene.syndesis.asked)
            scene.syndesis.failure = None
            await asyncio.sleep(SOON)
            assert len(scene.syndesis.asked) == asked
            scene.keycloak.recovered(None)
            await asyncio.sleep(SOON)
            assert len(scene.syndesis.asked) == asked, "it was another server"
            scene.syndesis.recovered("shop")
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "Ready"

    run(scenario())
