"""Names of everything the operator makes: deterministic, readable, and different for different pairs.

The parts of a name are joined by dots. Neither a namespace (RFC 1123 label) nor an AddressSpace that EnMasse accepts
(``[a-z0-9-]``, AddressSpaceNameValidator.java:17) contains one, and the Syndesis, which may, comes last: so two
pairs never share a name. Where a length is exceeded the name is cut and a hash of the whole is put behind it.

A user name is different: EnMasse wants ``[a-z0-9-]`` in every release, where nothing is left to join by. It always
carries the hash.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref

LABEL_LIMIT = 63
"""Of a label's value, and of what we choose for a user (Keycloak allows 3 to 255)."""
OBJECT_LIMIT = 253 - len("-credentials")
"""Of a DNS-1123 subdomain, less the longest suffix put behind it."""
HASH_LENGTH = 8
CUT_HASH_LENGTH = 20
"""Hexadecimal digits behind a name that was cut. Then the hash alone tells two pairs apart, and a tenant may choose the
rest of a name: another pair's 8 digits are found within minutes by trying, 20 are not."""

PROOF_OF_CONCEPT_NAME = re.compile(r"^enmasse-(?P<space>.+)-to-fuse$")
"""The name under which the proof of concept stored its Integrations."""


def integration_label(pair: Pair) -> str:
    """The value of the label that everything made for a pair carries, ≤ 63 characters."""
    return _fit(f"{pair.space.namespace}.{pair.space.name}.{pair.syndesis.namespace}.{pair.syndesis.name}", LABEL_LIMIT)


def integration_name(pair: Pair) -> str:
    """The name of the Integration we offer, and of its Connection, in the Syndesis's namespace."""
    return _fit(f"{pair.space.namespace}.{pair.space.name}.{pair.syndesis.name}", OBJECT_LIMIT)


def secret_name(pair: Pair) -> str:
    """The name of the Secret with the pair's credential, in the Syndesis's namespace."""
    return f"{integration_name(pair)}-credentials"


def connection_ref(pair: Pair) -> Ref:
    """Where the pair's Connection is."""
    return Ref(pair.syndesis.namespace, integration_name(pair))


def secret_ref(pair: Pair) -> Ref:
    """Where the pair's credential is."""
    return Ref(pair.syndesis.namespace, secret_name(pair))


def username(pair: Pair) -> str:
    """Return the messaging user's name: unique within its AddressSpace, ``[a-z0-9-]``, 12 to 63 characters."""
    return usernames(pair)[0]


@lru_cache(maxsize=4096)
def usernames(pair: Pair) -> tuple[str, str]:
    """Return the two names that a pair's generated login may have: it goes over to the other one if it is made anew
    beside itself.
    """
    syndesis = re.sub(r"[^a-z0-9-]+", "-", f"{pair.syndesis.namespace}-{pair.syndesis.name}".lower()).strip("-")
    digits = HASH_LENGTH if len(syndesis) < LABEL_LIMIT - HASH_LENGTH else CUT_HASH_LENGTH
    stem = syndesis[: LABEL_LIMIT - digits - 1].rstrip("-")
    return f"{stem}-{_hash(str(pair.syndesis), digits)}", f"{stem}-{_hash(f'{pair.syndesis} 2', digits)}"


def other_username(pair: Pair, username: str) -> str:
    """Return the generated name that is free while the login has this one."""
    first, second = usernames(pair)
    return second if username == first else first


GENERATED_USERNAME = re.compile(rf".*-(?:[0-9a-f]{{{HASH_LENGTH}}}|[0-9a-f]{{{CUT_HASH_LENGTH}}})")
"""What every generated user name looks like; a user who chooses such a name could take another pair's."""


def connection_id(pair: Pair) -> str:
    """The id of the pair's connection in Syndesis, ``[a-z0-9-]``.

    A dot is refused there (JsonRecordSupport.java:107-130), and an underscore also means every other connection whose
    id differs in that one character (SqlJsonDB.java:305-330).
    """
    return f"enm-{hashlib.sha256(str(pair).encode()).hexdigest()[:24]}"


def controller_connection_id(connection: Ref) -> str:
    """Return the id of the connection in Syndesis that the connection controller creates for a Connection."""
    return f"con-{hashlib.sha256(str(connection).encode()).hexdigest()[:24]}"


def user_ref(pair: Pair, user: str | None = None) -> Ref:
    """Where the pair's MessagingUser is: ``<space>.<user>`` in the AddressSpace's namespace."""
    return Ref(pair.space.namespace, f"{pair.space.name}.{user or username(pair)}")


def space_of_proof_of_concept(name: str) -> str | None:
    """The AddressSpace's name in the name of an Integration that the proof of concept made."""
    match = PROOF_OF_CONCEPT_NAME.match(name)
    return match["space"] if match else None


def proof_of_concept_name(space: Ref) -> str:
    """Return the name that the proof of concept gave to Integration and login of an AddressSpace."""
    return f"enmasse-{space.name}-to-fuse"


def is_from_proof_of_concept(username: str, space: Ref) -> bool:
    """Check if a login has the name that the proof of concept gave to its login in this AddressSpace."""
    return space_of_proof_of_concept(username) == space.name


def _fit(name: str, limit: int) -> str:
    if len(name) <= limit:
        return name
    return f"{name[: limit - CUT_HASH_LENGTH - 1].rstrip('.-')}-{_hash(name, CUT_HASH_LENGTH)}"


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
