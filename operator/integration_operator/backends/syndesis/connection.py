"""Pure functions on a connection in Syndesis: the desired one, and the differences of a stored one.

The server returns the password as a ciphertext that differs with each encryption, so a salted hash beside the
connection shows a new desired password (EncryptionComponent.java:38-71). Syndesis keeps a stored ciphertext over
restarts and changes of other properties (observed on 1.13.2): if it changed, a user wrote the password.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from integration_operator.api import names
from integration_operator.api.connection import ConnectionSpec
from integration_operator.backends.syndesis.answers import VerifierResult
from integration_operator.domain.model.checks import Check
from integration_operator.domain.policies.ownership import ConnectionEvidence, judge_syndesis_connection
from integration_operator.runtime.errors import Failure
from integration_operator.runtime.text import sanitized

Document = dict[str, Any]
Lookup = Callable[[str, str], str | None]
"""Returns the value of a key of a Secret or ConfigMap, by object name and key."""

ENCRYPTED = "\u00bbENC:"
"""Prefix of stored secrets (EncryptionComponent.java:38)."""

COMPUTED = frozenset({"connector", "board", "lastUpdated", "uses"})
"""Computed fields of an answer. If ``connector`` is sent back, the server stores it in the connection."""

MANAGED_BY, INTEGRATION, HASH, KEYS = "managed-by", "integration", "credentials-hash", "properties"
"""Keys of our metadata. None has a dot or a slash, which cause HTTP 500 (JsonRecordSupport.java:107-130)."""

MAX_QUOTE = 900
"""Bytes of the verifier's message, so that a message with it stays below 1 KiB."""


class ValueMissing(Failure):
    """A Secret or ConfigMap key that a Connection references does not exist."""


class SpecInvalid(Failure):
    """The spec of a Connection is invalid; another CRD for the kind may accept it."""

    stalls = True


def specification(document: Document) -> ConnectionSpec:
    """Validate and return the spec of a Connection. Raises ``SpecInvalid``."""
    try:
        return ConnectionSpec.model_validate(document.get("spec"))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, ("spec", *first["loc"])))
        raise SpecInvalid("InvalidSpec", f"{field}: {first['msg']}") from None


@dataclass(frozen=True, slots=True)
class DesiredConnection:
    """The desired connection. ``evidence`` identifies the stored one, ``credentials`` is the hash of its secrets."""

    id: str
    name: str
    connector: str
    description: str
    tags: tuple[str, ...]
    properties: dict[str, str] = field(repr=False)
    secret: frozenset[str]
    credentials: str
    evidence: ConnectionEvidence

    @property
    def secret_text(self) -> str:
        """All secret values as one text; the AMQP connector has one, the password."""
        return "\0".join(self.properties[key] for key in sorted(self.secret) if key in self.properties)

    def concerns(self, stored: Document) -> bool:
        """Return True if a stored connection is this one, or has its id or name."""
        return stored["id"] == self.id or stored.get("name") == self.name or is_ours(stored, self.evidence)

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata of the connection, which Syndesis does not compare (Equivalencer.java:449-461)."""
        return {
            MANAGED_BY: names.FIELD_MANAGER,
            INTEGRATION: self.evidence.marker,
            HASH: self.credentials,
            KEYS: ",".join(sorted(self.properties)),
        }


def desired_connection(
    document: Document,
    identifier: str,
    evidence: ConnectionEvidence,
    credentials: str,
    secret: frozenset[str],
    look_up: Lookup,
    look_up_config: Lookup = lambda name, key: None,
) -> DesiredConnection:
    """Return the desired connection of a rendered document, with referenced values. Raises ``ValueMissing``.

    Texts are trimmed and empty values are dropped, as the server does: otherwise they would always differ.
    """
    spec = specification(document)
    properties = dict(spec.configured_properties or {})
    for source in spec.configured_properties_from or ():
        kind, reference, look_up_value = "Secret", source.secret_key_ref, look_up
        if reference is None:
            kind, reference, look_up_value = "ConfigMap", source.config_map_key_ref, look_up_config
        assert reference is not None
        value = look_up_value(reference.name, reference.key)
        if value is not None:
            properties[source.property] = value
        elif not reference.optional:
            raise ValueMissing("ValueMissing", f"{kind} {reference.name} does not exist, or has no key {reference.key}")
    return DesiredConnection(
        id=identifier,
        name=(spec.name or "").strip() or document["metadata"]["name"],
        connector=spec.connector_id,
        description=spec.description or "",
        tags=tuple(tag.strip() for tag in spec.tags or () if tag.strip()),
        properties={key: value for key, value in properties.items() if value},
        secret=secret,
        credentials=credentials,
        evidence=evidence,
    )


def is_ours(stored: Document, evidence: ConnectionEvidence) -> bool:
    """Return True if a stored connection belongs to the pair of the evidence."""
    return judge_syndesis_connection(stored, evidence).ours


def is_marked(stored: Document, evidence: ConnectionEvidence) -> bool:
    """Return True if the metadata of a connection marks it as the pair's."""
    metadata = stored.get("metadata")
    return is_ours({"metadata": metadata}, evidence)


