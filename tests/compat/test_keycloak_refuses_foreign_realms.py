"""Nothing is written to a realm that does not say it is the AddressSpace's, whatever its name is made to be.

The realm's name comes from an annotation that a tenant can write, and the operator acts as the admin of all realms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from integration_operator.backends.keycloak.access import KeycloakAccess
from integration_operator.backends.keycloak.client import KeycloakUsers
from integration_operator.backends.keycloak.errors import KeycloakFailure, RealmForeign, RealmMissing
from integration_operator_sandbox.platforms.keycloak import Keycloak
from tests.support.front import Front
from tests.support.keycloak_fixtures import key_of, wanted


@pytest.fixture
def foreign(keycloak: Keycloak, realm: str) -> Iterator[str]:
    name = f"{realm}-foreign"
    yield name
    keycloak.delete_realm(name)


async def refused(users: KeycloakUsers, realm: str) -> KeycloakFailure:
    with pytest.raises(RealmForeign) as caught:
        await users.ensure(wanted(realm), password_known=False)
    with pytest.raises(RealmForeign):
        await users.remove(key_of(wanted(realm)))
    assert caught.value.stalls
    return caught.value


@pytest.mark.parametrize(
    "attributes",
    [
        {"namespace": "team-b", "enmasse-realm": "true"},
        {"namespace": "team-a"},
        {"namespace": "team-a", "enmasse-realm": "false"},
        {"namespace": "team-a", "enmasse-realm": "True"},
        {"namespace": "TEAM-A", "enmasse-realm": "true"},
        {"enmasse-realm": "true"},
        {},
    ],
)
async def test_a_realm_of_somebody_else(
    keycloak: Keycloak, users: KeycloakUsers, foreign: str, attributes: dict[str, Any]
) -> None:
    keycloak.admin("POST", "", {"realm": foreign, "enabled": True, "attributes": attributes})
    error = await refused(users, foreign)
    assert "team-b" not in error.message, "whose it is, is not for this tenant to read"
    assert keycloak.users(foreign) == []


@pytest.mark.parametrize("name", ["master", "Master", "MASTER", ".", ".."])
async def test_the_realm_of_the_admins(keycloak: Keycloak, users: KeycloakUsers, name: str) -> None:
    before = keycloak.users("master")
    await refused(users, name)
    assert keycloak.users("master") == before


@pytest.mark.parametrize("trick", ["{}/users", "{}/../master", "x/../{}", "{}?", "{}#", "%2e%2e", " {}", ""])
async def test_a_name_that_is_made_to_be_a_path(
    keycloak: Keycloak, users: KeycloakUsers, realm: str, trick: str
) -> None:
    with pytest.raises((RealmMissing, RealmForeign)):
        await users.ensure(wanted(trick.format(realm)), password_known=False)
    assert keycloak.users(realm) == []


async def test_a_realm_is_asked_again_each_time(keycloak: Keycloak, users: KeycloakUsers, realm: str) -> None:
    await users.ensure(wanted(realm), password_known=False)
    keycloak.admin("PUT", f"/{realm}", {"attributes": {"namespace": "team-b", "enmasse-realm": "true"}})
    before = keycloak.users(realm)
    await refused(users, realm)
    assert keycloak.users(realm) == before


async def test_an_answer_about_another_realm_is_not_this_one(keycloak: Keycloak, realm: str) -> None:
    async with Front(keycloak.url) as front:
        through = KeycloakUsers(KeycloakAccess(front.url, keycloak.admin_username, keycloak.admin_password))
        body = '{"realm": "another", "attributes": {"namespace": "team-a", "enmasse-realm": "true"}}'
        front.lie("GET", rf".*/realms/{realm}", body=body, times=2)
        await refused(through, realm)
        await through.aclose()
        assert front.writes == []
