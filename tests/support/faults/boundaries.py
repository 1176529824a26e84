"""Boundaries: the requests and events of a scenario at which a fault can be injected.

A boundary has the same name in each run of a scenario: what is generated in a run, such as the suffix of a namespace or
a hash, is replaced in it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

Sort = Literal["write", "list", "event"]

GENERATED = re.compile(r"[0-9a-f]{6,}(-[0-9a-f]{4,})*")
"""What differs between two runs in names and ids."""

ROOT = re.compile(r"^/(?:api|apis/[^/]+)/[^/]+/")
NAMESPACE = re.compile(r"^namespaces/([^/]+)/(?=.)")

NO_WRITES = ("/verifier", "/openid-connect/token")
"""Ends of paths of requests that are no GET and change nothing."""


ELECTION = re.compile(r"^[A-Z]+ leases( |$)")


@dataclass(frozen=True, slots=True)
class Boundary:
    """A write, a LIST or an event of a watch; ``number`` counts those with the same description in a scenario."""

    server: str
    sort: Sort
    what: str
    number: int = 0

    def __str__(self) -> str:
        return f"{self.server} {self.sort} {self.what} #{self.number}"

    @property
    def is_event_record(self) -> bool:
        """True for the write of a Kubernetes Event, which is best effort."""
        return self.what.startswith("POST events")

    @property
    def may_merge(self) -> bool:
        """True if a run may have fewer such requests than another.

        What a process reports, it reports once, and how often it renews a Lease depends on the time that a run takes.
        """
        return (
            self.sort == "event"
            or self.is_event_record
            or self.what.endswith("/status")
            or is_of_the_election(self.what)
        )


class Numbering:
    """Gives equal boundaries of one run their numbers."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str, str]] = Counter()

    def next(self, server: str, sort: Sort, what: str) -> Boundary:
        """Return the boundary of a request or event that happens now."""
        what = GENERATED.sub("*", what)
        number = self._seen[server, sort, what]
        self._seen[server, sort, what] += 1
        return Boundary(server, sort, what, number)


def is_write(method: str, path: str) -> bool:
    """Return True if a request changes something on its server."""
    return method in ("POST", "PUT", "PATCH", "DELETE") and not path.endswith(NO_WRITES)


def overtaker(server: str, what: str) -> str:
    """Return the write after which an overtaken one is applied: the same, or what creates a deleted object anew."""
    if server == "kubernetes" and what.startswith("DELETE "):
        return what.replace("DELETE", "PATCH", 1)
    return what


def is_of_the_election(what: str) -> bool:
    """Return True for a request with which processes elect a leader."""
    return ELECTION.match(what) is not None


def short(path: str) -> str:
    """Return a path without the part that all paths of its API have, as ``kind namespace/name``."""
    rest = ROOT.sub("", path)
    namespace = NAMESPACE.match(rest)
    rest = NAMESPACE.sub("", rest)
    kind, _, name = rest.partition("/")
    inside = f"{namespace[1]}/" if namespace else ""
    return f"{kind} {inside}{name}".strip() if name or inside else kind


def plural_of_collection(path: str) -> str | None:
    """Return the plural of a cluster-wide or namespaced collection of the Kubernetes API; None for another path."""
    if not ROOT.match(path):
        return None
    rest = NAMESPACE.sub("", ROOT.sub("", path))
    return rest if rest and "/" not in rest else None
