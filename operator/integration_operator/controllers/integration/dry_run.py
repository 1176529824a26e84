"""A dry run: plans are made as in the operator, and carried out in a cache alone. Nothing is requested or written.

``render``, ``explain``, ``migrate`` and the admission server use it, so that what they say is what the operator would
do.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from integration_operator.api import names
from integration_operator.cache import Cache
from integration_operator.controllers.integration.gather import Gatherer, Key
from integration_operator.controllers.integration.guards import MassDeletionGuard
from integration_operator.controllers.integration.offline import completed
from integration_operator.controllers.integration.remote_state import RemoteStateStore
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import (
    Action,
    Apply,
    ChildKind,
    Delete,
    DeleteRemote,
    EnsureRemote,
    Release,
    SetFinalizer,
)
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.facts import Facts, PlanSettings
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.remote_state import Presence, RemoteState
from integration_operator.domain.plan.manifests import Templates
from integration_operator.domain.plan.plan import Plan, plan_pair
from integration_operator.domain.policies.integrations import rank
from integration_operator.runtime.live_object import owned_fields
from integration_operator.runtime.managed_fields import (
    kept_managed_fields,
    managed_fields,
    merged,
    without_former_fields,
)
from integration_operator.runtime.ref import Ref

Document = dict[str, Any]

MAX_PASSES = 8


class DryRun:
    """Plans for what a cache holds.

    ``share`` is the setting ``mass_delete_share``: 1.0 holds nothing. ``proposed`` is an Integration that counts as
    stored.
    """

    def __init__(
        self,
        cache: Cache,
        settings: PlanSettings,
        *,
        share: float = 1.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        proposed: Integration | None = None,
    ) -> None:
        self.cache = cache
        self._remote_states = RemoteStateStore(math.inf, lambda: 0.0)
        self.gatherer = Gatherer(
            cache, MassDeletionGuard(share), settings, self._remote_states, now=now, proposed=proposed
        )
        self._deletions: Counter[tuple[str, Ref]] = Counter()
        if share < 1.0:
            self._hold_vanished()

    def pairs(self) -> list[Pair]:
        """Return the pairs that the cache is about, in order."""
        return sorted(key for key in self.gatherer.all_keys() if isinstance(key, Pair))

    def unpaired(self) -> list[Key]:
        """Return the Integrations that have no pair."""
        return sorted(key for key in self.gatherer.all_keys() if not isinstance(key, Pair))

    def facts(self, pair: Pair) -> Facts:
        """Return the facts of a pair."""
        return self.gatherer.facts(pair)

    def plan(self, pair: Pair, templates: Templates) -> Plan:
        """Return the plan for a pair now."""
        return plan_pair(self.facts(pair), templates)

    def settle(
        self, pair: Pair, templates: Templates, *, before: Callable[[Action], None] = lambda action: None
    ) -> tuple[list[Action], Plan]:
        """Carry out the plans for a pair until none has actions; return all actions and the last plan.

        ``before`` is called with each action before it is carried out.
        """
        actions: list[Action] = []
        for _ in range(MAX_PASSES):
            plan = self.plan(pair, templates)
            if not plan.actions:
                break
            actions += plan.actions
            for action in plan.actions:
                before(action)
                self._execute(pair, action)
        return actions, plan

    def merge(self, kind: str, ref: Ref, document: Document, *, applied: Document | None = None) -> None:
        """Change fields of an object; ``applied`` is the document that our field manager has applied."""
        store = self.cache.store(kind)
        cached = store.get(ref)
        live = cached.live if isinstance(cached, Integration) else cached
        before = live.document if live else {}
        if live is not None and applied is not None:
            before = without_former_fields(before, owned_fields(live.owned), applied)
        changed = completed(merged(before, document))
        if applied is not None:
            changed["metadata"]["managedFields"] = managed_fields(applied, names.FIELD_MANAGER)
        else:
            changed["metadata"]["managedFields"] = kept_managed_fields(live, names.FIELD_MANAGER)
        store.record_write(changed)

    def _execute(self, pair: Pair, action: Action) -> None:
        """Change the cache as an action does that succeeds."""
        match action:
            case Apply():
                document = {**action.document, **_answer_of_platform(action)}
                if deletions := self._deletions[action.kind, action.ref]:
                    again = f"(uid of {action.kind} {action.ref}, created {deletions} times before)"
                    document["metadata"] = {**document["metadata"], "uid": again}
                self.merge(action.kind, action.ref, document, applied=action.document)
            case Delete():
                self.cache.store(action.kind).record_delete(action.ref, action.uid)
                self._deletions[action.kind, action.ref] += 1
            case SetFinalizer():
                finalizers = [names.REST_STATE_FINALIZER] if action.present else []
                self._remote_states.begin(rank(self.gatherer.integrations_of(pair))[0])
                metadata = {"finalizers": finalizers, "annotations": {names.REST_USER: action.user or None}}
                self.merge(action.kind, action.ref, {"metadata": metadata})
            case EnsureRemote():
                self._note(pair, action.kind, _ensured(pair, action), action.username)
            case DeleteRemote() | Release():
                self._note(pair, action.kind, RemoteState(), action.username)

    def _note(self, pair: Pair, kind: ChildKind, state: RemoteState, username: str | None) -> None:
        for integration in rank(self.gatherer.integrations_of(pair))[:1]:
            self._remote_states.note(integration, kind, state, username=username, platform=state.platform)

    def _hold_vanished(self) -> None:
        """Hold the pairs that the operator would hold at its start."""
        keys = [self.gatherer.key_of(integration) for integration in self.cache.integrations]
        pairs = [key for key in keys if isinstance(key, Pair)]
        guard = self.gatherer.guard
        guard.compare("AddressSpace", (pair.space for pair in pairs), (s.ref for s in self.cache.spaces))
        guard.compare(
            "Syndesis", (pair.syndesis for pair in pairs if not pair.is_binding), (s.ref for s in self.cache.syndesises)
        )


def _ensured(pair: Pair, action: EnsureRemote) -> RemoteState:
    """Return the state over REST after an action has succeeded."""
    connection = action.kind == "Connection"
    return RemoteState(
        action.delivery,
        Presence.PRESENT,
        id=naming.connection_id(pair) if connection else action.credential.username,
        applied=action.applied,
        credentials=action.credentials,
        verified=Check.failure("NotTried", "Nothing is verified offline") if connection else None,
        platform=action.platform,
    )


def _answer_of_platform(action: Apply) -> Mapping[str, Any]:
    """Return the status that a platform writes once it has reconciled a resource."""
    if action.kind == "MessagingUser" and action.uid is None:
        return {"status": {"phase": "Active", "generation": None}}
    if action.kind == "Connection":
        return {"status": {"phase": "Ready", "connectionId": action.document["spec"].get("connectionId", "new")}}
    return {}
