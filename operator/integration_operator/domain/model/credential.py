"""A credential, and where it is stored: in the Secret, and in the MessagingUser, where EnMasse requires it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from integration_operator.api import names
from integration_operator.runtime.live_object import LiveObject

MAX_VALUE = 1024
"""Bytes of a user name or password. Keycloak and SASL PLAIN take less. Longer values are not kept in memory."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and its password, which no representation of the object shows."""

    username: str
    password: str = field(repr=False)


def encode(text: str) -> str:
    """Return standard padded base64 without a newline. A MessagingUser with any other stops EnMasse for all users."""
    return base64.b64encode(text.encode()).decode()


def decode(text: object) -> str | None:
    """Return the text that was encoded; None if it is not base64 of UTF-8, or empty."""
    try:
        return base64.b64decode(str(text), validate=True).decode() or None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def credential_of_secret(
    secret: LiveObject, *, username_key: str = names.USERNAME_KEY, password_key: str = names.PASSWORD_KEY
) -> Credential | None:
    """Return the credential in a Secret; None if a key is missing, empty or not text."""
    data = secret.document.get("data") or {}
    username, password = decode(data.get(username_key)), decode(data.get(password_key))
    return Credential(username, password) if username and password else None


def credential_of_user(user: LiveObject) -> Credential | None:
    """Return the credential in a MessagingUser; None if it has no usable password."""
    spec = user.document.get("spec") or {}
    password = decode((spec.get("authentication") or {}).get("password"))
    return Credential(spec["username"], password) if password and spec.get("username") else None


def username_of(user: LiveObject) -> str | None:
    """Return the user name of a MessagingUser; None if it has none that is text."""
    username = (user.document.get("spec") or {}).get("username")
    return username if isinstance(username, str) else None


def surviving_credential(secret: LiveObject | None, user: LiveObject | None, username: str) -> Credential | None:
    """Return the pair's credential from the first copy that is unchanged; None if no copy is left.

    Both objects are the pair's own, so that each restores the other: a Secret that was deleted or edited is restored
    from the MessagingUser. ``managedFields`` tell if a copy is unchanged. A copy in an object that is being deleted
    does not count: enabling again after a disable always generates a new credential.
    """
    copies: list[tuple[bool, Credential | None]] = []
    if secret is not None and not secret.deleting:
        copies.append((secret.owns("data", names.PASSWORD_KEY), credential_of_secret(secret)))
    if user is not None and not user.deleting:
        copies.append((user.owns("spec", "authentication", "password"), credential_of_user(user)))
    usable = [(unchanged, copy.password) for unchanged, copy in copies if copy is not None]
    usable.sort(key=lambda copy: not copy[0])  # stable: of two unchanged copies the Secret's comes first
    return Credential(username, usable[0][1]) if usable else None
