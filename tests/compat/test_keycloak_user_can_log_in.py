"""What is made can be used: the user logs in with its password, and no longer once it is removed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from integration_operator.backends.keycloak.access import KeycloakAccess
from integration_operator.backends.keycloak.client import KeycloakUsers
from integration_operator.backends.keycloak.errors import (
    AttributesDropped,
    KeycloakRefused,
    KeycloakUnavailable,
    RealmMissing,
)
from integration_operator_sandbox.platforms.keycloak import Keycloak
from tests.support.front import Front
from tests.support.keycloak_fixtures import ATTRIBUTES, key_of, wanted


async def test_a_user_logs_in_until_it_is_removed(keycloak: Keycloak, users: KeycloakUsers, realm: str) -> None:
    user = wanted(realm)
    made = await users.ensure(user, password_known=False)
    assert made.created
    assert keycloak.can_log_in(realm, user.username, user.password)
    assert not keycloak.can_log_in(realm, user.username, "another")
    assert await users.remove(key_of(user))
    assert not keycloak.can_log_in(realm, user.username, user.password)
    assert keycloak.users(realm) == []
    assert not await users.remove(key_of(user)), "gone already is success, and nothing was removed"


async def test_it_carries_what_enmasse_reads_and_nothing_that_the_upgrade_passes_over(
    keycloak: Keycloak, users: KeycloakUsers, realm: str
) -> None:
    user = wanted(realm)
    await users.ensure(user, password_known=False)
    found = keycloak.user(realm, user.username)
    assert set(found["attributes"]) == ATTRIBUTES
    assert found["attributes"]["resourceName"] == [user.resource_name]
    assert found["attributes"]["resourceNamespace"] == [user.namespace]
    assert found["attributes"]["authenticationType"] == ["password"]
    assert "email" not in found


async def test_a_password_that_is_not_known_to_be_right_is_written_again(
    keycloak: Keycloak, users: KeycloakUsers, realm: str
) -> None:
    old = wanted(realm)
    await users.ensure(old, password_known=False)
    new = replace(old, password="the-next-password")
    assert (await users.ensure(new, password_known=False)).written == ("password",)
    assert keycloak.can_log_in(realm, new.username, new.password)
    assert not keycloak.can_log_in(realm, old.username, old.password)


async def test_one_that_somebody_deleted_is_made_again_with_its_password(
    keycloak: Keycloak, users: KeycloakUsers, realm: str
) -> None:
    user = wanted(realm)
    made = await users.ensure(user, password_known=False)
    keycloak.admin("DELETE", f"/{realm}/users/{made.id}")
    assert (await users.ensure(user, password_known=True)).created
    assert keycloak.can_log_in(realm, user.username, user.password)


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", r".*/users"),
        ("PUT", r".*/reset-password"),
        ("POST", r".*/groups"),
        ("PUT", r".*/groups/[^/]+"),
    ],
)
async def test_a_lost_answer_is_made_good_by_the_next_call(
    keycloak: Keycloak, realm: str, verb: str, path: str
) -> None:
    user = wanted(realm)
    async with Front(keycloak.url) as front:
        through = KeycloakUsers(KeycloakAccess(front.url, keycloak.admin_username, keycloak.admin_password))
        front.lie(verb, path, status=502, after=True)
        with pytest.raises(KeycloakUnavailable):
            await through.ensure(user, password_known=False)
        await through.ensure(user, password_known=True)  # a caller that is wrong about a user that was never finished
        await through.aclose()
    assert keycloak.can_log_in(realm, user.username, user.password)
    assert keycloak.groups_of(realm, user.username) == {"send_*", "recv_*"}
    assert len(keycloak.users(realm)) == 1


async def test_a_crash_right_after_it_was_made_leaves_no_user_without_password(keycloak: Keycloak, realm: str) -> None:
    """Whoever comes next may know the password from before, when there was another user of that name."""
    user = wanted(realm)
    async with Front(keycloak.url) as front:
        through = KeycloakUsers(KeycloakAccess(front.url, keycloak.admin_username, keycloak.admin_password))
        front.lie("POST", r".*/users", status=502, after=True)
        with pytest.raises(KeycloakUnavailable):
            await through.ensure(user, password_known=True)
        await through.aclose()
        after_the_crash = KeycloakUsers(KeycloakAccess(front.url, keycloak.admin_username, keycloak.admin_password))
        await after_the_crash.ensure(user, password_known=True)
        await after_the_crash.aclose()
    assert keycloak.can_log_in(realm, user.username, user.password)


async def test_a_lost_race_is_a_user_found(keycloak: Keycloak, realm: str) -> None:
    user = wanted(realm)
    async with Front(keycloak.url) as front:
        through = KeycloakUsers(KeycloakAccess(front.url, keycloak.admin_username, keycloak.admin_password))
        other = KeycloakUsers(KeycloakAccess(front.url, keycloak.admin_username, keycloak.admin_password))
        await other.ensure(replace(user, password="of-the-winner"), password_known=False)
        front.lie("GET", r".*/users", body="[]")  # it looked before the winner had written
        made = await through.ensure(user, password_known=True)
        await through.aclose()
        await other.aclose()
    assert made.written == ("user", "password")
    assert keycloak.can_log_in(realm, user.username, user.password)
    assert len(keycloak.users(realm)) == 1


async def test_a_realm_that_is_not_there_yet_is_waited_for(keycloak: Keycloak, users: KeycloakUsers) -> None:
    user = wanted("team-a-not-yet")
    with pytest.raises(RealmMissing) as caught:
        await users.ensure(user, password_known=False)
    assert not caught.value.stalls
    assert not await users.remove(key_of(user)), "no realm, no user"


async def test_a_realm_that_drops_attributes_is_left_without_a_user(
    keycloak: Keycloak, users: KeycloakUsers, realm: str
) -> None:
    profile = keycloak.admin("GET", f"/{realm}/users/profile")
    del profile["unmanagedAttributePolicy"]
    keycloak.admin("PUT", f"/{realm}/users/profile", profile)
    with pytest.raises(AttributesDropped):
        await users.ensure(wanted(realm), password_known=False)
    assert keycloak.users(realm) == []


async def test_a_password_that_the_realm_refuses_says_which_rule_and_not_the_password(
    keycloak: Keycloak, users: KeycloakUsers, realm: str
) -> None:
    keycloak.admin("PUT", f"/{realm}", {"passwordPolicy": "length(12)"})
    with pytest.raises(KeycloakRefused) as caught:
        await users.ensure(wanted(realm, password="tooshort"), password_known=False)
    assert caught.value.stalls
    assert "invalidPasswordMinLengthMessage" in caught.value.message
    assert "tooshort" not in caught.value.message
