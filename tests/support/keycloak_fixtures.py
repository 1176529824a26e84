"""A real Keycloak, one for each worker process, with realms and users for the tests of its delivery."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from integration_operator.backends.keycloak.access import KeycloakAccess
from integration_operator.backends.keycloak.client import KeycloakUsers
from integration_operator.backends.keycloak.desired import DesiredUser, UserKey
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.policies.ownership import KEYCLOAK_MARK
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.errors import ToolchainMissing
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.keycloak.realms import Realms

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
    """Run a Keycloak. Without Java or Maven its tests are skipped; in CI they fail."""
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
    """Create a realm for one test, as EnMasse does for an AddressSpace of ``NAMESPACE``."""
    name = f"{NAMESPACE}-{secrets.token_hex(4)}"
    keycloak.create_realm(name, NAMESPACE)
    yield name
    keycloak.delete_realm(name)


@pytest.fixture(scope="module")
def shared_realm(keycloak: Keycloak) -> Iterator[str]:
    """Create a realm for all tests of a module whose users have different names: it takes a second or more."""
    name = f"{NAMESPACE}-{secrets.token_hex(4)}"
    keycloak.create_realm(name, NAMESPACE)
    yield name
    keycloak.delete_realm(name)


@pytest.fixture
async def users(keycloak: Keycloak) -> AsyncIterator[KeycloakUsers]:
    """Return what is under test, with requests to Keycloak as the operator sends them."""
    made = KeycloakUsers(access(keycloak))
    yield made
    await made.aclose()


def realms_of(keycloak: Keycloak) -> Realms:
    """Return its realms as EnMasse's own programs use them."""
    return Realms(keycloak.url, keycloak.certificate, keycloak.admin_username, keycloak.admin_password)


def access(keycloak: Keycloak, **changes: Any) -> KeycloakAccess:
    """Return the access that EnMasse's Secrets would give."""
    known = {
        "url": keycloak.url,
        "username": keycloak.admin_username,
        "password": keycloak.admin_password,
        "certificate": keycloak.certificate,
    }
    return KeycloakAccess(**{**known, **changes})


def wanted(realm: str, **changes: Any) -> DesiredUser:
    """Return a user that may send and receive everything in a standard space, with a password of its own."""
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
    return DesiredUser(**values, inherited=PROOF_OF_CONCEPT)


def key_of(user: DesiredUser) -> UserKey:
    """Return what is known of a user when it is only to be removed."""
    return UserKey(realm=user.realm, pair=user.pair, username=user.username, inherited=user.inherited)
