"""A rendered Connection as Syndesis's server keeps it, and what of a stored one differs from it. Pure.

The password comes back as a ciphertext that is another one with each encryption, so a change of the wanted one is seen
by a salted hash that is kept beside it (EncryptionComponent.java:38-71). Syndesis leaves a stored ciphertext as it is,
over restarts and changes of other properties (observed on 1.13.2): one that is not the noted one was written by a user.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from integration_operator.api import names
from integration_operator.api.connection import ConnectionSpec
from integration_operator.domain.model.checks import Check
from integration_operator.domain.policies.ownership import ConnectionEvidence, judge_syndesis_connection
from integration_operator.runtime.errors import Failure
from integration_operator.runtime.text import sanitized

Document = dict[str, Any]
Lookup = Callable[[str, str], str | None]
"""The value of a key of a Secret or ConfigMap, by object name and key."""

ENCRYPTED = "\u00bbENC:"
"""What stored secrets begin with (EncryptionComponent.java:38)."""

COMPUTED = frozenset({"connector", "board", "lastUpdated", "uses"})
"""What an answer holds besides the connection. Sent back, ``connector`` would be embedded in it for good."""

MANAGED_BY, INTEGRATION, HASH, KEYS = "managed-by", "integration", "credentials-hash", "properties"
"""Keys of the metadata that tell ours. None has a dot or a slash: the server refuses those with 500
(JsonRecordSupport.java:107-130)."""

MAX_PLATFORM_MESSAGE = 900
"""Bytes of what the verifier said, so that a message with it stays under 1 KiB."""


class ValueMissing(Failure):
    """A value that a Connection names is not where it says."""


class SpecInvalid(Failure):
    """The spec of a Connection is not what its kind allows; a CRD that is not ours may let it pass."""

    stalls = True


def specification(document: Document) -> ConnectionSpec:
    """Return the spec of a Connection, checked. Raises ``SpecInvalid``."""
    try:
        return ConnectionSpec.model_validate(document.get("spec"))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, ("spec", *first["loc"])))
        raise SpecInvalid("InvalidSpec", f"{field}: {first['msg']}") from None


@dataclass(frozen=True, slots=True)
class DesiredConnection:
    """A connection as it is to be: ``evidence`` tells whether a stored one is it, ``credentials`` hashes its
    secrets."""

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
        """All secret values in one text; the AMQP connector has one, the password."""
        return "\0".join(self.properties[key] for key in sorted(self.secret) if key in self.properties)

    def concerns(self, stored: Document) -> bool:
        """Check if a stored connection is this one, or has its id or its name."""
        return stored["id"] == self.id or stored.get("name") == self.name or is_ours(stored, self.evidence)

    @property
    def metadata(self) -> dict[str, str]:
        """What is written beside the connection, never compared by Syndesis (Equivalencer.java:449-461)."""
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
    """Return what a rendered Connection asks for, with the values that it only names. Raises ``ValueMissing``.

    It is put as the server would show it, which trims, and leaves out what is empty: else it differed at every look.
    """
    spec = specification(document)
    properties = dict(spec.configured_properties or {})
    for source in spec.configured_properties_from or ():
        kind, reference, find = "Secret", source.secret_key_ref, look_up
        if reference is None:
            kind, reference, find = "ConfigMap", source.config_map_key_ref, look_up_config
        assert reference is not None
        value = find(reference.name, reference.key)
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
    """Check if a stored connection was made for what the evidence tells of."""
    return judge_syndesis_connection(stored, evidence).ours


def is_marked(stored: Document, evidence: ConnectionEvidence) -> bool:
    """Check if a connection's own metadata says what it was made for."""
    metadata = stored.get("metadata")
    return is_ours({"metadata": metadata}, evidence)


def new(desired: DesiredConnection, icon: str | None) -> Document:
    """The body that makes the connection."""
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
    """What of a stored connection differs: ``properties`` to be set, and whether anything else does."""

    properties: dict[str, str] = field(repr=False)
    removed: frozenset[str]
    rest: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.properties or self.removed or self.rest)


def stored_hash(stored: Document, secret: frozenset[str]) -> str:
    """Return a hash of the ciphertexts that are stored for the secret properties."""
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
    """Return what has to be written. ``confirmed_credentials`` is the hash that was noted with the last success.

    It goes before the one beside the connection, which the call for properties leaves as it was. ``confirmed_stored``
    is the hash of the ciphertexts that were read back then; if it is not known, any ciphertext is taken for ours.
    """
    live = stored.get("configuredProperties") or {}
    noted = stored.get("metadata") or {}
    known = desired.credentials == (confirmed_credentials or noted.get(HASH))
    known = known and confirmed_stored in ("", stored_hash(stored, desired.secret))
    properties = {
        key: value
        for key, value in desired.properties.items()
        if (not (known and is_encrypted(live.get(key))) if key in desired.secret else live.get(key) != value)
    }
    ours = {key for key in str(noted.get(KEYS) or "").split(",") if key}
    removed = frozenset(key for key in ours if key in live and key not in desired.properties)
    fits = {
        "name": stored.get("name") == desired.name,
        "description": (stored.get("description") or "") == desired.description,
        "tags": set(desired.tags) <= set(stored.get("tags") or ()),
        "marker": is_marked(stored, desired.evidence) or not keeps_metadata,
        "keys": ours >= desired.properties.keys() or not keeps_metadata,  # else none could be told to be ours later
    }
    return Changes(properties, removed, tuple(name for name, fit in fits.items() if not fit))


def replacement(stored: Document, desired: DesiredConnection, found: Changes, icon: str | None) -> Document:
    """The body that replaces a connection: a PUT loses every field that is left out."""
    properties = {**(stored.get("configuredProperties") or {}), **found.properties}
    body = {key: value for key, value in stored.items() if key not in COMPUTED and value is not None}
    body.update(
        id=stored["id"],
        name=desired.name,
        connectorId=desired.connector,
        description=desired.description,
        tags=sorted({*(stored.get("tags") or ()), *desired.tags}),
        metadata={**(stored.get("metadata") or {}), **desired.metadata},
        configuredProperties={key: value for key, value in properties.items() if key not in found.removed},
    )
    if icon and not body.get("icon"):
        body["icon"] = icon
    return body


def is_encrypted(value: object) -> bool:
    """Whether a property's value is a ciphertext of the server."""
    return isinstance(value, str) and value.startswith(ENCRYPTED)


def check_of(results: list[Document], secrets: frozenset[str]) -> Check:
    """Return what the verifier said, as one answer; ``secrets`` are values that no message may repeat."""
    if not results:
        return Check.failure("VerifierUnavailable", "Syndesis did not say whether the connection works")
    for result in results:
        if result.get("status") == "OK":
            continue
        given = result.get("errors")
        errors = [e for e in given if isinstance(e, dict)] if isinstance(given, list) else []
        said = "; ".join(str(e.get("description") or e.get("code") or "") for e in errors) or "no reason given"
        for value in sorted(secrets, key=len, reverse=True):
            said = said.replace(value, "***")
        said = sanitized(said, MAX_PLATFORM_MESSAGE)
        if result.get("status") == "UNSUPPORTED":
            return Check.failure("VerificationUnsupported", "Syndesis cannot try this connector")
        if result.get("status") != "ERROR" or any(str(e.get("code", "")).startswith("SYNDESIS") for e in errors):
            return Check.failure("VerifierUnavailable", f"Syndesis could not try the connection: {said}")
        return Check.failure("VerificationFailed", f"Syndesis tried the connection: {said}")
    return Check.success("Verified", "Syndesis tried the connection, and it works")
