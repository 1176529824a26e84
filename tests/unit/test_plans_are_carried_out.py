"""The controller carries out what plans say: it reacts to each change, reports once, and repairs within bounds.

It runs in virtual time, against an API server in memory and servers that answer over REST as a test decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from integration_operator import metrics
from integration_operator.api import names
from integration_operator.cache import Cache
from integration_operator.controllers.integration.controller import IntegrationController, Options
from integration_operator.controllers.integration.guards import REPAIRS, WINDOW
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import DeleteRemote, EnsureRemote
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.remote_state import Presence, RemoteState
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.conditions import Event
from integration_operator.runtime.errors import Conflict, Failure, Forbidden, Unavailable
from integration_operator.runtime.ref import Ref
from tests.support import builders
from tests.support.api_server import ApiServer
from tests.support.documents import Document, condition, reason
from tests.support.virtual_time import run

PAIR = Pair(Ref("shop", "orders"), Ref("shop", "syndesis"))
INTEGRATION = Ref("shop", naming.integration_name(PAIR))
TEMPLATES = TemplateFiles()
SOON = 3.0
"""Seconds in which the controller has done what nothing prevents."""
RESYNC = 100_000.0
GIVE_UP = 3600.0
ENABLE_NEW = PlanSettings(rules=("same-namespace", "allowed-namespaces"), enable_new=True)
BOTH_OVER_REST = {"user": "keycloak", "connection": "rest"}


@dataclass
class OverRest:
    """A delivery over REST; ``there`` has the user names of what exists, ``failure`` is what it answers."""

    delivery: Any
    there: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    failure: Failure | None = None
    verification: Check = field(default_factory=lambda: Check.success("Verified", "it works"))
    recovered: Callable[[str | None], None] = lambda namespace: None

    async def ensure(self, action: EnsureRemote) -> RemoteState:
        self._ask("verify" if action.verify else "ensure")
        self.there.add(action.username)
        return RemoteState(
            self.delivery,
            Presence.PRESENT,
            action.username if action.kind == "MessagingUser" else "i-1",
            action.applied,
            action.credentials,
            verified=self.verification if action.verify else action.remote.verified,
        )

    async def delete(self, action: DeleteRemote) -> Event | None:
        self._ask("delete")
        self.there.clear()
        return None

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.failure is not None:
            raise self.failure

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        self.recovered = callback

    async def close(self) -> None:
        pass


@dataclass
class Scene:
    """A cluster in memory, and the operator in it."""

    api: ApiServer
    controller: IntegrationController
    keycloak: OverRest
    syndesis: OverRest

    def integration(self, ref: Ref = INTEGRATION) -> Document:
        """Return an Integration."""
        found = self.api.find("Integration", ref)
        assert found is not None
        return found

    def specify(self, ref: Ref = INTEGRATION, **spec: Any) -> None:
        """Change the spec of an Integration, as a user does."""
        self.api.put({"kind": "Integration", "metadata": {"namespace": ref.namespace, "name": ref.name}, "spec": spec})

    def kinds(self) -> list[str]:
        """Return the kinds of what the operator created beside the Integration."""
        return sorted(d["kind"] for kind in ("Secret", "MessagingUser", "Connection") for d in self.api.all(kind))

    def events(self) -> list[tuple[str, str]]:
        """Return type and reason of the Events, in order."""
        return [(event["type"], event["reason"]) for event in self.api.all("Event")]


@asynccontextmanager
async def operated(
    *documents: Document, is_leading: bool = True, api: ApiServer | None = None, **options: Any
) -> AsyncIterator[Scene]:
    """Run the operator on these objects, and wait until it has done what it can."""
    api = api or ApiServer()
    for document in documents:
        api.put(document)
    loop = asyncio.get_running_loop()
    settings = replace(ENABLE_NEW, enable_new=False)
    keycloak, rest = OverRest("keycloak"), OverRest("rest")
    cache = Cache(cast(Any, api))
    controller = IntegrationController(
        cache,
        TEMPLATES,
        Options(**{"plan": settings, "resync": RESYNC, "give_up": GIVE_UP, "workers": 4, **options}),
        remote_backends={"keycloak": keycloak, "rest": rest},
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=loop.time()),
    )
    if not is_leading:
        controller.stand_by()
    tasks = [asyncio.create_task(cache.run()), asyncio.create_task(controller.run())]
    await asyncio.sleep(SOON)
    try:
        yield Scene(api, controller, keycloak, rest)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def both() -> tuple[Document, Document]:
    return builders.space(), builders.syndesis()


async def enabled(scene: Scene, **spec: Any) -> None:
    """Enable the pair, and wait until it is delivered."""
    scene.specify(enabled=True, **spec)
    await asyncio.sleep(SOON)
    assert reason(scene.integration()) == "Ready", scene.integration()["status"]


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


def test_a_finalizer_that_a_tenant_removes_frees_nobody_of_what_is_over_rest() -> None:
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


def test_an_offer_that_a_user_deletes_is_made_again_disabled() -> None:
    async def scenario() -> None:
        async with operated(*both(), plan=ENABLE_NEW) as scene:
            assert reason(scene.integration()) == "Ready"
            scene.api.remove("Integration", INTEGRATION)
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "NotEnabled"
            assert scene.kinds() == []
            scene.api.remove("Integration", INTEGRATION)
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "NotEnabled", "nothing is left that shows that it was delivered"

    run(scenario())


def test_an_offer_gives_way_to_an_integration_of_a_user_unless_it_is_delivered() -> None:
    async def scenario() -> None:
        mine = Ref("shop", "mine")
        for plan, used, others in ((replace(ENABLE_NEW, enable_new=False), mine, 0), (ENABLE_NEW, INTEGRATION, 1)):
            async with operated(*both(), plan=plan) as scene:
                written = builders.integration(enabled=True)
                written["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
                scene.api.put(written)
                await asyncio.sleep(SOON)
                assert reason(scene.integration(used)) == "Ready"
                reasons = [reason(integration) for integration in scene.api.all("Integration")]
                assert reasons.count("Duplicate") == len(reasons) - 1 == others

    run(scenario())


def test_an_offer_that_the_operator_withdrew_is_made_again_as_the_policy_says() -> None:
    async def scenario() -> None:
        async with operated(builders.syndesis("fuse"), plan=ENABLE_NEW) as scene:
            for allowed, there in (("fuse", 1), ("", 0), ("fuse", 1)):
                scene.api.put(builders.space(annotations={names.ALLOWED_NAMESPACES: allowed}))
                await asyncio.sleep(SOON)
                assert [reason(i) for i in scene.api.all("Integration")] == ["Ready"] * there

    run(scenario())


def test_an_integration_of_a_user_that_is_deleted_is_no_refusal_of_offers() -> None:
    async def scenario() -> None:
        async with operated(*both(), builders.integration(), plan=ENABLE_NEW) as scene:
            assert len(scene.api.all("Integration")) == 1
            scene.api.remove("Integration", Ref("shop", "mine"))
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_an_answer_makes_room_for_the_next_offer() -> None:
    async def scenario() -> None:
        async with operated(builders.syndesis("fuse"), max_offers=2) as scene:
            for number in range(4):
                allowed = {names.ALLOWED_NAMESPACES: "fuse"}
                scene.api.put(builders.space(name=f"orders-{number}", annotations=allowed))
            await asyncio.sleep(SOON)
            offers = scene.api.all("Integration")
            assert len(offers) == 2
            exhausted = [event for event in scene.api.all("Event") if event["reason"] == "OffersExhausted"]
            assert [event["involvedObject"]["kind"] for event in exhausted] == ["Syndesis"]
            scene.specify(Ref("fuse", offers[0]["metadata"]["name"]), enabled=False)
            await asyncio.sleep(SOON)
            assert len(scene.api.all("Integration")) == 3
            scene.api.put({"kind": "Integration", "metadata": {**offers[1]["metadata"], "labels": {"a": "b"}}})
            await asyncio.sleep(SOON)
            assert len(scene.api.all("Integration")) == 3, "a label is no answer"

    run(scenario())


def test_a_changed_authentication_service_concerns_the_spaces_that_use_it() -> None:
    async def scenario() -> None:
        service = {
            "kind": "AuthenticationService",
            "metadata": {"namespace": "enmasse-infra", "name": "standard"},
            "spec": {"type": "standard"},
        }
        async with operated(*both(), service) as scene:
            await enabled(scene)
            scene.api.put({**service, "spec": {"type": "none"}})
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "NoAuthenticationService"
            scene.api.put({**service, "spec": {"type": "standard"}})
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_a_namespace_that_was_deleted_and_is_back_is_served_again() -> None:
    async def scenario() -> None:
        namespace = {"kind": "Namespace", "metadata": {"name": "shop", "finalizers": ["kubernetes"]}}
        async with operated(namespace) as scene:
            scene.api.remove("Namespace", Ref("", "shop"))
            for document in both():
                scene.api.put(document)
            await asyncio.sleep(SOON)
            assert scene.api.all("Integration") == []
            scene.api.put({"kind": "Namespace", "metadata": {"name": "shop", "finalizers": None}})
            await asyncio.sleep(SOON)
            assert len(scene.api.all("Integration")) == 1

    run(scenario())


def synced(kind: str) -> float:
    return cast(float, metrics.KIND_SYNCED.labels(kind)._value.get())


def held(kind: str) -> float:
    return cast(float, metrics.HELD.labels(kind)._value.get())


def test_a_kind_that_fails_stops_everything_until_it_is_listed_again() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            assert synced("MessagingUser") == 1.0

            def refuse(verb: str, path: str) -> None:
                if path.endswith("messagingusers"):
                    raise Unavailable(500, "InternalError", "etcd is gone")

            scene.api.before = refuse
            refreshing = asyncio.create_task(scene.controller._cache.refresh())
            await asyncio.sleep(SOON)
            assert synced("MessagingUser") == 0.0
            assert synced("Secret") == 1.0
            scene.specify(enabled=True)
            await asyncio.sleep(60)
            assert scene.kinds() == []
            scene.api.before = lambda verb, path: None
            await asyncio.sleep(60)
            await refreshing
            assert synced("MessagingUser") == 1.0
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_pairs_are_taken_down_slowly_only_if_no_user_asked_for_it() -> None:
    async def scenario() -> None:
        allowed = {names.ALLOWED_NAMESPACES: "fuse"}
        spaces = [builders.space(name=f"orders-{number}", annotations=allowed) for number in range(3)]
        instance = builders.syndesis("fuse")
        async with operated(*spaces, instance, plan=ENABLE_NEW, teardowns_per_minute=1) as scene:
            assert scene.kinds().count("Connection") == 3
            offers = [Ref("fuse", offer["metadata"]["name"]) for offer in scene.api.all("Integration")]
            for wanted, there in ((False, 0), (True, 3)):
                for offer in offers:
                    scene.specify(offer, enabled=wanted)
                await asyncio.sleep(SOON)
                assert scene.kinds().count("Connection") == there
            for space in spaces:
                scene.api.remove("AddressSpace", Ref("shop", space["metadata"]["name"]))
            for left in (2, 1, 0):
                await asyncio.sleep(SOON)
                assert scene.kinds().count("Connection") == left
                said = sorted(reason(integration) for integration in scene.api.all("Integration"))
                assert said.count("TeardownPostponed") == left
                await asyncio.sleep(60)

    run(scenario())


def test_many_that_vanish_in_one_list_are_held_and_counted_until_they_are_back() -> None:
    async def scenario() -> None:
        spaces = [builders.space(name=f"orders-{number}") for number in range(20)]
        async with operated(*spaces, builders.syndesis()) as scene:
            before = len(scene.api.all("Integration"))
            assert before == 20
            kept = {key: document for key, document in scene.api.objects.items() if key[0] == "AddressSpace"}
            for key in kept:
                del scene.api.objects[key]
            await scene.controller._cache.refresh()
            await asyncio.sleep(60)
            assert len(scene.api.all("Integration")) == before
            assert (held("AddressSpace"), held("Syndesis")) == (20.0, 0.0)
            reasons = {reason(integration) for integration in scene.api.all("Integration")}
            assert reasons == {"MassDeletionHeld"}
            scene.api.objects |= kept
            await scene.controller._cache.refresh()
            await asyncio.sleep(SOON)
            assert held("AddressSpace") == 0.0
            assert {reason(integration) for integration in scene.api.all("Integration")} == {"NotEnabled"}

    run(scenario())


def test_a_syndesis_that_is_back_is_held_no_longer() -> None:
    async def scenario() -> None:
        syndesises = [builders.syndesis(f"fuse-{number}") for number in range(20)]
        spaces = [builders.space(f"fuse-{number}") for number in range(20)]
        async with operated(*spaces, *syndesises) as scene:
            kept = {key: document for key, document in scene.api.objects.items() if key[0] == "Syndesis"}
            for key in kept:
                del scene.api.objects[key]
            await scene.controller._cache.refresh()
            await asyncio.sleep(60)
            assert held("Syndesis") == 20.0
            scene.api.put(kept["Syndesis", Ref("fuse-3", "syndesis")])
            await asyncio.sleep(SOON)
            reasons = [reason(scene.integration(ref)) for kind, ref in scene.api.objects if kind == "Integration"]
            assert sorted(reasons) == ["MassDeletionHeld"] * 19 + ["NotEnabled"]

    run(scenario())


def test_a_process_that_stands_by_writes_nothing_until_it_leads() -> None:
    async def scenario() -> None:
        async with operated(*both(), is_leading=False) as scene:
            scene.api.put(builders.space(labels={"a": "b"}))
            await asyncio.sleep(SOON)
            assert scene.api.writes() == []
            await scene.controller.lead()
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "NotEnabled"
            assert await scene.controller.stop()
            scene.specify(enabled=True)
            await asyncio.sleep(SOON)
            assert scene.kinds() == []

    run(scenario())


def test_a_new_process_holds_what_vanished_before_it_began() -> None:
    async def scenario() -> None:
        spaces = [builders.space(name=f"orders-{number}") for number in range(20)]
        async with operated(*spaces, builders.syndesis()) as scene:
            api = scene.api
        for key in [key for key in api.objects if key[0] == "AddressSpace"]:
            del api.objects[key]
        async with operated(api=api) as scene:
            await asyncio.sleep(60)
            assert len(api.all("Integration")) == 20
            assert held("AddressSpace") == 20.0

    run(scenario())


def test_a_change_that_no_watch_delivered_is_caught_within_two_periods() -> None:
    async def scenario() -> None:
        async with operated(*both(), resync=600.0) as scene:
            await enabled(scene)
            cache = scene.controller._cache
            cache.connections._subscribers.clear()
            scene.api.remove("Connection", naming.connection_ref(PAIR))
            await asyncio.sleep(SOON)
            assert scene.kinds() == ["MessagingUser", "Secret"]
            await asyncio.sleep(2 * 600.0)
            assert scene.kinds() == ["Connection", "MessagingUser", "Secret"]

    run(scenario())
