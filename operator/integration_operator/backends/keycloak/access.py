"""Where EnMasse's Keycloak is and how to get in, out of what EnMasse keeps about it in the cluster.

EnMasse's own clients use the Service with ``tls.crt`` as what they trust and do not compare the host's name, which the
certificate does not always have (``keycloak-controller/.../KeycloakController.java:140-330`` in 0.24.0).
"""

from __future__ import annotations

import binascii
import ssl
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from integration_operator.backends.keycloak.errors import AccessMissing
from integration_operator.backends.keycloak.groups import release_of

Document = Mapping[str, Any]

CONTEXT_PATH = "/auth"  # of every Keycloak that EnMasse has used
USERNAME_KEY = "admin.username"
PASSWORD_KEY = "admin.password"  # noqa: S105  the name of a key
CERTIFICATE_KEY = "tls.crt"
FIRST_WITH_KIND = (0, 27)
"""Since then an AuthenticationService resource says how its objects are called."""
DEFAULT_SERVICE = "standard-authservice"


@dataclass(frozen=True, slots=True)
class KeycloakAccess:
    """One Keycloak and its admin. ``certificate`` is PEM text of what to trust, None for what the system trusts."""

    url: str
    username: str
    password: str = field(repr=False)
    certificate: str | None = None

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc

    def ssl_context(self) -> ssl.SSLContext:
        """Verifies against the certificate where there is one; then it is pinned, and the host's name says nothing."""
        if self.certificate is None:
            return ssl.create_default_context()
        try:
            context = ssl.create_default_context(cadata=self.certificate)
        except ssl.SSLError as error:
            raise AccessMissing(f"{CERTIFICATE_KEY} of the Keycloak at {self.url} is not a certificate") from error
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it may be a server's that another CA has signed
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # EnMasse's own, made by openssl, lack what it asks for
        return context


@dataclass(frozen=True, slots=True)
class ObjectNames:
    """How the objects of one Keycloak are called in EnMasse's namespace."""

    service: str
    route: str
    credentials: str
    certificate: str


def object_names(release: str | None, authentication_service: Document | None = None) -> ObjectNames:
    """The names by release, or as the AuthenticationService of a newer one says (``standard.go`` in 0.33.1).

    Where the release is not known, one with an AuthenticationService is a newer one.
    """
    known = release_of(release)
    newer = authentication_service is not None if known is None else known >= FIRST_WITH_KIND
    if not newer:
        return ObjectNames(DEFAULT_SERVICE, "keycloak", "keycloak-credentials", f"{DEFAULT_SERVICE}-cert")
    document = authentication_service or {}
    name = str((document.get("metadata") or {}).get("name") or DEFAULT_SERVICE)
    standard = (document.get("spec") or {}).get("standard") or {}
    service = str(standard.get("serviceName") or name)
    return ObjectNames(
        service,
        str(standard.get("routeName") or name),
        str((standard.get("credentialsSecret") or {}).get("name") or f"{service}-credentials"),
        str((standard.get("certificateSecret") or {}).get("name") or f"{service}-cert"),
    )


def access_from(
    credentials: Document,
    certificate: Document | None,
    *,
    service: Document | None = None,
    route: Document | None = None,
) -> KeycloakAccess:
    """Return the access out of EnMasse's credentials Secret, its TLS Secret, and its Service or else its Route.

    A Route that ends TLS shows the router's certificate (0.23 and newer), so there the Secret's is not what to trust.
    """
    username, password = _value(credentials, USERNAME_KEY), _value(credentials, PASSWORD_KEY)
    if service is not None:
        url, keycloaks_own = f"https://{_service_host(service)}", True
    elif route is not None:
        spec = route.get("spec") or {}
        if not spec.get("host"):
            raise AccessMissing(f"Route {_ref(route)} has no host yet")
        url = f"https://{spec['host']}"
        keycloaks_own = (spec.get("tls") or {}).get("termination") == "passthrough"
    else:
        raise AccessMissing("EnMasse's Keycloak has neither a Service nor a Route; set keycloak_url")
    trusted = _value(certificate, CERTIFICATE_KEY) if certificate is not None and keycloaks_own else None
    return KeycloakAccess(url + CONTEXT_PATH, username, password, trusted)


def _service_host(service: Document) -> str:
    metadata = service.get("metadata") or {}
    for port in (service.get("spec") or {}).get("ports") or ():
        if port.get("name") == "https":
            return f"{metadata.get('name')}.{metadata.get('namespace')}.svc:{port['port']}"
    raise AccessMissing(f"Service {_ref(service)} has no port named https")


def _value(secret: Document, key: str) -> str:
    encoded = (secret.get("data") or {}).get(key)
    try:
        value = b64decode(encoded, validate=True).decode() if encoded else ""
    except (binascii.Error, ValueError, TypeError):
        value = ""
    if not value:
        raise AccessMissing(f"Secret {_ref(secret)} has no usable {key}")
    return value


def _ref(document: Document) -> str:
    metadata = document.get("metadata") or {}
    return f"{metadata.get('namespace')}/{metadata.get('name')}"
