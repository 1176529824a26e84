"""A user is the one of exactly that name, however many have it as a part: the search finds them all."""

from __future__ import annotations

from integration_operator.backends.keycloak.client import KeycloakUsers
from integration_operator_sandbox.platforms.keycloak import Keycloak
from tests.support.keycloak_fixtures import key_of, wanted


async def test_names_that_contain_the_name_are_others(keycloak: Keycloak, users: KeycloakUsers, realm: str) -> None:
    names = ["a-conn", "conn-a", "aconn", "connn", "con", "a-conn-a"]
    for name in names:
        keycloak.make_user(realm, name)
    user = wanted(realm, username="conn")
    assert not await users.remove(key_of(user)), "the first one found is foreign"
    assert (await users.ensure(user, password_known=False)).created
    assert await users.remove(key_of(user))
    assert {found["username"] for found in keycloak.users(realm)} == set(names)


async def test_the_exact_one_is_found_behind_a_full_page(keycloak: Keycloak, users: KeycloakUsers, realm: str) -> None:
    user = wanted(realm, username="zz-conn")
    made = await users.ensure(user, password_known=False)
    others = [{"username": f"a{number:03d}-zz-conn", "enabled": True} for number in range(120)]
    keycloak.admin("POST", f"/{realm}/partialImport", {"users": others, "ifResourceExists": "FAIL"})
    again = await users.ensure(user, password_known=True)
    assert (again.id, again.created, again.written) == (made.id, False, ())
    assert await users.remove(key_of(user))
    assert len(keycloak.users(realm)) == 120


async def test_signs_that_a_search_understands_are_only_signs(
    keycloak: Keycloak, users: KeycloakUsers, realm: str
) -> None:
    keycloak.make_user(realm, "axb")
    keycloak.make_user(realm, "a-b")
    user = wanted(realm, username="a_b")
    assert (await users.ensure(user, password_known=False)).created
    assert await users.remove(key_of(user))
    assert {found["username"] for found in keycloak.users(realm)} == {"axb", "a-b"}


async def test_upper_case_names_the_same_user(keycloak: Keycloak, users: KeycloakUsers, realm: str) -> None:
    made = await users.ensure(wanted(realm, username="Conn"), password_known=False)
    again = await users.ensure(wanted(realm, username="conn"), password_known=True)
    assert (again.id, again.created) == (made.id, False)
    assert [found["username"] for found in keycloak.users(realm)] == ["conn"]
