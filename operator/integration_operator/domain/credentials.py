"""The credential of a pair: where it stands, and which of its copies is the true one.

It stands in the Secret and, because EnMasse wants it there, in the MessagingUser. Both are ours, so each repairs the
other: a Secret that was deleted or edited is restored from the user that still has the password, and a credential
is made anew only if no copy is left. That it is ours is read from managedFields: a field that another manager wrote
is no longer owned by our field manager.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from integration_operator.api import names
from integration_operator.domain.live import Live

LONGEST_VALUE = 1024
"""Bytes of a user name or password. Keycloak and SASL PLAIN take less; of a Secret no longer value is kept in
memory."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and its password; the password is in no text that this object shows of itself."""

    username: str
    password: str = field(repr=False)


def encode(text: str) -> str:
    """Standard padded base64 without a newline: one MessagingUser with another stops EnMasse for all users."""
    return base64.b64encode(text.encode()).decode()


def decode(text: object) -> str | None:
    """Return what ``encode`` was given; None if it is not base64 of UTF-8."""
    try:
        return base64.b64decode(str(text), validate=True).decode() or None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def of_secret(
    secret: Live, *, username_key: str = names.USERNAME_KEY, password_key: str = names.PASSWORD_KEY
) -> Credential | None:
    """Return the credential in a Secret; None if a key is missing, empty or no text."""
    data = secret.document.get("data") or {}
    username, password = decode(data.get(username_key)), decode(data.get(password_key))
    return Credential(username, password) if username and password else None


def of_user(user: Live) -> Credential | None:
    """Return the credential in a MessagingUser."""
    spec = user.document.get("spec") or {}
    password = decode((spec.get("authentication") or {}).get("password"))
    return Credential(spec["username"], password) if password and spec.get("username") else None


def true_credential(secret: Live | None, user: Live | None, username: str) -> Credential | None:
    """Return the pair's credential, from the first copy that is unchanged; None if no copy is left.

    Both objects are the pair's own. A copy in one that is being deleted does not count: after a disable the next enable
    makes a new credential, however soon it comes.
    """
    copies: list[tuple[bool, Credential | None]] = []
    if secret is not None and not secret.deleting:
        copies.append((secret.owns("data", names.PASSWORD_KEY), of_secret(secret)))
    if user is not None and not user.deleting:
        copies.append((user.owns("spec", "authentication", "password"), of_user(user)))
    usable = [(unchanged, copy.password) for unchanged, copy in copies if copy is not None]
    usable.sort(key=lambda copy: not copy[0])  # stable: of two unchanged copies the Secret's comes first
    return Credential(username, usable[0][1]) if usable else None
