"""A user of the wanted name that is not ours is neither written to nor removed."""

from __future__ import annotations

from typing import Any

import pytest
from keycloak_fixture import key_of, wanted

from integration_operator.delivery.keycloak.client import KeycloakUsers
from integration_operator.delivery.keycloak.errors import UserForeign
from integration_operator.localcluster.keycloak import Keycloak

OURS = {
    "resourceName": ["myspace.connection-7d4f"],
    "resourceNamespace": ["team-a"],
    "authenticationType": ["password"],
    "creationTimestamp": ["2019-06-03T10:00:00.000Z"],
}


@pytest.mark.parametrize(
    ("attributes", "adopt"),
    [
        ({}, False),
        ({"department": ["sales"]}, False),
        (OURS | {"resourceName": ["myspace.another"]}, True),
        (OURS | {"resourceNamespace": ["team-b"]}, True),
        (OURS | {"authenticationType": ["serviceaccount"]}, True),
        ({"resourceName": OURS["resourceName"]}, True),
        ({"resourceNamespace": OURS["resourceNamespace"]}, True),
        ({"fromCrd": ["true"]}, True),
        ({"creationTimestamp": OURS["creationTimestamp"]}, True),
    ],
)
async def test_a_stranger(
    keycloak: Keycloak, users: KeycloakUsers, realm: str, attributes: dict[str, Any], adopt: bool
) -> None:
    user = wanted(realm, adopt=adopt)
    keycloak.make_user(realm, user.username, "of-the-stranger", attributes=attributes)
    before = keycloak.user(realm, user.username)
    with pytest.raises(UserForeign) as caught:
        await users.ensure(user, password_known=False)
    assert caught.value.stalls
    assert not await users.remove(key_of(user))
    assert keycloak.user(realm, user.username) == before
    assert keycloak.groups_of(realm, user.username) == set()
    assert keycloak.can_log_in(realm, user.username, "of-the-stranger")


async def test_a_leftover_is_not_removed_before_it_was_adopted(
    keycloak: Keycloak, users: KeycloakUsers, realm: str
) -> None:
    user = wanted(realm, adopt=True)
    keycloak.make_user(realm, user.username, "of-the-leftover")
    assert not await users.remove(key_of(user))
    assert keycloak.can_log_in(realm, user.username, "of-the-leftover")
