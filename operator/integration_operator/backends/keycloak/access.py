"""Address and credentials of EnMasse's Keycloak, from EnMasse's objects in the cluster.

EnMasse's own clients use the Service, trust ``tls.crt`` and do not verify the host name, which the certificate does not
always have (``keycloak-controller/.../KeycloakController.java:140-330`` in 0.24.0).
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
"""The first release in which an AuthenticationService names its objects."""
DEFAULT_SERVICE = "standard-authservice"


@dataclass(frozen=True, slots=True)
class KeycloakAccess:
    """One Keycloak and its admin. ``certificate`` is the trusted PEM certificate, None for those of the system."""

    url: str
    username: str
    password: str = field(repr=False)
    certificate: str | None = None

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc

    def ssl_context(self) -> ssl.SSLContext:
        """Return the TLS context; a certificate is pinned, and then the host name is not verified."""
        if self.certificate is None:
            return ssl.create_default_context()
        try:
            context = ssl.create_default_context(cadata=self.certificate)
        except ssl.SSLError as error:
            raise AccessMissing(f"{CERTIFICATE_KEY} of the Keycloak at {self.url} is not a certificate") from error
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it may be a server certificate of another CA
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # EnMasse's own, created by openssl, lack extensions
        return context


@dataclass(frozen=True, slots=True)
class ObjectNames:
    """Names of the objects of one Keycloak in EnMasse's namespace."""

    service: str
    route: str
    credentials: str
    certificate: str


def object_names(release: str | None, authentication_service: Document | None = None) -> ObjectNames:
    """Return the names by release, or from the AuthenticationService of a newer one (``standard.go`` in 0.33.1).

    If the release is unknown, an AuthenticationService shows a newer one.
    """
    version = release_of(release)
    has_kind = authentication_service is not None if version is None else version >= FIRST_WITH_KIND
    if not has_kind:
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
    """Return the access from EnMasse's credentials Secret, its TLS Secret, and its Service or Route.

    A Route that terminates TLS has the certificate of the router (0.23 and newer), so that of the Secret is not used.
    """
    username, password = _value(credentials, USERNAME_KEY), _value(credentials, PASSWORD_KEY)
    if service is not None:
        url, is_end_to_end = f"https://{_service_host(service)}", True
    elif route is not None:
        spec = route.get("spec") or {}
        if not spec.get("host"):
            raise AccessMissing(f"Route {_ref(route)} has no host yet")
        url = f"https://{spec['host']}"
        is_end_to_end = (spec.get("tls") or {}).get("termination") == "passthrough"
    else:
        raise AccessMissing("EnMasse's Keycloak has neither a Service nor a Route; set keycloak_url")
    trusted = _value(certificate, CERTIFICATE_KEY) if certificate is not None and is_end_to_end else None
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
