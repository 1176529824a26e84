"""Names of everything that the operator creates: deterministic, readable, and different for different pairs.

The parts of a name are joined by dots. Neither a namespace (RFC 1123 label) nor the name of an AddressSpace that
EnMasse accepts (``[a-z0-9-]``, AddressSpaceNameValidator.java:17) contains a dot. The name of a Syndesis may, and comes
last: two pairs never share a name. A name that is too long is cut, and a hash of the whole is appended. A binding and a
Syndesis may have one name: what would be the same for both differs in a part that no name contains, or in its suffix.

A user name is different: every release of EnMasse requires ``[a-z0-9-]``, which leaves no separator. It always has the
hash.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref

LABEL_LIMIT = 63
"""Characters of a label's value, and of a generated user name (Keycloak allows 3 to 255)."""
OBJECT_LIMIT = 253 - len("-credentials")
"""Characters of a DNS-1123 subdomain, without the longest suffix that is appended."""
HASH_LENGTH = 8
CUT_HASH_LENGTH = 20
"""Hexadecimal digits after a name that was cut. Only the hash then distinguishes two pairs, and a tenant may choose the
rest of a name: 8 digits of another pair are found within minutes by trying, 20 are not."""

PROOF_OF_CONCEPT_NAME = re.compile(r"^enmasse-(?P<space>.+)-to-fuse$")
"""The names that the proof of concept gave to Integrations."""


def integration_label(pair: Pair) -> str:
    """Return the value of the label that all objects of a pair carry, at most 63 characters."""
    consumer = f"binding_{pair.consumer.name}" if pair.is_binding else pair.consumer.name  # no name contains "_"
    return _fit(f"{pair.space.namespace}.{pair.space.name}.{pair.consumer.namespace}.{consumer}", LABEL_LIMIT)


def integration_name(pair: Pair) -> str:
    """Return the name of a pair's offer and Connection, in the consumer's namespace. A binding has neither."""
    return _fit(f"{pair.space.namespace}.{pair.space.name}.{pair.consumer.name}", OBJECT_LIMIT)


def secret_name(pair: Pair) -> str:
    """Return the name of the Secret with a pair's credential, in the consumer's namespace."""
    return f"{integration_name(pair)}-{'binding' if pair.is_binding else 'credentials'}"


def connection_ref(pair: Pair) -> Ref:
    """Return the namespace and name of a pair's Connection."""
    return Ref(pair.consumer.namespace, integration_name(pair))


def secret_ref(pair: Pair) -> Ref:
    """Return the namespace and name of a pair's Secret."""
    return Ref(pair.consumer.namespace, secret_name(pair))


def username(pair: Pair) -> str:
    """Return the first of a pair's user names: unique in its AddressSpace, ``[a-z0-9-]``, 12 to 63 characters."""
    return usernames(pair)[0]


@lru_cache(maxsize=4096)
def usernames(pair: Pair) -> tuple[str, str]:
    """Return the two user names that a pair's generated login may have.

    A login that is created a second time, beside the first, takes the other name. The name of a binding always has the
    long hash, because any editor of a namespace chooses names of Integrations.
    """
    consumer = re.sub(r"[^a-z0-9-]+", "-", f"{pair.consumer.namespace}-{pair.consumer.name}".lower()).strip("-")
    is_short = len(consumer) < LABEL_LIMIT - HASH_LENGTH and not pair.is_binding
    digits = HASH_LENGTH if is_short else CUT_HASH_LENGTH
    stem = consumer[: LABEL_LIMIT - digits - 1].rstrip("-")
    hashed = f"binding {pair.consumer}" if pair.is_binding else str(pair.consumer)
    return f"{stem}-{_hash(hashed, digits)}", f"{stem}-{_hash(f'{hashed} 2', digits)}"


def other_username(pair: Pair, username: str) -> str:
    """Return the generated user name that is not this one."""
    first, second = usernames(pair)
    return second if username == first else first


GENERATED_USERNAME = re.compile(rf".*-(?:[0-9a-f]{{{HASH_LENGTH}}}|[0-9a-f]{{{CUT_HASH_LENGTH}}})")
"""The form of generated user names. A user who chooses such a name could take another pair's."""


def connection_id(pair: Pair) -> str:
    """Return the id of a pair's connection in Syndesis, ``[a-z0-9-]``.

    Syndesis refuses a dot (JsonRecordSupport.java:107-130). An underscore also matches every other connection whose id
    differs only in that character (SqlJsonDB.java:305-330).
    """
    return f"enm-{hashlib.sha256(str(pair).encode()).hexdigest()[:24]}"


def controller_connection_id(connection: Ref) -> str:
    """Return the id of the connection in Syndesis that the connection controller creates for a Connection."""
    return f"con-{hashlib.sha256(str(connection).encode()).hexdigest()[:24]}"


def user_ref(pair: Pair, user: str | None = None) -> Ref:
    """Return the namespace and name of a pair's MessagingUser: ``<space>.<user>`` beside the AddressSpace."""
    return Ref(pair.space.namespace, f"{pair.space.name}.{user or username(pair)}")


def space_of_proof_of_concept(name: str) -> str | None:
    """Return the AddressSpace's name in the name of an Integration of the proof of concept; None in any other."""
    match = PROOF_OF_CONCEPT_NAME.match(name)
    return match["space"] if match else None


def proof_of_concept_name(space: Ref) -> str:
    """Return the name that the proof of concept gave to the Integration and the login of an AddressSpace."""
    return f"enmasse-{space.name}-to-fuse"


def _fit(name: str, limit: int) -> str:
    if len(name) <= limit:
        return name
    return f"{name[: limit - CUT_HASH_LENGTH - 1].rstrip('.-')}-{_hash(name, CUT_HASH_LENGTH)}"


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
