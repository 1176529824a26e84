"""State over REST is checked once a period, one side at a time; after a start the status is what is known."""

from __future__ import annotations

from typing import Any

from integration_operator.api import names
from integration_operator.controllers.integration.remote_state import RemoteStateStore
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.remote_state import Presence, RemoteState, credentials_hash
from integration_operator.domain.policies.integrations import parse_integration
from tests.support.builders import integration
from tests.support.clocks import Clock

PERIOD = 600.0
NOTED = {
    "user": {"delivery": "keycloak", "username": "u", "appliedHash": "a", "credentialsHash": "c"},
    "connection": {"delivery": "rest", "id": "enm-1", "appliedHash": "b", "credentialsHash": "c"},
}


def known(status: dict[str, Any] | None = None, *, finalizer: bool = True) -> Integration:
    document = {**integration(), "status": status or {}}
    document["metadata"] = {**document["metadata"], "uid": "1"}
    if finalizer:
        document["metadata"]["finalizers"] = [names.REST_STATE_FINALIZER]
    return parse_integration(document)


def register(clock: Clock) -> RemoteStateStore:
    return RemoteStateStore(PERIOD, clock, jitter=lambda: 0.5)


def due(register: RemoteStateStore, integration: Integration) -> tuple[bool, bool]:
    state = register.of(integration)
    return state.user.due, state.connection.due


def test_the_status_is_what_is_known_after_a_start() -> None:
    state = register(Clock()).of(known({"delivered": NOTED}))
    assert state.connection == RemoteState("rest", Presence.PRESENT, "enm-1", "b", "c")
    assert state.user.delivery == "keycloak"


def test_without_a_status_the_finalizer_says_that_something_may_be_there() -> None:
    state = register(Clock()).of(known())
    assert (state.user.presence, state.connection.presence) == (Presence.UNKNOWN, Presence.UNKNOWN)
    assert register(Clock()).of(known(finalizer=False)).absent


def test_what_the_proof_of_concept_left_is_there_and_not_confirmed() -> None:
    state = register(Clock()).of(known({"metaData": {"connectionID": "i-old"}}, finalizer=False))
    assert (state.connection.present, state.connection.id, state.connection.applied) == (True, "i-old", "")


def test_one_side_a_period() -> None:
    clock = Clock()
    looking, pair = register(clock), known({"delivered": NOTED})
    assert due(looking, pair) == (False, False)
    sides = []
    for _ in range(4):
        clock.now += looking.seconds_until_due(pair)
        user, connection = due(looking, pair)
        assert user != connection, "one side at a time"
        sides.append("user" if user else "connection")
        side = looking.of(pair)
        looking.note(pair, "MessagingUser" if user else "Connection", side.user if user else side.connection)
        assert due(looking, pair) == (False, False)
    assert sides == ["connection", "user"] * 2
    assert clock.now >= 3 * PERIOD * 0.9


def test_what_is_not_looked_at_in_its_time_waits_for_another_period() -> None:
    clock = Clock()
    looking, pair = register(clock), known({"delivered": NOTED})
    looking.of(pair)
    clock.now += 2 * PERIOD
    assert looking.seconds_until_due(pair) == PERIOD
    assert due(looking, pair) == (False, True), "it is due all the same, should anything else bring it about"


def test_after_a_failure_nothing_is_confirmed_and_something_may_be_there() -> None:
    looking, pair = register(Clock()), known(finalizer=False)
    looking.begin(pair)
    assert looking.of(pair).absent
    looking.doubt(pair, "MessagingUser", "keycloak", "u")
    assert looking.of(pair).user == RemoteState("keycloak", Presence.UNKNOWN, "u")
    looking.note(pair, "MessagingUser", RemoteState("keycloak", Presence.PRESENT, "u", "a", "c"))
    looking.doubt(pair, "MessagingUser", "keycloak", "u")
    assert looking.of(pair).user == RemoteState("keycloak", Presence.PRESENT, "u")
    looking.note(pair, "Connection", RemoteState("rest", Presence.PRESENT, "enm-1", "b", "c"))
    looking.doubt(pair, "Connection", "rest", "u")
    assert looking.of(pair).connection == RemoteState("rest", Presence.PRESENT, "enm-1", "", "c")
    assert looking.seconds_until_due(pair) > 0


def test_a_hash_tells_credentials_apart_and_nothing_else() -> None:
    same = credentials_hash(Credential("u", "p"), "salt")
    assert same == credentials_hash(Credential("u", "p"), "salt")
    others = [("u", "q", "salt"), ("v", "p", "salt"), ("u", "p", "pepper")]
    hashes = {credentials_hash(Credential(user, password), salt) for user, password, salt in others}
    assert len(hashes | {same}) == 4


def test_a_user_whose_name_is_unknown_may_be_any_and_one_whose_name_is_known_is_no_other() -> None:
    unknown = register(Clock()).of(known())
    assert unknown.user_named("u").presence is Presence.UNKNOWN
    named = register(Clock()).of(known({"delivered": NOTED}))
    assert named.user_named("u").present
    assert named.user_named("v").absent


def test_the_verification_in_the_status_is_that_of_the_connection() -> None:
    conditions = [
        {"type": "Ready", "status": "True", "reason": "Ready", "message": "ready"},
        {"type": "ConnectionVerified", "status": "False", "reason": "VerificationFailed", "message": "no such host"},
    ]
    state = register(Clock()).of(known({"delivered": NOTED, "conditions": conditions}))
    assert state.connection.verified == Check.failure("VerificationFailed", "no such host")
    assert state.user.verified is None


def test_a_successor_inherits_what_is_known_unless_it_has_state_of_its_own() -> None:
    looking, old = register(Clock()), known({"delivered": NOTED})
    looking.of(old)
    for status, noted in (({}, "enm-1"), ({"delivered": {"connection": {"delivery": "rest", "id": "own"}}}, "own")):
        document = {**integration(), "status": status}
        document["metadata"] = {**document["metadata"], "uid": f"successor {noted}"}
        successor = parse_integration(document)
        looking.inherit(old, successor)
        assert looking.of(successor).connection.id == noted


def test_a_read_that_is_nearly_due_waits_for_a_second_at_least() -> None:
    clock = Clock()
    looking, pair = register(clock), known({"delivered": NOTED})
    looking.of(pair)
    wait = looking.seconds_until_due(pair)
    clock.now += wait - 0.5
    assert looking.seconds_until_due(pair) == 1.0
    clock.now += 0.5
    assert looking.seconds_until_due(pair) == PERIOD


def test_two_users_are_kept_apart_by_their_names() -> None:
    looking, pair = register(Clock()), known({"delivered": NOTED})
    looking.note(pair, "MessagingUser", RemoteState("keycloak", Presence.PRESENT), username="v")
    sides = looking.of(pair)
    assert (sides.user.id, sides.second_user.id) == ("u", "v")
    looking.note(pair, "MessagingUser", RemoteState("keycloak", Presence.PRESENT, applied="new"), username="u")
    assert looking.of(pair).user_named("u").applied == "new"
    assert looking.of(pair).user_named("v").present
    looking.note(pair, "MessagingUser", RemoteState(), username="u")
    assert (looking.of(pair).user_named("u").present, looking.of(pair).user_named("v").present) == (False, True)
