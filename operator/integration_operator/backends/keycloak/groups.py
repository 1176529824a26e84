"""What a user may do is which groups it is in: the names that EnMasse's brokers understand, by release.

A group is ``<operation>_<address>``, taken apart by EnMasse's SASL plug-in (``AmqpServer.java``,
``getPermissionsFromGroups``). How the address is written in it, and what a broker matches, has changed:

====================  ==============================  =======================================  ===================
release               send, recv                      manage                                   view
====================  ==============================  =======================================  ===================
0.22                  as it is, and ``*`` as ``#``    ``manage`` and ``manage_#``              none, see below
0.23 to 0.25          URL-encoded, and ``*`` as ``#`` ``manage`` and ``manage_#``              none, see below
0.26                  URL-encoded, and ``*`` as ``#`` ``manage`` and ``manage_#``              ``monitor`` (also ``_#``)
0.27 to 0.30          URL-encoded                     ``manage``                               ``monitor``
====================  ==============================  =======================================  ===================

(``KeycloakUserApi.java:156-177`` in 0.22.0, ``:402-431`` in 0.30.3.) The ``#`` is for brokered spaces, whose broker
compares literally before 0.26; a standard space needs none. Before 0.26 ``monitor`` is no name that EnMasse can read
back: its list of the namespace's users would fail, so there ``view`` gives nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

PERMISSIONS = ("send", "recv", "view", "browse", "consume", "create", "delete", "manage", "monitor", "admin")
"""All that a group's name can grant. EnMasse fails on reading back a user in ``browse_…`` or ``admin``."""

Release = tuple[int, int]


def group_names(
    authorization: Sequence[Mapping[str, Any]], *, address_space_type: str, release: str | None
) -> tuple[str, ...]:
    """The groups for a MessagingUser's ``authorization``, each once, in its order.

    Where the release is not known: what is right for all of them, which are the encoded names, and for brokered spaces
    those with ``#``.
    """
    known = release_of(release)
    hashed = address_space_type == "brokered" and (known is None or known <= (0, 26))
    names: dict[str, None] = {}
    for rule in authorization:
        for operation in rule.get("operations") or ():
            for name in _names_of(operation, rule.get("addresses") or (), known):
                names[name] = None
                if hashed and (variant := _hashed(name)) is not None:
                    names[variant] = None
    return tuple(names)


def is_permission(name: str) -> bool:
    """Whether a group of this name lets its members do something in EnMasse."""
    return name.partition("_")[0] in PERMISSIONS


def release_of(text: str | None) -> Release | None:
    """Major and minor number of ``0.26`` or ``0.26.7``."""
    parts = (text or "").split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit() else None


def encoded(address: str) -> str:
    """As Java's ``URLEncoder`` writes it: ``*`` stays, a space is ``+``, ``~`` does not stay."""
    return quote_plus(address, safe="*").replace("~", "%7E")


def _names_of(operation: str, addresses: Iterable[str], release: Release | None) -> list[str]:
    if operation in ("send", "recv"):  # without an address it grants nothing
        return [f"{operation}_{address if release == (0, 22) else encoded(address)}" for address in addresses]
    if operation == "manage":
        return ["manage"]
    if operation == "view" and release is not None and release >= (0, 26):
        return ["monitor"]
    return []


def _hashed(name: str) -> str | None:
    """The name that a brokered space's broker matches: ``send_#`` for ``send_*``, ``manage_#`` for ``manage``."""
    if name in ("manage", "monitor"):
        return f"{name}_#"
    return name.replace("*", "#") if "*" in name else None
