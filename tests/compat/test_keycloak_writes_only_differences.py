"""Asking for what is there already writes nothing, and a difference is written alone."""

from __future__ import annotations

from dataclasses import replace

from integration_operator.backends.keycloak.access import KeycloakAccess
from integration_operator.backends.keycloak.client import KeycloakUsers
from integration_operator_sandbox.platforms.keycloak import Keycloak
from tests.support.front import Front
from tests.support.keycloak_fixtures import wanted


async def test_requests_that_write(keycloak: Keycloak, realm: str) -> None:
    user = wanted(realm)
    async with Front(keycloak.url) as front:
        users = KeycloakUsers(KeycloakAccess(front.url, keycloak.admin_username, keycloak.admin_password))
        made = await users.ensure(user, password_known=False)
        assert made.written == ("user", "password", "join send_*", "join recv_*")
        assert len(front.writes) == 6, "the user, its password, two groups, joined one by one"

        front.asked.clear()
        again = await users.ensure(user, password_known=True)
        assert (again.created, again.written, front.writes) == (False, (), [])
        assert len(front.asked) == 3, "the realm, the user, its groups"

        front.asked.clear()
        assert (await users.ensure(user, password_known=False)).written == ("password",)
        assert front.writes == [("PUT", f"/auth/admin/realms/{realm}/users/{made.id}/reset-password")]

        front.asked.clear()
        more = replace(user, authorization=[*user.authorization, {"operations": ["view"], "addresses": ["*"]}])
        assert (await users.ensure(more, password_known=True)).written == ("join monitor",)
        await users.aclose()
    assert keycloak.can_log_in(realm, user.username, user.password)
