"""A user of the wanted name that was not made for this pair is neither written to nor removed."""

from __future__ import annotations

from typing import Any

import pytest

from integration_operator.backends.keycloak.client import KeycloakUsers
from integration_operator.backends.keycloak.errors import UserForeign
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.policies.ownership import KEYCLOAK_MARK, keycloak_mark
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.keycloak import Keycloak
from tests.support.keycloak_fixtures import NAMESPACE, PAIR, PROOF_OF_CONCEPT, key_of, wanted

GENERATED, CHOSEN = naming.username(PAIR), "boss"


def attributes_of(username: str, **changed: str | None) -> dict[str, list[str]]:
    """Return what EnMasse writes on a user, with some of it changed or lost."""
    known = {
        "resourceName": f"myspace.{username}",
        "resourceNamespace": NAMESPACE,
        "authenticationType": "password",
        "creationTimestamp": "2019-06-03T10:00:00.000Z",
        **changed,
    }
    return {key: [value] for key, value in known.items() if value is not None}


LOST: dict[str, str | None] = dict.fromkeys(
    ("resourceName", "resourceNamespace", "authenticationType", "creationTimestamp")
)
OTHER_PAIR = keycloak_mark(Pair(PAIR.space, Ref("other", "syndesis")))


@pytest.mark.parametrize(
    ("username", "attributes"),
    [
        (GENERATED, {}),
        (GENERATED, {"department": ["sales"]}),
        (GENERATED, attributes_of(GENERATED, resourceName="myspace.another")),
        (GENERATED, attributes_of(GENERATED, resourceNamespace="team-b")),
        (GENERATED, attributes_of(GENERATED, authenticationType="serviceaccount")),
        (GENERATED, attributes_of(GENERATED, **{**LOST, "resourceName": f"myspace.{GENERATED}"})),
        (GENERATED, attributes_of(GENERATED, **{**LOST, "resourceNamespace": NAMESPACE})),
        (GENERATED, attributes_of(GENERATED, **{**LOST, "fromCrd": "true"})),
        (GENERATED, attributes_of(GENERATED, **{KEYCLOAK_MARK: OTHER_PAIR})),
        (CHOSEN, attributes_of(CHOSEN)),
        (CHOSEN, attributes_of(CHOSEN, fromCrd="true")),
        (CHOSEN, attributes_of(CHOSEN, **{KEYCLOAK_MARK: OTHER_PAIR})),
        (CHOSEN, {KEYCLOAK_MARK: [keycloak_mark(PAIR)]}),
        (PROOF_OF_CONCEPT, attributes_of(PROOF_OF_CONCEPT)),
        (PROOF_OF_CONCEPT, {KEYCLOAK_MARK: [OTHER_PAIR]}),
    ],
)
async def test_a_foreign_user(
    keycloak: Keycloak, users: KeycloakUsers, realm: str, username: str, attributes: dict[str, Any]
) -> None:
    user = wanted(realm, username=username)
    keycloak.make_user(realm, user.username, "of-somebody-else", attributes=attributes)
    before = keycloak.user(realm, user.username)
    with pytest.raises(UserForeign) as caught:
        await users.ensure(user, password_known=False)
    assert caught.value.stalls
    assert caught.value.reason == "NameTaken"
    assert not await users.remove(key_of(user))
    assert keycloak.user(realm, user.username) == before
    assert keycloak.groups_of(realm, user.username) == set()
    assert keycloak.can_log_in(realm, user.username, "of-somebody-else")


async def test_a_chosen_name_that_was_made_for_this_pair_is_found_again(
    keycloak: Keycloak, users: KeycloakUsers, realm: str
) -> None:
    user = wanted(realm, username=CHOSEN)
    assert (await users.ensure(user, password_known=False)).created
    assert (await users.ensure(user, password_known=True)).written == ()
    assert await users.remove(key_of(user))
    assert keycloak.users(realm) == []


async def test_a_leftover_is_not_removed_before_it_was_adopted(
    keycloak: Keycloak, users: KeycloakUsers, realm: str
) -> None:
    user = wanted(realm, username=PROOF_OF_CONCEPT)
    keycloak.make_user(realm, user.username, "of-the-leftover")
    assert not await users.remove(key_of(user))
    assert keycloak.can_log_in(realm, user.username, "of-the-leftover")
