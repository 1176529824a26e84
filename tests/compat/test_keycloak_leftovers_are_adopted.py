"""A user of the proof of concept, which EnMasse cannot read, becomes one that it can, where that is allowed."""

from __future__ import annotations

import re

import pytest

from integration_operator.backends.keycloak.access import KeycloakAccess
from integration_operator.backends.keycloak.client import KeycloakUsers
from integration_operator.backends.keycloak.errors import KeycloakUnavailable
from integration_operator_sandbox.platforms.keycloak import Keycloak
from tests.support.front import Front
from tests.support.keycloak_fixtures import ATTRIBUTES, PROOF_OF_CONCEPT, key_of, wanted


async def test_a_leftover_gets_the_attributes_the_password_and_the_groups(
    keycloak: Keycloak, users: KeycloakUsers, realm: str
) -> None:
    user = wanted(realm, username=PROOF_OF_CONCEPT)
    old = keycloak.make_user(
        realm, user.username, "of-the-leftover", attributes={"department": ["sales"]}, email="queue@example.com"
    )
    made = await users.ensure(user, password_known=True)
    assert (made.id, made.created) == (old, False)
    found = keycloak.user(realm, user.username)
    assert set(found["attributes"]) == {*ATTRIBUTES, "department"}
    assert found["email"] == "queue@example.com", "what the user has besides is kept"
    assert keycloak.can_log_in(realm, user.username, user.password)
    assert keycloak.groups_of(realm, user.username) == {"send_*", "recv_*"}
    assert await users.remove(key_of(user))


async def test_an_adoption_that_broke_off_still_sets_the_password(keycloak: Keycloak, realm: str) -> None:
    user = wanted(realm, username=PROOF_OF_CONCEPT)
    keycloak.make_user(realm, user.username, "of-the-leftover")
    async with Front(keycloak.url) as front:
        through = KeycloakUsers(KeycloakAccess(front.url, keycloak.admin_username, keycloak.admin_password))
        front.lie("PUT", r".*/reset-password", status=503)
        with pytest.raises(KeycloakUnavailable):
            await through.ensure(user, password_known=True)
        await through.ensure(user, password_known=True)
        await through.aclose()
    assert keycloak.can_log_in(realm, user.username, user.password)


async def test_the_time_of_creation_is_the_users_own(keycloak: Keycloak, users: KeycloakUsers, realm: str) -> None:
    user = wanted(realm, username=PROOF_OF_CONCEPT)
    keycloak.make_user(realm, user.username)
    await users.ensure(user, password_known=False)
    found = keycloak.user(realm, user.username)
    (written,) = found["attributes"]["creationTimestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", written)
    assert written.endswith(f".{found['createdTimestamp'] % 1000:03d}Z")


@pytest.mark.parametrize("lost", ["authenticationType", "creationTimestamp"])
async def test_an_attribute_that_ours_has_lost_is_repaired(
    keycloak: Keycloak, users: KeycloakUsers, realm: str, lost: str
) -> None:
    user = wanted(realm)
    made = await users.ensure(user, password_known=False)
    found = keycloak.user(realm, user.username)
    del found["attributes"][lost]
    keycloak.admin("PUT", f"/{realm}/users/{made.id}", found)
    assert (await users.ensure(user, password_known=True)).written == ("attributes",)
    assert set(keycloak.user(realm, user.username)["attributes"]) == ATTRIBUTES
    assert keycloak.can_log_in(realm, user.username, user.password)
