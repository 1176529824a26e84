"""What the status page shows, read from stores, guards and circuit breakers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from integration_operator import __version__
from integration_operator.backends import RemoteBackend
from integration_operator.cache import Cache
from integration_operator.controllers.integration.controller import IntegrationController
from integration_operator.domain.model.conditions import NO_REASON, State, cause_of
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.reasons import Effect, next_step_of
from integration_operator.domain.model.rotation import age_of
from integration_operator.runtime.lease import LeaderElector
from integration_operator.runtime.reflector import State as KindState
from integration_operator.runtime.text import sanitized
from integration_operator.state_metrics import SYSTEMS
from integration_operator.status_page.query import Query

PAGE_SIZE = 100
"""Integrations on a page: as many as a user looks through, in a page of up to 300 KiB."""

MAX_NAMES = 10
"""Namespaces that a guard names; one with more says how many there are."""

EFFECTS: dict[State, Effect] = {
    "stalled": Effect.USER,
    "reconciling": Effect.PASSES,
    "unreported": Effect.PASSES,
    "deleting": Effect.PASSES,
    "suspended": Effect.CHOSEN,
    "disabled": Effect.CHOSEN,
    "ready": Effect.FINE,
}
"""Who acts on each state. What a user has to look at comes first."""

RANK = {state: rank for rank, state in enumerate(EFFECTS)}

MARKDOWN_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Process:
    """The process that made the page. ``role`` is ``leading``, ``alone`` or ``standing by``."""

    version: str
    role: str
    identity: str
    leader: str
    source: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that the operator reads. Its last answer was ``seconds`` ago, None if there was none."""

    name: str
    state: str
    problem: str
    objects: int
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard or the circuit breakers of a system, and what they hold now."""

    name: str
    count: int
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """An Integration with the state that users see; ``age`` and ``since`` are durations as kubectl shows them."""

    namespace: str
    name: str
    address_space: str
    consumer: str
    state: str
    reason: str
    message: str
    who_acts: str
    next_step: str
    age: str
    since: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that a page shows. ``total`` Integrations match the query, on ``pages`` pages."""

    at: str
    process: Process
    kinds: list[Kind]
    guards: list[Guard]
    states: dict[str, int]
    reasons: list[str]
    query: Query
    total: int
    pages: int
    integrations: list[Row]


class Reporter:
    """Makes reports of the process of ``run``."""

    def __init__(
        self,
        cache: Cache,
        controller: IntegrationController,
        remote_backends: Mapping[str, RemoteBackend],
        elector: LeaderElector | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cache = cache
        self._controller = controller
        self._remote_backends = remote_backends
        self._elector = elector
        self._now = now

    def report(self, query: Query) -> Report:
        """Return what a query asks for. A page beyond the last is the last."""
        at = self._now()
        counts: dict[tuple[State, str], int] = self._cache.integrations.counts("state")
        states = dict.fromkeys(EFFECTS, 0)
        for (state, _), count in counts.items():
            states[state] += count
        matching = self._matching(query, counts)
        total = sum(map(len, matching.values()))
        pages = max(1, math.ceil(total / PAGE_SIZE))
        query = query.of_page(min(query.page, pages))
        return Report(
            at=at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            process=self._process(),
            kinds=list(self._kinds()),
            guards=list(self._guards()),
            states={str(state): count for state, count in states.items()},
            reasons=sorted({reason for _, reason in counts} - {NO_REASON}),
            query=query,
            total=total,
            pages=pages,
            integrations=[row_of(i, at) for i in _page(matching, query.page)],
        )

    def _matching(self, query: Query, keys: Iterable[tuple[State, str]]) -> dict[State, list[Integration]]:
        """Return the Integrations of a query by state, in the order of the states."""
        matching: dict[State, list[Integration]] = {}
        for state, reason in sorted(keys, key=lambda key: RANK[key[0]]):
            if query.state in ("", state) and query.reason in ("", reason):
                found = self._cache.integrations.by("state", (state, reason))
                if query.namespace:
                    found = [i for i in found if i.ref.namespace == query.namespace]
                matching.setdefault(state, []).extend(found)
        return matching

    def _process(self) -> Process:
        elector = self._elector
        role = "alone" if elector is None else "leading" if elector.is_leading else "standing by"
        return Process(
            version=__version__,
            role=role,
            identity=elector.identity if elector is not None else "",
            leader=sanitized(elector.holder) if elector is not None else "",
            source=self._cache.cluster_facts().source,
        )

    def _kinds(self) -> Iterable[Kind]:
        needed = self._cache.unsynced()
        for name, reflector in sorted(self._cache.reflectors.items()):
            unused = reflector.state is KindState.STARTING and name not in needed
            seconds = reflector.seconds_since_answer
            yield Kind(
                name,
                "not read" if unused else reflector.state.value,
                sanitized(reflector.problem),
                len(reflector.store),
                round(seconds) if seconds is not None else None,
            )

    def _guards(self) -> Iterable[Guard]:
        controller = self._controller
        for kind in ("AddressSpace", "Syndesis"):
            held = controller.mass_deletion.held(kind)
            yield Guard(f"mass deletion, {kind}", held, "vanished at once; their pairs are kept")
        yield Guard("teardowns", controller.teardowns.postponed, "pairs wait for their turn to be taken down")
        exhausted = sorted(controller.offers.exhausted_namespaces)
        shown = ", ".join(exhausted[:MAX_NAMES]) + (", …" if len(exhausted) > MAX_NAMES else "")
        yield Guard("offers", len(exhausted), f"namespaces have all the offers they may have: {shown or 'none'}")
        for delivery, system in SYSTEMS.items():
            if delivery in self._remote_backends:
                count = self._remote_backends[delivery].open_circuits()
                yield Guard(f"circuits, {system}", count, "servers fail; requests to them are held back")


def _page(matching: Mapping[State, list[Integration]], page: int) -> list[Integration]:
    """Return the Integrations of a page, by state, namespace and name. Only the states on the page are sorted."""
    start, end = (page - 1) * PAGE_SIZE, page * PAGE_SIZE
    found: list[Integration] = []
    before = 0
    for integrations in matching.values():
        first, last = max(0, start - before), max(0, end - before)
        if first < len(integrations) and last > 0:
            found += sorted(integrations, key=lambda i: i.ref)[first:last]
        before += len(integrations)
    return found


def row_of(integration: Integration, at: datetime) -> Row:
    """Return the row of an Integration, in whose status a tenant may have written anything."""
    state, cause = cause_of(integration.status, deleting=integration.live.deleting)
    reason = sanitized(_text(cause.get("reason")))
    space, spec = integration.spec.address_space_ref, integration.spec
    acts = EFFECTS[state]
    waits = acts in (Effect.USER, Effect.CHOSEN) or (acts is Effect.PASSES and reason)
    return Row(
        namespace=integration.ref.namespace,
        name=integration.ref.name,
        address_space=f"{space.namespace}/{space.name}" if space else "",
        consumer="binding" if integration.is_binding else f"Syndesis {spec.client}" if spec.client else "",
        state=state,
        reason=reason,
        message=sanitized(_text(cause.get("message"))),
        who_acts=acts.value,
        next_step=plain(next_step_of(reason)) if waits else "",
        age=age_of(integration.created, at),
        since=age_of(cause.get("lastTransitionTime"), at) if cause else "",
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def plain(markdown: str) -> str:
    """Return a text of the documentation without its marks."""
    return MARKDOWN_LINK.sub(r"\1", markdown).replace("`", "")
