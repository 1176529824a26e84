"""The real Keycloak that the promises of the Keycloak delivery are tried on: one for each worker process.

``conftest.py`` imports the fixtures from here.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from integration_operator.delivery.keycloak.access import KeycloakAccess
from integration_operator.delivery.keycloak.client import KeycloakUsers
from integration_operator.delivery.keycloak.wanted import UserKey, WantedUser
from integration_operator.domain import naming
from integration_operator.domain.ownership import KEYCLOAK_MARK
from integration_operator.domain.pair import Pair, Ref
from integration_operator_sandbox.errors import ToolchainMissing
from integration_operator_sandbox.keycloak import Keycloak
from integration_operator_sandbox.keycloak.realms import Realms

NAMESPACE = "team-a"
PAIR = Pair(Ref(NAMESPACE, "myspace"), Ref("fuse", "syndesis"))
PROOF_OF_CONCEPT = "enmasse-myspace-to-fuse"
"""The login that the proof of concept made for the AddressSpace."""
SEND_AND_RECEIVE = ({"operations": ["send", "recv"], "addresses": ["*"]},)
ENMASSE_ATTRIBUTES = {"resourceName", "resourceNamespace", "authenticationType", "creationTimestamp"}
ATTRIBUTES = ENMASSE_ATTRIBUTES | {KEYCLOAK_MARK}
"""What a user of ours carries."""


@pytest.fixture(scope="session")
def keycloak() -> Iterator[Keycloak]:
    """A running Keycloak. Without Java or Maven its tests are skipped, which must not happen unseen in CI."""
    try:
        running = Keycloak.start()
    except ToolchainMissing as error:
        if os.environ.get("CI"):
            pytest.fail(error.message)
        pytest.skip(error.message)
    with running:
        yield running


@pytest.fixture
def realm(keycloak: Keycloak) -> Iterator[str]:
    """A test's own realm, as EnMasse makes one for an AddressSpace of ``NAMESPACE``."""
    name = f"{NAMESPACE}-{secrets.token_hex(4)}"
    keycloak.create_realm(name, NAMESPACE)
    yield name
    keycloak.delete_realm(name)


@pytest.fixture(scope="module")
def shared_realm(keycloak: Keycloak) -> Iterator[str]:
    """One realm for all tests of a module whose users have names of their own: making one takes a second or more."""
    name = f"{NAMESPACE}-{secrets.token_hex(4)}"
    keycloak.create_realm(name, NAMESPACE)
    yield name
    keycloak.delete_realm(name)


@pytest.fixture
async def users(keycloak: Keycloak) -> AsyncIterator[KeycloakUsers]:
    """What is under test, speaking to Keycloak as the operator does."""
    made = KeycloakUsers(access(keycloak))
    yield made
    await made.aclose()


def realms_of(keycloak: Keycloak) -> Realms:
    """Its realms as EnMasse's own programs use them."""
    return Realms(keycloak.url, keycloak.certificate, keycloak.admin_username, keycloak.admin_password)


def access(keycloak: Keycloak, **changes: Any) -> KeycloakAccess:
    """The access that EnMasse's Secrets would give."""
    known = {
        "url": keycloak.url,
        "username": keycloak.admin_username,
        "password": keycloak.admin_password,
        "certificate": keycloak.certificate,
    }
    return KeycloakAccess(**{**known, **changes})


def wanted(realm: str, **changes: Any) -> WantedUser:
    """A user that may send and receive everything in a standard space, with a password of its own."""
    values = {
        "realm": realm,
        "pair": PAIR,
        "username": naming.username(PAIR),
        "password": secrets.token_urlsafe(24),
        "authorization": SEND_AND_RECEIVE,
        "address_space_type": "standard",
        "release": "0.30",
        **changes,
    }
    return WantedUser(**values)


def key_of(user: WantedUser) -> UserKey:
    """What remains known of a user when only its removal is wanted."""
    return UserKey(realm=user.realm, pair=user.pair, username=user.username)
