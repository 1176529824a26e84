"""A login keeps its user name, wherever the name is still to be seen; what a tenant may write is no name of a login."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.credential import encode
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.remote_state import Presence, RemoteSides, RemoteState
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.domain.policies.login import (
    generated_username,
    inherited_username,
    provided_secret_ref,
    provided_username,
    uses_inherited,
)
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref
from tests.support.builders import integration

PAIR = Pair(Ref("shop", "orders"), Ref("fuse", "syndesis"))
FIRST, SECOND = naming.usernames(PAIR)
POC = "enmasse-orders-to-fuse"


def secret(username: str, password: str = "p", **metadata: Any) -> LiveObject:
    data = {names.USERNAME_KEY: encode(username), names.PASSWORD_KEY: encode(password)}
    document = {"metadata": {"namespace": "fuse", "name": "s", "uid": "1", **metadata}, "data": data}
    return LiveObject.of(document, names.FIELD_MANAGER)


def over_rest(*usernames: str, delivery: Any = "keycloak") -> RemoteSides:
    first, second = [*(RemoteState(delivery, Presence.PRESENT, id=name) for name in usernames), RemoteState()][:2]
    return RemoteSides(first, second_user=second)


@dataclass
class Known:
    """What shows the name of a login."""

    remote: RemoteSides = field(default_factory=RemoteSides)
    secret: LiveObject | None = None
    inherited: str | None = None
    existing: tuple[str, ...] = ()
    noted: str | None = None

    def username(self) -> str:
        return generated_username(
            PAIR,
            remote=self.remote,
            secret=self.secret,
            inherited=self.inherited,
            existing=self.existing,
            noted=self.noted,
        )


CASES: dict[str, tuple[Known, str]] = {
    "nothing is known": (Known(), FIRST),
    "the Secret says it": (Known(secret=secret(SECOND)), SECOND),
    "the Secret names a user of somebody else": (Known(secret=secret("boss")), FIRST),
    "the Secret is being deleted": (Known(secret=secret(SECOND, deletionTimestamp="now")), FIRST),
    "a MessagingUser is left": (Known(existing=(SECOND,)), SECOND),
    "both are left, and the status names one": (Known(existing=(FIRST, SECOND), noted=SECOND), SECOND),
    "the status names one that is not left": (Known(existing=(FIRST,), noted=SECOND), FIRST),
    "the status names a user of somebody else": (Known(noted="boss"), FIRST),
    "the Secret goes before a MessagingUser": (Known(secret=secret(FIRST), existing=(SECOND,)), FIRST),
    "it is in Keycloak": (Known(over_rest(SECOND)), SECOND),
    "the Secret goes before what the status has noted": (Known(over_rest(SECOND), secret(FIRST)), FIRST),
    "the one of the Secret is in Keycloak, too": (Known(over_rest(SECOND, FIRST), secret(FIRST)), FIRST),
    "another API shows only names": (Known(over_rest(SECOND, delivery="aggregated")), FIRST),
    "somebody else's user is in Keycloak": (Known(over_rest("boss")), FIRST),
    "it is inherited": (Known(inherited=POC, existing=(SECOND,)), POC),
    "it was inherited, and has a name of its own now": (Known(inherited=POC, secret=secret(SECOND)), SECOND),
}


@pytest.mark.parametrize(("known", "username"), CASES.values(), ids=CASES.keys())
def test_of_a_login_that_the_operator_created(known: Known, username: str) -> None:
    assert known.username() == username


def written(name: str = POC, status: Any = None, **spec: Any) -> Integration:
    return parse_integration({**integration("fuse", name, **spec), "status": status or {}})


NOTED = {"delivered": {"user": {"username": POC}}}


@pytest.mark.parametrize(
    ("found", "held", "settings", "used"),
    [
        (written(), None, "auto", False),
        (written(), None, "native", False),
        (written(), None, "keycloak", True),
        (written(delivery={"user": "auto"}), None, "keycloak", True),
        (written(delivery={"user": "keycloak"}), None, "native", True),
        (written(delivery={"user": "native"}), None, "keycloak", False),
        (written(delivery={"connection": "rest"}), None, "keycloak", True),
        (written(), secret(FIRST), "keycloak", False),
        (written(), secret(POC), "native", True),
        (written(status=NOTED), None, "native", True),
        (None, None, "keycloak", False),
    ],
)
def test_a_login_of_the_proof_of_concept_is_used_where_keycloak_shows_it_or_once_it_was(
    found: Integration | None, held: LiveObject | None, settings: str, used: bool
) -> None:
    assert uses_inherited(POC, found, held, PlanSettings(user_delivery=settings)) is used
    assert not uses_inherited(None, found, held, PlanSettings(user_delivery=settings))


def test_one_integration_of_a_name_inherits_the_login() -> None:
    """The name identifies only the AddressSpace; another receiver has none of it."""
    older, younger = written(), parse_integration(integration("elsewhere", POC))
    assert inherited_username(PAIR, older, []) == POC
    younger.live.document["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    assert inherited_username(PAIR, older, [younger]) == POC
    assert inherited_username(PAIR, younger, [older]) is None
    assert inherited_username(PAIR, written("mine"), []) is None
    assert inherited_username(PAIR, written("enmasse-returns-to-fuse"), []) is None
    assert inherited_username(PAIR, None, []) is None


def test_the_secret_of_a_user_and_the_keys_in_it() -> None:
    own = written(credentialsSecretRef={"name": "own"})
    assert provided_secret_ref(own) == Ref("fuse", "own")
    assert provided_secret_ref(written()) is None
    assert provided_secret_ref(None) is None
    assert provided_username(own, secret("alice")) == "alice"
    assert provided_username(own, None) is None
    assert provided_username(written(), secret("alice")) is None
    other_keys = written(credentialsSecretRef={"name": "own", "usernameKey": "u"})
    assert provided_username(other_keys, secret("alice")) is None
    found = secret("alice")
    found.document["data"]["u"] = encode("bob")
    assert provided_username(other_keys, found) == "bob"
