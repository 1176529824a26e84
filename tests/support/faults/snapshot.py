"""All that exists at one moment, read from outside: the API server, the platforms' own stores, and Keycloak."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.support.documents import path
from tests.support.faults.admin import Admin, Document
from tests.support.faults.expectation import Ref

KINDS = ("Integration", "Secret", "MessagingUser", "Connection", "AddressSpace", "Syndesis")


@dataclass
class StoredConnection:
    """A connection as a Syndesis stores it, with the password in plain text."""

    id: str
    properties: dict[str, str]


@dataclass
class Snapshot:
    """What exists in some namespaces."""

    objects: dict[str, list[Document]]
    logins: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Passwords that the simulated EnMasse accepts, by namespace, AddressSpace and user name."""
    reconciled: dict[Ref, StoredConnection] = field(default_factory=dict)
    """Connections that a Syndesis made of resources."""
    rest: list[StoredConnection] = field(default_factory=list)
    """Connections that were created over REST, without those that the scenario stored for others."""
    keycloak: dict[str, list[Document]] = field(default_factory=dict)
    """Users by realm; empty without a Keycloak."""

    def find(self, kind: str, ref: Ref) -> Document | None:
        """Return one object."""
        return next((item for item in self.objects[kind] if ref_of(item) == ref), None)

    def integrations_of(self, space: Ref, syndesis: Ref) -> list[Document]:
        """Return the Integrations of a pair."""
        return [item for item in self.objects["Integration"] if _concerns(item, space, syndesis)]


async def read_objects(admin: Admin, namespaces: Iterable[str]) -> dict[str, list[Document]]:
    """Return all objects in some namespaces, by kind."""
    inside = set(namespaces)
    lists = await asyncio.gather(*(admin.items(path(kind)) for kind in KINDS))
    return {
        kind: [{"kind": kind, **item} for item in items if item["metadata"]["namespace"] in inside]
        for kind, items in zip(KINDS, lists, strict=True)
    }


def ref_of(item: Document) -> Ref:
    """Return namespace and name of an object."""
    return Ref(item["metadata"]["namespace"], item["metadata"]["name"])


def secret_value(secret: Document, key: str) -> str:
    """Return a value of a Secret in plain text; empty if it is absent."""
    return base64.b64decode((secret.get("data") or {}).get(key, "")).decode(errors="replace")


def condition(integration: Document, type_: str) -> dict[str, Any]:
    """Return a condition; empty if there is none."""
    conditions = (integration.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item["type"] == type_), {})


def _concerns(integration: Document, space: Ref, syndesis: Ref) -> bool:
    spec = integration.get("spec") or {}
    reference = spec.get("addressSpaceRef") or {}
    named = Ref(reference.get("namespace") or integration["metadata"]["namespace"], reference.get("name", ""))
    consumer = integration["metadata"]["name"] if spec.get("consumer") == "binding" else spec.get("client")
    here = Ref(integration["metadata"]["namespace"], consumer or "")
    return named == space and here == syndesis
