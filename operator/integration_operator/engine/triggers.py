"""From a change in a store to keys in the queue. Events carry keys, never content: nothing is decided here.

Two things are remembered on the way because no store shows them afterwards: that an offer was deleted by somebody
else while its pair stayed, and that a LIST showed next to nothing of what it showed before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from integration_operator.cluster import Cluster
from integration_operator.domain.integration import Integration
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.platforms import AddressSpace, Syndesis
from integration_operator.domain.standing import CHILDREN, SOURCES
from integration_operator.engine.gathering import Gatherer, Key
from integration_operator.engine.workqueue import WorkQueue
from integration_operator.kube.kinds import SPACE_CONFIG_MAP, Kind
from integration_operator.kube.reflector import State
from integration_operator.observability import metrics

T = TypeVar("T")

DECISIVE = frozenset({*SOURCES, *CHILDREN, "Namespace", "ConfigMap", "CustomResourceDefinition"})
"""The kinds that no decision is made without; the others only add to what is known."""


class Triggers:
    """Subscribes to every store and adds the keys that a change concerns."""

    def __init__(self, cluster: Cluster, gatherer: Gatherer, queue: WorkQueue[Key]) -> None:
        self._cluster = cluster
        self._gatherer = gatherer
        self._queue = queue
        self._log = structlog.get_logger(__name__)
        cluster.on_space(self._space_changed)
        cluster.syndesises.subscribe(self._syndesis_changed)
        cluster.integrations.subscribe(self._integration_changed)
        for store in (cluster.secrets, cluster.users, cluster.connections):
            store.subscribe(self._each(gatherer.pair_of_child))
        cluster.authentication.subscribe(self._authentication_changed)
        cluster.terminating.subscribe(self._namespace_changed)
        cluster.on_state(self._state_changed)
        cluster.on_listed(self._listed)

    def _everything(self) -> None:
        """Look at all there is: at start, and when a kind has come back."""
        for kind in ("AddressSpace", "Syndesis"):
            self._guard(kind)
        self._add(self._gatherer.known_keys())

    def _add(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._queue.add(key)

    def _each(self, keys_of: Callable[[T], Iterable[Key]]) -> Callable[[T | None, T | None], None]:
        """Add the keys of what was and of what is: a child that lost its labels still concerns its pair."""

        def changed(old: T | None, new: T | None) -> None:
            for changed_object in (old, new):
                if changed_object is not None:
                    self._add(keys_of(changed_object))

        return changed

    def _space_changed(self, old: AddressSpace | None, new: AddressSpace | None) -> None:
        if new is not None:
            self._gatherer.guard.returned("AddressSpace", new.ref)
        self._each(self._gatherer.pairs_of_space)(old, new)

    def _syndesis_changed(self, old: Syndesis | None, new: Syndesis | None) -> None:
        if new is not None:
            self._gatherer.guard.returned("Syndesis", new.ref)
        self._each(self._gatherer.pairs_of_syndesis)(old, new)

    def _integration_changed(self, old: Integration | None, new: Integration | None) -> None:
        if old is not None and new is None:
            self._gatherer.integration_deleted(old)
        if old is not None and old.unanswered and not (new and new.unanswered):
            self._offer_again(old.ref.namespace)
        self._add(self._gatherer.key_of(integration) for integration in (old, new) if integration is not None)

    def _offer_again(self, namespace: str) -> None:
        """Requeue the pairs of a namespace that had as many offers as it may have."""
        if namespace in self._gatherer.offers.exhausted_namespaces:
            for syndesis in self._cluster.syndesises.by("namespace", namespace):
                self._add(self._gatherer.pairs_of_syndesis(syndesis))

    def _authentication_changed(self, old: tuple[Ref, str] | None, new: tuple[Ref, str] | None) -> None:
        for service in (old, new):
            if service is not None:
                for space in self._cluster.spaces.by("authentication", service[0].name):
                    self._add(self._gatherer.pairs_of_space(space))

    def _namespace_changed(self, old: tuple[str, bool] | None, new: tuple[str, bool] | None) -> None:
        """What waited for a namespace to end can go on under its name."""
        if old is not None and old[1]:
            for space in self._cluster.spaces.by("namespace", old[0]):
                self._add(self._gatherer.pairs_of_space(space))
            for syndesis in self._cluster.syndesises.by("namespace", old[0]):
                self._add(self._gatherer.pairs_of_syndesis(syndesis))

    def _state_changed(self, kind: Kind, state: State) -> None:
        metrics.KIND_SYNCED.labels(kind.name).set(state is State.SYNCED)
        if kind.name in DECISIVE and not self._cluster.unsettled():
            self._everything()

    def _listed(self, kind: Kind) -> None:
        self._guard("AddressSpace" if kind is SPACE_CONFIG_MAP else kind.name)

    def _guard(self, kind: str) -> None:
        """Compare what Integrations refer to with what a source shows.

        Only those count that stood for a pair: a tenant may name any number of AddressSpaces that never existed.
        """
        if kind not in ("AddressSpace", "Syndesis") or self._cluster.unsettled():
            return
        paired = (i for i in self._cluster.integrations if i.space_read_from is not None)
        keys = (self._gatherer.key_of(integration) for integration in paired)
        referred = {key.space if kind == "AddressSpace" else key.syndesis for key in keys if isinstance(key, Pair)}
        store = self._cluster.spaces if kind == "AddressSpace" else self._cluster.syndesises
        held = self._gatherer.guard.listed(kind, referred, (known.ref for known in store))
        metrics.HELD.labels(kind).set(held)
        if held:
            self._log.warning("mass deletion held", kind=kind, vanished=held, known=len(referred))
