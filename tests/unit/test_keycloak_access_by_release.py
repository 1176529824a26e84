"""Where EnMasse's Keycloak is and what to trust there, out of the documents that each release keeps."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from integration_operator.backends.keycloak.access import KeycloakAccess, ObjectNames, access_from, object_names
from integration_operator.backends.keycloak.errors import AccessMissing

OLD = ObjectNames("standard-authservice", "keycloak", "keycloak-credentials", "standard-authservice-cert")
NEW = ObjectNames(
    "standard-authservice", "standard-authservice", "standard-authservice-credentials", "standard-authservice-cert"
)
MINE = {"metadata": {"name": "mine"}}


def secret(**data: str) -> dict[str, Any]:
    encoded = {name.replace("_", "."): b64encode(value.encode()).decode() for name, value in data.items()}
    return {"metadata": {"namespace": "enmasse", "name": "a-secret"}, "data": encoded}


CREDENTIALS = secret(admin_username="admin", admin_password="of-the-admin")
CERTIFICATE = secret(tls_crt="PEM")
SERVICE = {
    "metadata": {"namespace": "enmasse", "name": "standard-authservice"},
    "spec": {"ports": [{"name": "amqps", "port": 5671}, {"name": "https", "port": 8443}]},
}


def route(termination: str) -> dict[str, Any]:
    return {"metadata": {"name": "keycloak"}, "spec": {"host": "kc.example.com", "tls": {"termination": termination}}}


@pytest.mark.parametrize(
    ("release", "document", "names"),
    [
        ("0.22", None, OLD),
        ("0.26.7", MINE, OLD),
        ("0.27", None, NEW),
        (None, None, OLD),
        (None, {"metadata": {"name": "standard-authservice"}}, NEW),
        ("0.30", MINE, ObjectNames("mine", "mine", "mine-credentials", "mine-cert")),
        (
            "0.30",
            MINE
            | {
                "spec": {
                    "standard": {
                        "serviceName": "s",
                        "routeName": "r",
                        "credentialsSecret": {"name": "keycloak-credentials"},
                        "certificateSecret": {"name": "c"},
                    }
                }
            },
            ObjectNames("s", "r", "keycloak-credentials", "c"),
        ),
    ],
)
def test_names(release: str | None, document: dict[str, Any] | None, names: ObjectNames) -> None:
    assert object_names(release, document) == names


@pytest.mark.parametrize(
    ("places", "url", "trusted"),
    [
        ({"service": SERVICE}, "https://standard-authservice.enmasse.svc:8443/auth", "PEM"),
        (
            {"service": SERVICE, "route": route("reencrypt")},
            "https://standard-authservice.enmasse.svc:8443/auth",
            "PEM",
        ),
        ({"route": route("passthrough")}, "https://kc.example.com/auth", "PEM"),
        ({"route": route("reencrypt")}, "https://kc.example.com/auth", None),
    ],
)
def test_access(places: dict[str, Any], url: str, trusted: str | None) -> None:
    found = access_from(CREDENTIALS, CERTIFICATE, **places)
    assert found == KeycloakAccess(url, "admin", "of-the-admin", trusted)
    assert "of-the-admin" not in repr(found)


@pytest.mark.parametrize(
    ("credentials", "places"),
    [
        (secret(admin_username="admin"), {"service": SERVICE}),
        (secret(admin_username="admin", admin_password=""), {"service": SERVICE}),
        ({"data": {"admin.username": "not base64!", "admin.password": "x"}}, {"service": SERVICE}),
        ({}, {"service": SERVICE}),
        (CREDENTIALS, {}),
        (CREDENTIALS, {"service": {"metadata": {}, "spec": {"ports": [{"name": "amqps", "port": 5671}]}}}),
        (CREDENTIALS, {"route": {"metadata": {}, "spec": {}}}),
    ],
)
def test_what_is_missing_is_waited_for(credentials: dict[str, Any], places: dict[str, Any]) -> None:
    with pytest.raises(AccessMissing) as caught:
        access_from(credentials, CERTIFICATE, **places)
    assert not caught.value.stalls


def test_a_certificate_is_always_verified() -> None:
    assert KeycloakAccess("https://kc/auth", "admin", "p").ssl_context().check_hostname
    with pytest.raises(AccessMissing):
        KeycloakAccess("https://kc/auth", "admin", "p", "no certificate").ssl_context()
