"""State over REST is checked once a period, one side at a time; after a start the status is what is known."""

from __future__ import annotations

from typing import Any

from integration_operator.api import names
from integration_operator.domain.credentials import Credential
from integration_operator.domain.integration import Integration
from integration_operator.domain.remote import Remote, credentials_hash
from integration_operator.engine.register import RemoteRegister
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
    return Integration.of(document)


def register(clock: Clock) -> RemoteRegister:
    return RemoteRegister(PERIOD, clock, jitter=lambda: 0.5)


def due(register: RemoteRegister, integration: Integration) -> tuple[bool, bool]:
    state = register.of(integration)
    return state.user.due, state.connection.due


def test_the_status_is_what_is_known_after_a_start() -> None:
    state = register(Clock()).of(known({"delivered": NOTED}))
    assert state.connection == Remote("rest", True, "enm-1", "b", "c")
    assert state.user.delivery == "keycloak"


def test_without_a_status_the_finalizer_says_that_something_may_be_there() -> None:
    state = register(Clock()).of(known())
    assert (state.user.exists, state.connection.exists) == (None, None)
    assert register(Clock()).of(known(finalizer=False)).nothing


def test_what_the_proof_of_concept_left_is_there_and_not_confirmed() -> None:
    state = register(Clock()).of(known({"metaData": {"connectionID": "i-old"}}, finalizer=False))
    assert (state.connection.exists, state.connection.id, state.connection.applied) == (True, "i-old", "")


def test_one_side_a_period() -> None:
    clock = Clock()
    looking, pair = register(clock), known({"delivered": NOTED})
    assert due(looking, pair) == (False, False)
    sides = []
    for _ in range(4):
        clock.now += looking.seconds_to_look(pair)
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
    assert looking.seconds_to_look(pair) == PERIOD
    assert due(looking, pair) == (False, True), "it is due all the same, should anything else bring it about"


def test_after_a_failure_nothing_is_confirmed_and_something_may_be_there() -> None:
    looking, pair = register(Clock()), known(finalizer=False)
    looking.begin(pair)
    assert looking.of(pair).nothing
    looking.doubt(pair, "MessagingUser", "keycloak", "u")
    assert looking.of(pair).user == Remote("keycloak", None, "u")
    looking.note(pair, "MessagingUser", Remote("keycloak", True, "u", "a", "c"))
    looking.doubt(pair, "MessagingUser", "keycloak", "u")
    assert looking.of(pair).user == Remote("keycloak", True, "u")
    looking.note(pair, "Connection", Remote("rest", True, "enm-1", "b", "c"))
    looking.doubt(pair, "Connection", "rest", "u")
    assert looking.of(pair).connection == Remote("rest", True, "enm-1", "", "c")
    assert looking.seconds_to_look(pair) > 0


def test_a_hash_tells_credentials_apart_and_nothing_else() -> None:
    same = credentials_hash(Credential("u", "p"), "salt")
    assert same == credentials_hash(Credential("u", "p"), "salt")
    others = [("u", "q", "salt"), ("v", "p", "salt"), ("u", "p", "pepper")]
    hashes = {credentials_hash(Credential(user, password), salt) for user, password, salt in others}
    assert len(hashes | {same}) == 4
