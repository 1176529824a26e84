"""The cache: a store and a reflector for each kind, and what is known of the kinds themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal

from integration_operator import metrics, resources, stores
from integration_operator.domain.model.credential import decode
from integration_operator.domain.model.facts import ClusterFacts, SpaceSource
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.platforms import AddressSpace, Syndesis
from integration_operator.platforms import config_map
from integration_operator.platforms.address_space import address_space
from integration_operator.runtime.client import Client
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.reflector import Callbacks, Reflector, State, refresh
from integration_operator.runtime.resources import APIResource, Resource
from integration_operator.runtime.store import Store
from integration_operator.runtime.writer import Writer
from integration_operator.stores import KindDefinition

Document = dict[str, Any]

DEFAULT_ENMASSE_NAMESPACE = "enmasse-infra"

ENMASSE_RESOURCES = (resources.SPACE_CONFIG_MAP, resources.AUTHENTICATION_SERVICE)
"""Resources that are read only in EnMasse's namespace: elsewhere a tenant could speak for another's AddressSpace."""

ReadSpaces = Literal["auto", "crd", "aggregated", "configmap"]
"""How AddressSpaces are read: ``crd`` and ``aggregated`` are the kind, watched or polled as the server serves it."""


class Cache:
    """Stores and reflectors of all kinds."""

    def __init__(
        self,
        client: Client,
        *,
        read_spaces: ReadSpaces = "auto",
        poll: float = 30.0,
        enmasse_namespace: str = DEFAULT_ENMASSE_NAMESPACE,
        namespaces: Sequence[str] = (),
    ) -> None:
        self.client = client
        self._watched = tuple(dict.fromkeys(namespaces))
        """The namespaces that are watched; none means all."""
        self._enmasse_namespace = enmasse_namespace
        self._read_spaces = read_spaces
        self._poll = poll
        self._kind_spaces = stores.address_spaces(self._space_of_kind)
        self._config_map_spaces = stores.address_spaces(lambda document: address_space(document, can_own=False))
        self.from_config_maps = read_spaces == "configmap"
        self.syndesises: Store[Syndesis] = stores.syndesises()
        self.integrations: Store[Integration] = stores.integrations()
        self.secrets: Store[LiveObject] = stores.secrets()
        self.users: Store[LiveObject] = stores.messaging_users()
        self.connections: Store[LiveObject] = stores.connections()
        self.authentication = stores.authentication_services()
        self.terminating = stores.namespaces()
        self.reflectors: dict[str, Reflector[Any]] = {}
        self._on_state: list[Callable[[Resource, State], None]] = []
        self._on_listed: list[Callable[[Resource], None]] = []
        self._synced = asyncio.Event()
        self._confirming = asyncio.Lock()
        self._spaces_absent = asyncio.Event()
        self._config_map_spaces.subscribe(self._config_map_changed)
        self._facts: ClusterFacts | None = None
        self._all: list[tuple[Resource, Store[Any]]] = [
            (resources.NAMESPACE, self.terminating),
            (resources.AUTHENTICATION_SERVICE, self.authentication),
            (resources.ADDRESS_SPACE, self._kind_spaces),
            (resources.SPACE_CONFIG_MAP, self._config_map_spaces),
            (resources.SYNDESIS, self.syndesises),
            (resources.SECRET, self.secrets),
            (resources.MESSAGING_USER, self.users),
            (resources.CONNECTION, self.connections),
            (resources.INTEGRATION, self.integrations),
        ]
        for resource, store in self._all:
            self._reflect(resource, store)
        for resource in (resources.CRD, resources.API_SERVICE):  # watched only to know when a kind appears
            definitions = stores.kind_definitions()
            definitions.subscribe(self._definition_changed)
            self._reflect(resource, definitions)
        for reflector in self.reflectors.values():
            reflector.blind = not self._is_read(resources.CRD)

    @property
    def spaces(self) -> Store[AddressSpace]:
        """The AddressSpaces, from where they are read now."""
        return self._config_map_spaces if self.from_config_maps else self._kind_spaces

    def store(self, kind: str) -> Store[Any]:
        """Return the store of a kind."""
        return self.reflectors[kind].store

    def served(self, kind: str) -> APIResource | None:
        """Return where a kind is served, None while that is not known."""
        return self.reflectors[kind].served

    def writer(self, kind: str, manager: str) -> Writer[Any]:
        """Return a writer for a kind under a field manager."""
        return Writer(self.client, self.reflectors[kind], manager)

    def on_space(self, callback: Callable[[AddressSpace | None, AddressSpace | None], None]) -> None:
        """Call back for each change of an AddressSpace, wherever it is read from."""
        for store in (self._kind_spaces, self._config_map_spaces):
            store.subscribe(callback)

    def on_state(self, callback: Callable[[Resource, State], None]) -> None:
        """Call back when a kind comes into sync, fails, disappears or appears."""
        self._on_state.append(callback)

    def on_listed(self, callback: Callable[[Resource], None]) -> None:
        """Call back after each LIST, when the store has its answer."""
        self._on_listed.append(callback)

    async def run(self) -> None:
        """Run all reflectors until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self.reflectors.values():
                if self._is_read(reflector.resource):
                    group.create_task(self._run(reflector), name=f"reflector {reflector.resource}")

    async def refresh(self) -> None:
        """List every kind again; return when each store is as new as this call, or its kind counts as out of sync."""
        await refresh(self.reflectors.values())

    async def confirm(self) -> bool:
        """List every kind again of which one LIST stands alone; return False if there was none.

        A server that lags behind may answer a LIST with what was true before. A second one that shows the same, after
        it, is as good as an answer can be. A LIST is repeated once, and only if there is something to do.
        """
        async with self._confirming:
            alone = [reflector for reflector in self.reflectors.values() if not reflector.confirmed]
            await refresh(alone)
        return bool(alone)

    async def synced(self) -> None:
        """Return when each kind that is needed is in sync or known to be absent."""
        await self._synced.wait()

    def failing(self) -> dict[str, str]:
        """Return the kinds that are needed and could not be read, with the reason."""
        reflectors = (self.reflectors[resource.kind] for resource, _ in self._all if self._is_needed(resource))
        return {r.resource.kind: r.problem for r in reflectors if r.state is State.FAILING}

    def unsynced(self) -> dict[str, str]:
        """Return the kinds that are neither in sync nor absent, with what is wrong.

        AuthenticationService is optional. CRDs are needed only once, to know whether the kind Connection is ours.
        """
        problems = {}
        for resource, _ in self._all:
            reflector = self.reflectors[resource.kind]
            if self._is_needed(resource) and reflector.state in (State.STARTING, State.FAILING):
                problems[resource.kind] = reflector.problem or "not listed yet"
        if self._is_read(resources.CRD) and self.reflectors[resources.CRD.kind].state is State.STARTING:
            problems[resources.CRD.kind] = "not listed yet"
        return problems

    def cluster_facts(self) -> ClusterFacts:
        """Return what is known of the kinds."""
        if self._facts is None:
            self._facts = self._new_facts()
        return self._facts

    def is_watched(self, namespace: str) -> bool:
        """Check if the objects of a namespace are read."""
        return not self._watched or namespace in self._watched

    def is_terminating(self, namespace: str) -> bool:
        """Check if a namespace is being deleted."""
        state = self.terminating.get(Ref("", namespace))
        return state is not None and state[1]

    def authentication_type(self, space: AddressSpace) -> str | None:
        """Return the type of a space's authentication service, if the service can be read.

        The one in EnMasse's own namespace counts: any tenant may create one of that name elsewhere.
        """
        if space.authentication is None:
            return None
        service = self.authentication.get(Ref(self._enmasse_namespace, space.authentication))
        return service[1] if service else None

    def secret_values(self, namespace: str) -> Callable[[str, str], str | None]:
        """Return a look-up, by name and key, of values in a namespace's Secrets with our label."""

        def look_up(name: str, key: str) -> str | None:
            secret = self.secrets.get(Ref(namespace, name))
            data = (secret.document.get("data") or {}) if secret is not None else {}
            return decode(data[key]) if key in data else None

        return look_up

    def _reflect(self, resource: Resource, store: Store[Any]) -> None:
        self.reflectors[resource.kind] = Reflector(
            self.client,
            resource,
            store,
            callbacks=Callbacks(self._state_changed, self._listed, metrics.CONTROLLER.observe_watch_end),
            poll=self._poll,
            namespaces=self._namespaces,
            within=self._within(resource),
            translate=config_map.address_space_document if resource is resources.SPACE_CONFIG_MAP else None,
        )

    def _within(self, resource: Resource) -> Sequence[str]:
        """Return the namespaces in which a resource is read; none means the whole cluster."""
        if resource in ENMASSE_RESOURCES:
            return (self._enmasse_namespace,)
        return self._watched if resource.namespaced else ()

    async def _run(self, reflector: Reflector[Any]) -> None:
        """Run a reflector; ConfigMaps are read only once the kind AddressSpace is absent."""
        if reflector.resource is resources.SPACE_CONFIG_MAP and self._read_spaces == "auto":
            await self._spaces_absent.wait()
        await reflector.run()

    async def _namespaces(self) -> list[str]:
        """Return the names of all namespaces, once they are listed."""
        await self.reflectors[resources.NAMESPACE.kind].listed()
        return [name for name, _ in self.terminating]

    def _new_facts(self) -> ClusterFacts:
        states: dict[State, set[str]] = {state: set() for state in State}
        for resource, _ in self._all:
            if self._is_read(resource):
                states[self.reflectors[resource.kind].state].add(resource.kind)
        served = {resource.kind: self.served(resource.kind) for resource, _ in self._all}
        source = self._source()
        out_of_sync, absent = states[State.STARTING] | states[State.FAILING], states[State.ABSENT]
        if source == "configmap":
            absent.discard("AddressSpace")
            out_of_sync = {"AddressSpace" if kind == "ConfigMap" else kind for kind in out_of_sync - {"AddressSpace"}}
        return ClusterFacts(
            {kind: where.api_version for kind, where in served.items() if where is not None},
            absent=frozenset(absent),
            out_of_sync=frozenset(out_of_sync - {"ConfigMap"}),
            unwatched=frozenset(states[State.UNWATCHED]),
            source=source,
            upgrading=source != "crd" and self._definition(resources.ADDRESS_SPACE) is not None,
            placeholder=self._is_connection_placeholder(),
        )

    def _source(self) -> SpaceSource:
        """Return how the AddressSpaces in the cache were read.

        Where their kind is served now is another question: if the status named that during an upgrade of EnMasse, the
        pair would be torn down when they are not shown there yet.
        """
        if self.from_config_maps:
            return "configmap"
        read_from = self.reflectors["AddressSpace"].read_from
        return "crd" if read_from is None or read_from.watchable else "aggregated"

    def _is_read(self, resource: Resource) -> bool:
        """Check if a resource is read at all.

        The settings may name one source of AddressSpaces. Who watches some namespaces needs no permission on resources
        of the cluster.
        """
        if self._watched and not resource.namespaced:
            return False
        if resource is resources.SPACE_CONFIG_MAP:
            return self._read_spaces in ("auto", "configmap")
        return resource is not resources.ADDRESS_SPACE or self._read_spaces != "configmap"

    def _is_needed(self, resource: Resource) -> bool:
        """Check if nothing can be decided without a resource."""
        if resource is resources.SPACE_CONFIG_MAP:
            starting = self.reflectors[resource.kind].state is State.STARTING
            return self.from_config_maps or (starting and self._spaces_absent.is_set() and self._is_read(resource))
        return resource is not resources.AUTHENTICATION_SERVICE and self._is_read(resource)

    def _definition(self, resource: Resource) -> KindDefinition | None:
        definition: KindDefinition | None = self.store(resources.CRD.kind).get(Ref("", resource.crd_name))
        return definition

    def _is_connection_placeholder(self) -> bool:
        """Check if the kind Connection is ours; if CRDs cannot be read it counts as ours, which is safe."""
        definition = self._definition(resources.CONNECTION)
        return definition is None or definition.placeholder

    def _choose_source(self) -> None:
        """Read AddressSpaces from ConfigMaps if there are any and the kind is not served (EnMasse up to 0.21)."""
        if self._read_spaces != "auto":
            return
        absent = self.reflectors["AddressSpace"].state is State.ABSENT
        if absent:
            self._spaces_absent.set()
        self.from_config_maps = absent and (self.from_config_maps or len(self._config_map_spaces) > 0)

    def _config_map_changed(self, old: AddressSpace | None, new: AddressSpace | None) -> None:
        """Choose the source again: the first AddressSpace in a ConfigMap may appear long after the start."""
        if new is not None and not self.from_config_maps:
            self._choose_source()
            if self.from_config_maps:
                self._facts = None
                self._notify(resources.ADDRESS_SPACE)

    def _space_of_kind(self, document: Document) -> AddressSpace:
        """Parse an AddressSpace; its uid outlives an upgrade of EnMasse only if it can be watched."""
        served = self.served("AddressSpace")
        return address_space(document, can_own=served is None or served.watchable)

    def _state_changed(self, resource: Resource, state: State) -> None:
        self._facts = None
        self._choose_source()
        if resource in (resources.CRD, resources.API_SERVICE):
            for reflector in self.reflectors.values():
                reflector.blind = state is not State.SYNCED
        if not self.unsynced():
            self._synced.set()
        for callback in self._on_state:
            callback(resource, state)

    def _listed(self, resource: Resource) -> None:
        self._facts = None  # the kind may be read from another API than before
        for callback in self._on_listed:
            callback(resource)

    def _definition_changed(self, old: KindDefinition | None, new: KindDefinition | None) -> None:
        """Wake the reflectors that do not watch, of the kinds that a CRD or APIService serves.

        A CRD is named ``<plural>.<group>``, an APIService ``<version>.<group>``.
        """
        definition = new or old
        assert definition is not None
        self._facts = None
        group = definition.name.partition(".")[2]
        for reflector in self.reflectors.values():
            watching = reflector.served is not None and reflector.served.watchable
            if not watching and (reflector.resource.crd_name == definition.name or reflector.resource.group == group):
                reflector.wake()
        if definition.name == resources.CONNECTION.crd_name:
            if (old and old.placeholder) != (new and new.placeholder):
                self._notify(resources.CONNECTION)
        elif definition.name == resources.ADDRESS_SPACE.crd_name and new is None:
            self._notify(resources.ADDRESS_SPACE)  # what an upgrade held back can be concluded

    def _notify(self, resource: Resource) -> None:
        """Call back for a kind of which something else has changed than its objects."""
        for callback in self._on_state:
            callback(resource, self.reflectors[resource.kind].state)
