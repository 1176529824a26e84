"""The rotation of a generated credential, as the pair's Secret records it.

The Secret is written in one step, so that the credential and the record never contradict each other. A Secret that
loses its record loses a rotation that was not finished, and no credential.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.credential import Credential, credential_of_secret, decode, encode
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.durations import UNKNOWN, human_duration
from integration_operator.runtime.live_object import LiveObject

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""RFC 3339 in UTC and whole seconds, as the API server writes it."""


@dataclass(frozen=True, slots=True)
class RotationRecord:
    """What the Secret records beside the credential in use.

    ``next`` is the credential that comes after it; its user is being created. ``previous`` is the name of the user
    that came before it, until that user is deleted. ``rotated_at`` is the time of the last rotation. ``request`` is the
    hash of the last request that was followed.
    """

    next: Credential | None = None
    previous: str | None = None
    rotated_at: datetime | None = None
    request: str = ""

    @property
    def other_username(self) -> str | None:
        """The name of the user that may exist beside the one in use."""
        return self.next.username if self.next is not None else self.previous

    def data(self) -> dict[str, str]:
        """Return the entries of the Secret's ``data``."""
        texts = {
            names.NEXT_USERNAME_KEY: self.next.username if self.next else "",
            names.NEXT_PASSWORD_KEY: self.next.password if self.next else "",
            names.PREVIOUS_USERNAME_KEY: self.previous or "",
            names.ROTATED_AT_KEY: format_time(self.rotated_at) if self.rotated_at else "",
            names.ROTATION_REQUEST_KEY: self.request,
        }
        return {key: encode(text) for key, text in texts.items() if text}


def rotation_record(
    secret: LiveObject | None, pair: Pair, *, inherited: str | None = None, request: str = ""
) -> RotationRecord:
    """Return the record of a Secret. A user can edit it: the names of users that are not the pair's are dropped.

    ``inherited`` is the user name of the proof of concept's login, if the pair inherits it. Without a Secret the
    ``request`` that the Integration makes now counts as followed: it may have been, and a credential never changes
    because its Secret was deleted.
    """
    if secret is None or secret.deleting:
        return RotationRecord(request=request)
    following = credential_of_secret(secret, username_key=names.NEXT_USERNAME_KEY, password_key=names.NEXT_PASSWORD_KEY)
    current = credential_of_secret(secret)
    in_use = current.username if current else None
    if following is not None and (following.username == in_use or following.username not in naming.usernames(pair)):
        following = None
    data = secret.document.get("data") or {}
    previous = decode(data.get(names.PREVIOUS_USERNAME_KEY)) or ""
    known = previous != in_use and previous in (*naming.usernames(pair), inherited)
    rotated_at = parse_time(decode(data.get(names.ROTATED_AT_KEY)))
    followed = decode(data.get(names.ROTATION_REQUEST_KEY)) or ""
    return RotationRecord(following, previous if known else None, rotated_at, followed)


def request_hash(request: str) -> str:
    """Return the hash under which a request is recorded; empty for none. An annotation may have 256 KiB."""
    return hashlib.sha256(request.encode()).hexdigest()[:16] if request else ""


def format_time(time: datetime) -> str:
    """Format a time in RFC 3339."""
    return time.astimezone(UTC).strftime(TIME_FORMAT)


def parse_time(text: object) -> datetime | None:
    """Parse a time in RFC 3339; None if it is anything else."""
    try:
        return datetime.strptime(str(text), TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def age_of(time: object, now: datetime) -> str:
    """Return how long ago a time (RFC 3339) was, as kubectl shows it."""
    parsed = parse_time(time)
    return UNKNOWN if parsed is None else human_duration((now - parsed).total_seconds())
