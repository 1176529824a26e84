"""Permissions of a user are groups in Keycloak; their names depend on the release of EnMasse.

A group is ``<operation>_<address>``, parsed by EnMasse's SASL plug-in (``AmqpServer.java``,
``getPermissionsFromGroups``). The encoding of the address, and what a broker matches, depend on the release:

====================  ==============================  =======================================  ===================
release               send, recv                      manage                                   view
====================  ==============================  =======================================  ===================
0.22                  unchanged, and ``*`` as ``#``   ``manage`` and ``manage_#``              none, see below
0.23 to 0.25          URL-encoded, and ``*`` as ``#`` ``manage`` and ``manage_#``              none, see below
0.26                  URL-encoded, and ``*`` as ``#`` ``manage`` and ``manage_#``              ``monitor`` (also ``_#``)
0.27 to 0.30          URL-encoded                     ``manage``                               ``monitor``
====================  ==============================  =======================================  ===================

(``KeycloakUserApi.java:156-177`` in 0.22.0, ``:402-431`` in 0.30.3.) The ``#`` is for brokered spaces, whose broker
compares literally before 0.26; a standard space does not need it. Before 0.26 EnMasse cannot parse ``monitor`` and
would fail to list the users of the namespace, so ``view`` grants nothing there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

PERMISSIONS = ("send", "recv", "view", "browse", "consume", "create", "delete", "manage", "monitor", "admin")
"""Operations that the name of a group can grant. EnMasse fails to read a user in ``browse_…`` or ``admin``."""

Release = tuple[int, int]


def group_names(
    authorization: Sequence[Mapping[str, Any]], *, address_space_type: str, release: str | None
) -> tuple[str, ...]:
    """Return the groups for the ``authorization`` of a MessagingUser, without duplicates and in order.

    If the release is unknown, return names that work in all releases: encoded, and with ``#`` for brokered spaces.
    """
    version = release_of(release)
    needs_hash = address_space_type == "brokered" and (version is None or version <= (0, 26))
    names: dict[str, None] = {}
    for rule in authorization:
        for operation in rule.get("operations") or ():
            for name in _names_of(operation, rule.get("addresses") or (), version):
                names[name] = None
                if needs_hash and (variant := _hash_variant(name)) is not None:
                    names[variant] = None
    return tuple(names)


def is_permission(name: str) -> bool:
    """Return True if a group of this name grants a permission in EnMasse."""
    return name.partition("_")[0] in PERMISSIONS


def release_of(text: str | None) -> Release | None:
    """Return major and minor number of ``0.26`` or ``0.26.7``, None for any other text."""
    parts = (text or "").split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit() else None


def url_encode(address: str) -> str:
    """Encode as Java's ``URLEncoder``: ``*`` is kept, a space becomes ``+``, ``~`` is encoded."""
    return quote_plus(address, safe="*").replace("~", "%7E")


def _names_of(operation: str, addresses: Iterable[str], release: Release | None) -> list[str]:
    if operation in ("send", "recv"):  # grants nothing without an address
        return [f"{operation}_{address if release == (0, 22) else url_encode(address)}" for address in addresses]
    if operation == "manage":
        return ["manage"]
    if operation == "view" and release is not None and release >= (0, 26):
        return ["monitor"]
    return []


def _hash_variant(name: str) -> str | None:
    """Return the name that a brokered space matches: ``send_#`` for ``send_*``, ``manage_#`` for ``manage``."""
    if name in ("manage", "monitor"):
        return f"{name}_#"
    return name.replace("*", "#") if "*" in name else None