def new(desired: DesiredConnection, icon: str | None) -> Document:
    """Return the body that creates the connection."""
    body: Document = {
        "id": desired.id,
        "name": desired.name,
        "connectorId": desired.connector,
        "description": desired.description,
        "tags": list(desired.tags),
        "metadata": desired.metadata,
        "configuredProperties": desired.properties,
    }
    return {**body, "icon": icon} if icon else body


@dataclass(frozen=True, slots=True)
class Changes:
    """The differences of a stored connection: ``properties`` to set, ``removed`` ones, and the ``rest``."""

    properties: dict[str, str] = field(repr=False)
    removed: frozenset[str]
    rest: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.properties or self.removed or self.rest)


def stored_hash(stored: Document, secret: frozenset[str]) -> str:
    """Return a hash of the stored ciphertexts of the secret properties."""
    live = stored.get("configuredProperties") or {}
    text = "\0".join(f"{key}={live[key]}" for key in sorted(secret & live.keys()))
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]


def changes(
    stored: Document,
    desired: DesiredConnection,
    confirmed_credentials: str,
    confirmed_stored: str = "",
    *,
    keeps_metadata: bool = True,
) -> Changes:
    """Return the changes to write. ``confirmed_credentials`` is the credentials hash of the last success.

    It precedes the hash in the metadata, which the endpoint for properties does not update. ``confirmed_stored`` is the
    hash of the ciphertexts that were read back; if it is empty, any ciphertext is accepted.
    """
    live = stored.get("configuredProperties") or {}
    metadata = stored.get("metadata") or {}
    same_secrets = desired.credentials == (confirmed_credentials or metadata.get(HASH))
    same_secrets = same_secrets and confirmed_stored in ("", stored_hash(stored, desired.secret))
    properties = {
        key: value
        for key, value in desired.properties.items()
        if (not (same_secrets and is_encrypted(live.get(key))) if key in desired.secret else live.get(key) != value)
    }
    ours = {key for key in str(metadata.get(KEYS) or "").split(",") if key}
    removed = frozenset(key for key in ours if key in live and key not in desired.properties)
    fits = {
        "name": stored.get("name") == desired.name,
        "description": (stored.get("description") or "") == desired.description,
        "tags": set(desired.tags) <= set(stored.get("tags") or ()),
        "marker": is_marked(stored, desired.evidence) or not keeps_metadata,
        "keys": ours >= desired.properties.keys() or not keeps_metadata,  # needed to recognise our properties later
    }
    return Changes(properties, removed, tuple(name for name, fit in fits.items() if not fit))


def replacement(stored: Document, desired: DesiredConnection, differences: Changes, icon: str | None) -> Document:
    """Return the body that replaces a connection: a PUT deletes every absent field."""
    properties = {**(stored.get("configuredProperties") or {}), **differences.properties}
    body = {key: value for key, value in stored.items() if key not in COMPUTED and value is not None}
    body.update(
        id=stored["id"],
        name=desired.name,
        connectorId=desired.connector,
        description=desired.description,
        tags=sorted({*(stored.get("tags") or ()), *desired.tags}),
        metadata={**(stored.get("metadata") or {}), **desired.metadata},
        configuredProperties={key: value for key, value in properties.items() if key not in differences.removed},
    )
    if icon and not body.get("icon"):
        body["icon"] = icon
    return body


def is_encrypted(value: object) -> bool:
    """Return True if the value of a property is a ciphertext of the server."""
    return isinstance(value, str) and value.startswith(ENCRYPTED)


def check_of(results: list[VerifierResult], secrets: frozenset[str]) -> Check:
    """Return the result of the verifier; ``secrets`` are values that no message may contain."""
    if not results:
        return Check.failure("VerifierUnavailable", "Syndesis returned no result for the connection test")
    for result in results:
        if result.status == "OK":
            continue
        errors = [error for error in result.errors or () if error]
        message = "; ".join(error.description or error.code or "" for error in errors) or "no reason given"
        for value in sorted(secrets, key=len, reverse=True):
            message = message.replace(value, "***")
        message = sanitized(message, MAX_QUOTE)
        if result.status == "UNSUPPORTED":
            return Check.failure("VerificationUnsupported", "Syndesis cannot test this connector")
        if result.status != "ERROR" or any((error.code or "").startswith("SYNDESIS") for error in errors):
            return Check.failure("VerifierUnavailable", f"Syndesis could not test the connection: {message}")
        return Check.failure("VerificationFailed", f"Syndesis tested the connection: {message}")
    return Check.success("Verified", "Syndesis tested the connection, and it works")
