"""What is not Keycloak's answer is never taken for one, and nothing that it says is repeated."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import AsyncIterator

import pytest

from integration_operator.backends.circuit_breaker import CircuitBreaker
from integration_operator.backends.keycloak.access import KeycloakAccess
from integration_operator.backends.keycloak.client import KeycloakUsers
from integration_operator.backends.keycloak.desired import DesiredUser
from integration_operator.backends.keycloak.errors import AdminRefused, KeycloakFailure, KeycloakUnavailable
from integration_operator.runtime.errors import Deferred
from integration_operator_sandbox.localhost.certificates import self_signed
from integration_operator_sandbox.platforms.keycloak import Keycloak
from tests.support.front import LOG_IN, Front
from tests.support.keycloak_fixtures import access, key_of, wanted

SECRET = "an-answer-that-echoes-a-secret"
HTML = f"<html><body>{SECRET}</body></html>"


@pytest.fixture
async def front(keycloak: Keycloak) -> AsyncIterator[Front]:
    async with Front(keycloak.url) as made:
        yield made


@pytest.fixture
async def through(front: Front, keycloak: Keycloak) -> AsyncIterator[KeycloakUsers]:
    made = KeycloakUsers(KeycloakAccess(front.url, keycloak.admin_username, keycloak.admin_password))
    yield made
    await made.aclose()


def own(realm: str) -> DesiredUser:
    """Return a user that no other test has."""
    return wanted(realm, username=f"connection-{secrets.token_hex(4)}")


def shows_no_secret(error: KeycloakFailure, user: DesiredUser, keycloak: Keycloak) -> None:
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(user)
    for secret in (SECRET, user.password, keycloak.admin_password):
        assert secret not in shown


ANSWERS = [
    pytest.param(200, HTML, "text/html", id="a page"),
    pytest.param(200, f'{{"realm": "{SECRET}', "application/json", id="half of an answer"),
    pytest.param(200, f'["{SECRET}"]', "application/json", id="a list of words"),
    pytest.param(200, f'{{"x": "{SECRET}"}}', "application/json", id="another object"),
    pytest.param(200, "null", "application/json", id="nothing"),
    pytest.param(200, "", "application/json", id="an empty answer"),
    pytest.param(200, f'[{{"id": 5, "username": ["{SECRET}"]}}]', "application/json", id="wrong types"),
    pytest.param(302, HTML, "text/html", id="a way to a log-in page"),
    pytest.param(429, HTML, "text/html", id="too many"),
    pytest.param(500, HTML, "text/html", id="an error"),
    pytest.param(503, HTML, "text/html", id="a router without a backend"),
]


@pytest.mark.parametrize(("status", "body", "content_type"), ANSWERS)
@pytest.mark.parametrize("path", [r".*/admin/realms/[^/]+", r".*/users", r".*/users/[^/]+/groups", r".*/[^/]+/groups"])
async def test_to_a_question(
    keycloak: Keycloak,
    front: Front,
    through: KeycloakUsers,
    shared_realm: str,
    path: str,
    status: int,
    body: str,
    content_type: str,
) -> None:
    user = own(shared_realm)
    front.lie("GET", path, status=status, body=body, content_type=content_type)
    with pytest.raises(KeycloakUnavailable) as caught:
        await through.ensure(user, password_known=False)
    assert not caught.value.stalls
    shows_no_secret(caught.value, user, keycloak)
    await through.ensure(user, password_known=True)
    assert keycloak.can_log_in(shared_realm, user.username, user.password), "nothing was left half done"


@pytest.mark.parametrize(("status", "body", "content_type"), ANSWERS)
async def test_to_a_log_in(
    keycloak: Keycloak,
    front: Front,
    through: KeycloakUsers,
    shared_realm: str,
    status: int,
    body: str,
    content_type: str,
) -> None:
    user = own(shared_realm)
    front.lie("POST", LOG_IN, status=status, body=body, content_type=content_type)
    with pytest.raises(KeycloakUnavailable) as caught:
        await through.ensure(user, password_known=False)
    shows_no_secret(caught.value, user, keycloak)
    assert (await through.ensure(user, password_known=False)).created


@pytest.mark.parametrize(("verb", "path"), [("POST", r".*/users"), ("PUT", r".*/reset-password")])
async def test_to_a_write(
    keycloak: Keycloak, front: Front, through: KeycloakUsers, shared_realm: str, verb: str, path: str
) -> None:
    user = own(shared_realm)
    front.lie(verb, path, body=HTML, content_type="text/html")
    with pytest.raises(KeycloakUnavailable) as caught:
        await through.ensure(user, password_known=False)
    shows_no_secret(caught.value, user, keycloak)
    await through.ensure(user, password_known=True)
    assert keycloak.can_log_in(shared_realm, user.username, user.password)


async def test_a_proxy_without_keycloak_does_not_make_a_removal_a_success(
    keycloak: Keycloak, front: Front, through: KeycloakUsers, shared_realm: str
) -> None:
    user = own(shared_realm)
    await through.ensure(user, password_known=False)
    front.lie("GET", r".*/admin/realms/.*", status=404, body=HTML, content_type="text/html", times=2)
    with pytest.raises(KeycloakFailure):
        await through.remove(key_of(user))
    assert keycloak.can_log_in(shared_realm, user.username, user.password)
    assert await through.remove(key_of(user))


async def test_a_401_in_mid_call_logs_in_again_once(
    keycloak: Keycloak, front: Front, through: KeycloakUsers, shared_realm: str
) -> None:
    user = own(shared_realm)
    front.lie("PUT", r".*/reset-password", status=401)
    assert (await through.ensure(user, password_known=False)).created
    assert front.log_ins == 2
    assert keycloak.can_log_in(shared_realm, user.username, user.password)


async def test_a_401_that_stays_is_the_admins(
    keycloak: Keycloak, front: Front, through: KeycloakUsers, shared_realm: str
) -> None:
    front.lie("GET", r".*/users", status=401, times=100)
    with pytest.raises(AdminRefused):
        await through.ensure(own(shared_realm), password_known=False)
    assert front.log_ins == 2


async def test_a_wrong_password_of_the_admin_is_rarely_tried_again(keycloak: Keycloak, shared_realm: str) -> None:
    user = own(shared_realm)
    users = KeycloakUsers(access(keycloak, password="not-the-admins"))
    with pytest.raises(AdminRefused) as caught:
        await users.ensure(user, password_known=False)
    await users.aclose()
    assert (caught.value.retry_after, caught.value.stalls) == (60.0, False)
    assert "not-the-admins" not in "".join(traceback.format_exception(caught.value))


async def test_a_certificate_that_is_not_the_given_one_is_no_keycloak(keycloak: Keycloak, shared_realm: str) -> None:
    for certificate in (None, another_certificate()):
        users = KeycloakUsers(access(keycloak, certificate=certificate))
        with pytest.raises(KeycloakUnavailable):
            await users.ensure(own(shared_realm), password_known=False)
        await users.aclose()


async def test_the_hosts_name_is_not_compared_where_the_certificate_is_given(
    keycloak: Keycloak, shared_realm: str
) -> None:
    users = KeycloakUsers(access(keycloak, url=keycloak.url.replace("127.0.0.1", "127.1")))
    assert (await users.ensure(own(shared_realm), password_known=False)).created
    await users.aclose()


async def test_the_breaker_opens_and_says_until_when(keycloak: Keycloak, front: Front, shared_realm: str) -> None:
    peer = CircuitBreaker("keycloak", KeycloakUnavailable, failures=3, open_for=30)
    credentials = (keycloak.admin_username, keycloak.admin_password)
    users = KeycloakUsers(KeycloakAccess(front.url, *credentials), breaker=peer)
    front.lie("GET", r".*/admin/realms/.*", status=503, times=3)
    for _ in range(3):
        with pytest.raises(KeycloakUnavailable):
            await users.ensure(own(shared_realm), password_known=False)
    front.asked.clear()
    with pytest.raises(Deferred) as caught:
        await users.ensure(own(shared_realm), password_known=False)
    await users.aclose()
    assert caught.value.retry_after is not None
    assert 25 <= caught.value.retry_after <= 60
    assert front.asked == [], "it is not asked while the breaker is open"


def another_certificate() -> str:
    return self_signed().certificate
