"""A user is in the groups that its release's brokers understand, and in none that lets it do more."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from integration_operator.backends.keycloak.client import KeycloakUsers
from integration_operator_sandbox.platforms.keycloak import Keycloak
from tests.support.keycloak_fixtures import wanted

QUEUES = ({"operations": ["send"], "addresses": ["a/b", "x y"]}, {"operations": ["recv"], "addresses": ["t/*"]})


@pytest.mark.parametrize(
    ("release", "space", "groups"),
    [
        ("0.22", "standard", {"send_a/b", "send_x y", "recv_t/*"}),
        ("0.22", "brokered", {"send_a/b", "send_x y", "recv_t/*", "recv_t/#"}),
        ("0.24", "brokered", {"send_a%2Fb", "send_x+y", "recv_t%2F*", "recv_t%2F#"}),
        ("0.30", "brokered", {"send_a%2Fb", "send_x+y", "recv_t%2F*"}),
        (None, "brokered", {"send_a%2Fb", "send_x+y", "recv_t%2F*", "recv_t%2F#"}),
        (None, "standard", {"send_a%2Fb", "send_x+y", "recv_t%2F*"}),
    ],
)
async def test_groups_are_made_and_joined(
    keycloak: Keycloak, users: KeycloakUsers, realm: str, release: str | None, space: str, groups: set[str]
) -> None:
    user = wanted(realm, authorization=QUEUES, release=release, address_space_type=space)
    await users.ensure(user, password_known=False)
    assert keycloak.groups_of(realm, user.username) == groups
    assert (await users.ensure(user, password_known=True)).written == ()


async def test_groups_that_are_there_are_used(keycloak: Keycloak, users: KeycloakUsers, realm: str) -> None:
    keycloak.admin("POST", f"/{realm}/groups", {"name": "send_*"})
    await users.ensure(wanted(realm), password_known=False)
    assert sorted(group["name"] for group in keycloak.admin("GET", f"/{realm}/groups")) == ["recv_*", "send_*"]


async def test_what_is_no_longer_allowed_is_left_and_a_persons_group_is_not(
    keycloak: Keycloak, users: KeycloakUsers, realm: str
) -> None:
    user = wanted(realm)
    made = await users.ensure(user, password_known=False)
    for name in ("newsletter", "browse_*"):
        keycloak.admin("POST", f"/{realm}/groups", {"name": name})
        (group,) = [found for found in keycloak.admin("GET", f"/{realm}/groups") if found["name"] == name]
        keycloak.admin("PUT", f"/{realm}/users/{made.id}/groups/{group['id']}")
    less: tuple[dict[str, Any], ...] = ({"operations": ["recv"], "addresses": ["*"]},)
    again = await users.ensure(replace(user, authorization=less), password_known=True)
    assert keycloak.groups_of(realm, user.username) == {"recv_*", "newsletter"}
    assert set(again.written) == {"leave send_*", "leave browse_*"}


async def test_more_groups_than_a_page(keycloak: Keycloak, users: KeycloakUsers, realm: str) -> None:
    addresses = [f"queue-{number:03d}" for number in range(105)]
    user = wanted(realm, authorization=({"operations": ["send"], "addresses": addresses},))
    await users.ensure(user, password_known=False)
    assert keycloak.groups_of(realm, user.username) == {f"send_{address}" for address in addresses}
    assert (await users.ensure(user, password_known=True)).written == ()


async def test_two_users_at_once_make_each_group_once(keycloak: Keycloak, users: KeycloakUsers, realm: str) -> None:
    both = [wanted(realm, username=f"conn-{number}") for number in range(4)]
    await asyncio.gather(*(users.ensure(user, password_known=False) for user in both))
    for user in both:
        assert keycloak.groups_of(realm, user.username) == {"send_*", "recv_*"}
        assert keycloak.can_log_in(realm, user.username, user.password)
    assert len(keycloak.admin("GET", f"/{realm}/groups")) == 2
