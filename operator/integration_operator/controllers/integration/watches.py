"""Watches: from a change in the cache to keys in the work queue. Events carry keys, never content.

``Watches.start`` declares all of them. The first reconcile of everything comes when the last kind is in sync.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from integration_operator.cache import Cache
from integration_operator.controllers.integration.gather import Gatherer, Key
from integration_operator.domain.model.facts import CHILD_KINDS, SOURCE_KINDS
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace, Syndesis
from integration_operator.resources import SPACE_CONFIG_MAP
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.reflector import State
from integration_operator.runtime.resources import Resource
from integration_operator.runtime.workqueue import WorkQueue

T = TypeVar("T")

DECISIVE_KINDS = frozenset({*SOURCE_KINDS, *CHILD_KINDS, "Namespace", "ConfigMap", "CustomResourceDefinition"})
"""The kinds without which nothing is decided; the others only add to what is known."""


class Watches:
    """Adds the keys that a change concerns to the queue."""

    def __init__(self, cache: Cache, gatherer: Gatherer, queue: WorkQueue[Key]) -> None:
        self._cache = cache
        self._gatherer = gatherer
        self._queue = queue
        self._log = structlog.get_logger(__name__)

    def start(self) -> None:
        """Subscribe to every store."""
        cache, gatherer = self._cache, self._gatherer
        cache.on_space(self._space_changed)
        cache.syndesises.subscribe(self._syndesis_changed)
        cache.integrations.subscribe(self._integration_changed)
        for store in (cache.secrets, cache.users, cache.connections):
            store.subscribe(self._enqueue_old_and_new(gatherer.pairs_of_child))
        cache.authentication.subscribe(self._authentication_changed)
        cache.terminating.subscribe(self._namespace_changed)
        cache.on_state(self._state_changed)
        cache.on_listed(self._listed)

    def _enqueue(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._queue.add(key)

    def enqueue_all(self) -> None:
        """Requeue everything, at the start and when a kind is in sync again."""
        for kind in ("AddressSpace", "Syndesis"):
            self._update_guard(kind)
        self._enqueue(self._gatherer.all_keys())

    def _enqueue_old_and_new(self, keys_of: Callable[[T], Iterable[Key]]) -> Callable[[T | None, T | None], None]:
        """Return a handler that requeues both states' keys: a child that lost its labels still concerns its pair."""

        def changed(old: T | None, new: T | None) -> None:
            for state in (old, new):
                if state is not None:
                    self._enqueue(keys_of(state))

        return changed

    def _space_changed(self, old: AddressSpace | None, new: AddressSpace | None) -> None:
        if new is not None:
            self._gatherer.guard.observe("AddressSpace", new.ref)
        self._enqueue_old_and_new(self._gatherer.pairs_of_space)(old, new)

    def _syndesis_changed(self, old: Syndesis | None, new: Syndesis | None) -> None:
        if new is not None:
            self._gatherer.guard.observe("Syndesis", new.ref)
        self._enqueue_old_and_new(self._gatherer.pairs_of_syndesis)(old, new)

    def _integration_changed(self, old: Integration | None, new: Integration | None) -> None:
        if old is not None and new is None and not self._queue.paused:  # else the leader may have deleted it
            self._gatherer.observe_deletion(old)
        if old is not None and old.unanswered and not (new and new.unanswered):
            self._enqueue_offers(old.ref.namespace)
        self._enqueue(self._gatherer.key_of(integration) for integration in (old, new) if integration is not None)

    def _enqueue_offers(self, namespace: str) -> None:
        """Requeue the pairs of a namespace that had as many offers as it may have."""
        if namespace in self._gatherer.offers.exhausted_namespaces:
            for syndesis in self._cache.syndesises.by("namespace", namespace):
                self._enqueue(self._gatherer.pairs_of_syndesis(syndesis))

    def _authentication_changed(self, old: tuple[Ref, str] | None, new: tuple[Ref, str] | None) -> None:
        for service in (old, new):
            if service is not None:
                for space in self._cache.spaces.by("authentication", service[0].name):
                    self._enqueue(self._gatherer.pairs_of_space(space))

    def _namespace_changed(self, old: tuple[str, bool] | None, new: tuple[str, bool] | None) -> None:
        """Requeue the pairs that waited for a namespace to finish terminating."""
        if old is not None and old[1]:
            for space in self._cache.spaces.by("namespace", old[0]):
                self._enqueue(self._gatherer.pairs_of_space(space))
            for syndesis in self._cache.syndesises.by("namespace", old[0]):
                self._enqueue(self._gatherer.pairs_of_syndesis(syndesis))

    def _state_changed(self, resource: Resource, state: State) -> None:
        if resource.kind in DECISIVE_KINDS and not self._cache.unsynced():
            self.enqueue_all()

    def _listed(self, resource: Resource) -> None:
        self._update_guard("AddressSpace" if resource is SPACE_CONFIG_MAP else resource.kind)

    def _update_guard(self, kind: str) -> None:
        """Compare what Integrations refer to with what a source shows.

        Only Integrations that were reconciled count: a tenant may name any number of AddressSpaces that never existed.
        """
        if kind not in ("AddressSpace", "Syndesis") or self._cache.unsynced():
            return
        reconciled = (i for i in self._cache.integrations if i.space_source is not None)
        keys = (self._gatherer.key_of(integration) for integration in reconciled)
        pairs = [key for key in keys if isinstance(key, Pair)]
        if kind == "AddressSpace":
            referred = {pair.space for pair in pairs}
        else:
            referred = {pair.syndesis for pair in pairs if not pair.is_binding}
        store = self._cache.spaces if kind == "AddressSpace" else self._cache.syndesises
        held = self._gatherer.guard.compare(kind, referred, (known.ref for known in store))
        if held:
            self._log.warning("mass deletion held", kind=kind, vanished=held, known=len(referred))
