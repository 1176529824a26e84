"""The cluster as the engine sees it: a store and a reflector for each kind, with the indexes that gathering needs.

Every look-up that a reconcile makes goes through an index. One scan over all Integrations in it would make the whole
quadratic (5,000 pairs took 95 s that way, performance figures in docs/performance.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from integration_operator.api import names
from integration_operator.domain.facts import Kinds
from integration_operator.domain.integration import Integration
from integration_operator.domain.live import Live
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.platforms import AddressSpace, Syndesis
from integration_operator.kube import kinds
from integration_operator.kube.client import Client
from integration_operator.kube.kinds import Kind, Served
from integration_operator.kube.reflector import Reflector, State
from integration_operator.kube.store import Store
from integration_operator.sources.enmasse import address_space, authentication_type
from integration_operator.sources.syndesis import syndesis

Document = dict[str, Any]


def made_for(live: Live) -> Pair | None:
    """The pair that a child's annotations name."""
    space = Ref.parse(live.annotations.get(names.ADDRESS_SPACE_ANNOTATION, ""))
    instance = Ref.parse(live.annotations.get(names.SYNDESIS_ANNOTATION, ""))
    return Pair(space, instance) if space and instance else None


def _by_pair(live: Live) -> Iterable[Hashable]:
    pair = made_for(live)
    return (pair,) if pair else ()


def _by_username(live: Live) -> Iterable[Hashable]:
    """MessagingUsers by (namespace, AddressSpace, user name): two of one name would share one login."""
    space, _, _ = live.ref.name.partition(".")
    username = (live.document.get("spec") or {}).get("username")
    return ((live.ref.namespace, space, username),) if isinstance(username, str) else ()


class Cluster:
    """Stores and reflectors of all kinds."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.spaces: Store[AddressSpace] = Store(
            address_space,
            {
                "namespace": lambda s: (s.ref.namespace,),
                "name": lambda s: (s.ref.name,),
                "shared": lambda s: ("shared",) if s.allowed_namespaces else (),
                "creator": lambda s: (s.created_by,) if s.created_by else (),
                "authentication": lambda s: (s.authentication,) if s.authentication else (),
            },
        )
        self.syndesises: Store[Syndesis] = Store(
            syndesis,
            {
                "namespace": lambda s: (s.ref.namespace,),
                "creator": lambda s: (s.created_by,) if s.created_by else (),
            },
        )
        self.integrations: Store[Integration] = Store(
            Integration.of,
            {
                "space": lambda i: (_space_of(i),) if _space_of(i) else (),
                "namespace": lambda i: (i.ref.namespace,),
            },
        )
        self.secrets: Store[Live] = Store(Live.of, {"pair": _by_pair})
        self.users: Store[Live] = Store(Live.of, {"pair": _by_pair, "username": _by_username})
        self.connections: Store[Live] = Store(Live.of, {"pair": _by_pair})
        self.authentication: Store[tuple[Ref, str]] = Store(
            _authentication_service, {"name": lambda service: (service[0].name,)}
        )
        self.terminating: Store[tuple[str, bool]] = Store(_namespace)
        self._all: list[tuple[Kind, Store[Any]]] = [
            (kinds.NAMESPACE, self.terminating),
            (kinds.AUTHENTICATION_SERVICE, self.authentication),
            (kinds.ADDRESS_SPACE, self.spaces),
            (kinds.SYNDESIS, self.syndesises),
            (kinds.SECRET, self.secrets),
            (kinds.MESSAGING_USER, self.users),
            (kinds.CONNECTION, self.connections),
            (kinds.INTEGRATION, self.integrations),
        ]
        self.reflectors: dict[str, Reflector[Any]] = {}
        self._on_state: list[Callable[[Kind, State], None]] = []
        self._on_listed: list[Callable[[Kind], None]] = []
        self._settled = asyncio.Event()
        self._kinds: Kinds | None = None
        for kind, store in self._all:
            self._add(kind, store)
        # CRDs and APIServices are watched only to know when a kind appears: names are all that is kept.
        for kind in (kinds.CRD, kinds.API_SERVICE):
            definitions: Store[str] = Store(_name_and_version)
            definitions.subscribe(self._definition_changed)
            self._add(kind, definitions)

    def _add(self, kind: Kind, store: Store[Any]) -> None:
        self.reflectors[kind.name] = Reflector(
            self.client, kind, store, on_state=self._state_changed, on_listed=self._listed
        )

    def store(self, kind: str) -> Store[Any]:
        """The store of a kind, by its name."""
        return self.reflectors[kind].store

    def served(self, kind: str) -> Served | None:
        """Where a kind is served, None while that is not known."""
        return self.reflectors[kind].served

    def on_state(self, callback: Callable[[Kind, State], None]) -> None:
        """Call back when a kind comes into sync, fails, disappears or appears."""
        self._on_state.append(callback)

    def on_listed(self, callback: Callable[[Kind], None]) -> None:
        """Call back after each LIST, when the store holds its answer."""
        self._on_listed.append(callback)

    async def run(self) -> None:
        """Run all reflectors until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self.reflectors.values():
                group.create_task(reflector.run(), name=f"reflector {reflector.kind}")

    async def synced(self) -> None:
        """Return once each kind that matters is in sync or known to be absent."""
        await self._settled.wait()

    def unsettled(self) -> dict[str, str]:
        """The kinds that are neither in sync nor absent, with what is wrong; AuthenticationService is optional."""
        return {
            kind.name: self.reflectors[kind.name].problem or "not listed yet"
            for kind, _ in self._all
            if kind is not kinds.AUTHENTICATION_SERVICE
            and self.reflectors[kind.name].state not in (State.SYNCED, State.ABSENT)
        }

    def kinds(self) -> Kinds:
        """What is known of the kinds, for a decision."""
        if self._kinds is None:
            by_state = {
                state: {k.name for k, _ in self._all if self.reflectors[k.name].state is state} for state in State
            }
            served = {k.name: self.reflectors[k.name].served for k, _ in self._all}
            self._kinds = Kinds(
                {name: where.api_version for name, where in served.items() if where is not None},
                absent=frozenset(by_state[State.ABSENT]),
                out_of_sync=frozenset(by_state[State.STARTING] | by_state[State.FAILING]),
            )
        return self._kinds

    def authentication_type(self, space: AddressSpace) -> str | None:
        """The type of a space's authentication service, where the service can be read."""
        if space.authentication is None:
            return None
        found = self.authentication.by("name", space.authentication)
        return found[0][1] if found else None

    def is_terminating(self, namespace: str) -> bool:
        """Whether a namespace is being deleted."""
        found = self.terminating.get(Ref("", namespace))
        return found is not None and found[1]

    def _state_changed(self, kind: Kind, state: State) -> None:
        self._kinds = None
        if kind in (kinds.CRD, kinds.API_SERVICE):
            for reflector in self.reflectors.values():
                reflector.blind = state is not State.SYNCED
        if not self.unsettled():
            self._settled.set()
        for callback in self._on_state:
            callback(kind, state)

    def _listed(self, kind: Kind, vanished: list[Any]) -> None:
        for callback in self._on_listed:
            callback(kind)

    def _definition_changed(self, old: str | None, new: str | None) -> None:
        """Wake the reflectors of the kinds that a CRD (``<plural>.<group>``) or APIService (``<version>.<group>``)
        serves.
        """
        name = (new or old or "").partition(" ")[0]
        group = name.partition(".")[2]
        for reflector in self.reflectors.values():
            if reflector.state is State.ABSENT and (reflector.kind.crd_name == name or reflector.kind.group == group):
                reflector.wake()


def _space_of(integration: Integration) -> Ref | None:
    reference = integration.spec.address_space_ref
    return Ref(reference.namespace, reference.name) if reference else None


def _authentication_service(document: Document) -> tuple[Ref, str]:
    metadata = document["metadata"]
    return Ref(metadata.get("namespace", ""), metadata["name"]), authentication_type(document)


def _namespace(document: Document) -> tuple[str, bool]:
    metadata = document["metadata"]
    return metadata["name"], "deletionTimestamp" in metadata


def _name_and_version(document: Document) -> str:
    """A definition's name with its version, so that each change of it (Established, Available) is a change."""
    metadata = document["metadata"]
    return f"{metadata['name']} {metadata.get('resourceVersion', '')}"
