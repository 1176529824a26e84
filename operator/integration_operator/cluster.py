"""The cluster as the engine sees it: a store and a reflector for each kind, with the indexes that gathering needs.

Every look-up that a reconcile makes goes through an index. One scan over all Integrations in it would make the whole
quadratic (5,000 pairs took 95 s that way, performance figures in docs/performance.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Literal, NamedTuple

from integration_operator.api import names
from integration_operator.domain import retention
from integration_operator.domain.credentials import decode
from integration_operator.domain.facts import Kinds
from integration_operator.domain.integration import Integration
from integration_operator.domain.live import Live
from integration_operator.domain.ownership import named_pair
from integration_operator.domain.pair import Ref
from integration_operator.domain.platforms import AddressSpace, Syndesis
from integration_operator.kube import kinds
from integration_operator.kube.client import Client
from integration_operator.kube.kinds import Kind, Served
from integration_operator.kube.reflector import Reflector, State
from integration_operator.kube.store import Store
from integration_operator.sources import configmap
from integration_operator.sources.enmasse import address_space, authentication_type
from integration_operator.sources.syndesis import syndesis

Document = dict[str, Any]


def _by_pair(live: Live) -> Iterable[Hashable]:
    """Index objects by the pair that they name. It says only which pair to look at (domain/ownership.py)."""
    pair = named_pair(live)
    return (pair,) if pair else ()


def _by_secret(integration: Integration) -> Iterable[Hashable]:
    """Index Integrations by the Secret that their user brought."""
    reference = integration.spec.credentials_secret_ref
    return (Ref(integration.ref.namespace, reference.name),) if reference else ()


def _by_offer_from_elsewhere(integration: Integration) -> Iterable[Hashable]:
    """Index offers that no user answered yet by their namespace, if the AddressSpace is in another one."""
    reference = integration.spec.address_space_ref
    elsewhere = reference is not None and reference.namespace != integration.ref.namespace
    return (integration.ref.namespace,) if elsewhere and integration.unanswered else ()


def _by_username(live: Live) -> Iterable[Hashable]:
    """MessagingUsers by (namespace, AddressSpace, user name): two of one name would share one login."""
    space, _, _ = live.ref.name.partition(".")
    username = (live.document.get("spec") or {}).get("username")
    return ((live.ref.namespace, space, username),) if isinstance(username, str) else ()


DEFAULT_ENMASSE_NAMESPACE = "enmasse-infra"

ENMASSES_OWN = (kinds.SPACE_CONFIG_MAP, kinds.AUTHENTICATION_SERVICE)
"""Kinds that are read in EnMasse's own namespace alone: elsewhere a tenant could speak for another one's
AddressSpace."""

SpaceSource = Literal["auto", "crd", "aggregated", "configmap"]
"""How AddressSpaces are read: ``crd`` and ``aggregated`` are the kind, watched or polled as the server serves it."""


class Definition(NamedTuple):
    """A CRD or APIService: enough to know that a kind appears, and whether it is the operator's own placeholder.

    The version is there so that each change of it (Established, Available) is a change.
    """

    name: str
    version: str
    placeholder: bool


class Cluster:
    """Stores and reflectors of all kinds."""

    def __init__(
        self,
        client: Client,
        *,
        spaces_from: SpaceSource = "auto",
        poll: float = 30.0,
        enmasse_namespace: str = DEFAULT_ENMASSE_NAMESPACE,
    ) -> None:
        self.client = client
        self._enmasse_namespace = enmasse_namespace
        self._spaces_from = spaces_from
        self._poll = poll
        self._kind_spaces: Store[AddressSpace] = _store_of_spaces(self._space_of_kind)
        self._config_map_spaces: Store[AddressSpace] = _store_of_spaces(_space_of_config_map)
        self.from_config_maps = spaces_from == "configmap"
        self.syndesises: Store[Syndesis] = Store(
            syndesis,
            {
                "namespace": lambda s: (s.ref.namespace,),
                "creator": lambda s: (s.created_by,) if s.created_by else (),
            },
        )
        self.integrations: Store[Integration] = Store(
            lambda document: Integration.of(retention.integration(document)),
            {
                "space": lambda i: (_space_of(i),) if _space_of(i) else (),
                "namespace": lambda i: (i.ref.namespace,),
                "secret": _by_secret,
                "offered from elsewhere": _by_offer_from_elsewhere,
            },
        )
        self.secrets: Store[Live] = Store(lambda document: Live.of(retention.secret(document)), {"pair": _by_pair})
        self.users: Store[Live] = Store(
            lambda document: Live.of(retention.messaging_user(document)), {"pair": _by_pair, "username": _by_username}
        )
        self.connections: Store[Live] = Store(
            lambda document: Live.of(retention.connection(document)), {"pair": _by_pair}
        )
        self.authentication: Store[tuple[Ref, str]] = Store(_authentication_service)
        self.terminating: Store[tuple[str, bool]] = Store(_namespace)
        self._all: list[tuple[Kind, Store[Any]]] = [
            (kinds.NAMESPACE, self.terminating),
            (kinds.AUTHENTICATION_SERVICE, self.authentication),
            (kinds.ADDRESS_SPACE, self._kind_spaces),
            (kinds.SPACE_CONFIG_MAP, self._config_map_spaces),
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
        self._spaces_missing = asyncio.Event()
        self._config_map_spaces.subscribe(self._config_map_changed)
        self._kinds: Kinds | None = None
        for kind, store in self._all:
            self._add(kind, store)
        # CRDs and APIServices are watched only to know when a kind appears: names are all that is kept.
        for kind in (kinds.CRD, kinds.API_SERVICE):
            definitions: Store[Definition] = Store(_definition)
            definitions.subscribe(self._definition_changed)
            self._add(kind, definitions)

    def _add(self, kind: Kind, store: Store[Any]) -> None:
        self.reflectors[kind.name] = Reflector(
            self.client,
            kind,
            store,
            on_state=self._state_changed,
            on_listed=self._listed,
            poll=self._poll,
            namespaces=self._namespaces,
            namespace=self._enmasse_namespace if kind in ENMASSES_OWN else None,
            translate=configmap.address_space_document if kind is kinds.SPACE_CONFIG_MAP else None,
        )

    async def _namespaces(self) -> list[str]:
        """The names of all namespaces, once they are known: what is in none that is known yet is not gone."""
        await self.reflectors[kinds.NAMESPACE.name].listed()
        return [name for name, _ in self.terminating]

    @property
    def spaces(self) -> Store[AddressSpace]:
        """The AddressSpaces, from where they are read now."""
        return self._config_map_spaces if self.from_config_maps else self._kind_spaces

    def on_space(self, callback: Callable[[AddressSpace | None, AddressSpace | None], None]) -> None:
        """Call back for each change of an AddressSpace, wherever it is read from."""
        for store in (self._kind_spaces, self._config_map_spaces):
            store.subscribe(callback)

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
                if self._is_wanted(reflector.kind):
                    group.create_task(self._reflect(reflector), name=f"reflector {reflector.kind}")

    async def _reflect(self, reflector: Reflector[Any]) -> None:
        """Run one reflector; ConfigMaps are asked for only once the kind AddressSpace is missing."""
        if reflector.kind is kinds.SPACE_CONFIG_MAP and self._spaces_from == "auto":
            await self._spaces_missing.wait()
        await reflector.run()

    async def synced(self) -> None:
        """Return once each kind that matters is in sync or known to be absent."""
        await self._settled.wait()

    def unsettled(self) -> dict[str, str]:
        """The kinds that are neither in sync nor absent, with what is wrong.

        AuthenticationService is optional. CRDs are needed only once, to know whether the kind Connection is ours.
        """
        needed = [kind for kind, _ in self._all if self._is_needed(kind)]
        unsettled = {
            kind.name: self.reflectors[kind.name].problem or "not listed yet"
            for kind in needed
            if self.reflectors[kind.name].state in (State.STARTING, State.FAILING)
        }
        if self.reflectors[kinds.CRD.name].state is State.STARTING:
            unsettled[kinds.CRD.name] = "not listed yet"
        return unsettled

    def kinds(self) -> Kinds:
        """What is known of the kinds, for a decision."""
        if self._kinds is None:
            self._kinds = self._now_known()
        return self._kinds

    def _now_known(self) -> Kinds:
        by_state = {state: {k.name for k, _ in self._all if self.reflectors[k.name].state is state} for state in State}
        served = {k.name: self.reflectors[k.name].served for k, _ in self._all}
        source = self._source()
        out_of_sync = by_state[State.STARTING] | by_state[State.FAILING]
        absent = by_state[State.ABSENT]
        if source == "configmap":
            absent.discard("AddressSpace")
            out_of_sync = {"AddressSpace" if kind == "ConfigMap" else kind for kind in out_of_sync - {"AddressSpace"}}
        return Kinds(
            {name: where.api_version for name, where in served.items() if where is not None},
            absent=frozenset(absent),
            out_of_sync=frozenset(out_of_sync - {"ConfigMap"}),
            unwatched=frozenset(by_state[State.UNWATCHED]),
            source=source,
            upgrading=source != "crd" and self._is_defined(kinds.ADDRESS_SPACE),
            placeholder=self._connection_is_placeholder(),
        )

    def _source(self) -> Literal["crd", "aggregated", "configmap"]:
        """How the AddressSpaces that are known were read.

        Where their kind is served now is another question: a status that named that, while EnMasse is upgraded, would
        have the pair torn down once they are not shown there yet.
        """
        if self.from_config_maps:
            return "configmap"
        shown_from = self.reflectors["AddressSpace"].shown_from
        return "crd" if shown_from is None or shown_from.watchable else "aggregated"

    def _is_wanted(self, kind: Kind) -> bool:
        """Whether a kind is read at all: AddressSpaces may be asked for in one place only."""
        if kind is kinds.SPACE_CONFIG_MAP:
            return self._spaces_from in ("auto", "configmap")
        return kind is not kinds.ADDRESS_SPACE or self._spaces_from != "configmap"

    def _is_needed(self, kind: Kind) -> bool:
        """Whether nothing can be decided without a kind."""
        if kind is kinds.SPACE_CONFIG_MAP:
            starting = self.reflectors[kind.name].state is State.STARTING
            return self.from_config_maps or (starting and self._spaces_missing.is_set() and self._is_wanted(kind))
        return kind is not kinds.AUTHENTICATION_SERVICE and self._is_wanted(kind)

    def _is_defined(self, kind: Kind) -> bool:
        """Whether there is a CRD for a kind."""
        return self.reflectors[kinds.CRD.name].store.get(Ref("", kind.crd_name)) is not None

    def _connection_is_placeholder(self) -> bool:
        """Whether the kind Connection is ours; where CRDs cannot be read it is taken for ours, the safe way."""
        definition = self.reflectors[kinds.CRD.name].store.get(Ref("", kinds.CONNECTION.crd_name))
        return definition is None or definition.placeholder

    def _choose_source(self) -> None:
        """Read AddressSpaces from ConfigMaps where there are some and the kind is not served (EnMasse ≤ 0.21)."""
        if self._spaces_from != "auto":
            return
        absent = self.reflectors["AddressSpace"].state is State.ABSENT
        if absent:
            self._spaces_missing.set()
        self.from_config_maps = absent and (self.from_config_maps or len(self._config_map_spaces) > 0)

    def _config_map_changed(self, old: AddressSpace | None, new: AddressSpace | None) -> None:
        """The first AddressSpace in a ConfigMap may appear long after the start."""
        if new is not None and not self.from_config_maps:
            self._choose_source()
            if self.from_config_maps:
                self._kinds = None
                self._look_at_all(kinds.ADDRESS_SPACE)

    def authentication_type(self, space: AddressSpace) -> str | None:
        """Return the type of a space's authentication service, if the service can be read.

        The one in EnMasse's own namespace counts: any tenant may create one of that name elsewhere.
        """
        if space.authentication is None:
            return None
        found = self.authentication.get(Ref(self._enmasse_namespace, space.authentication))
        return found[1] if found else None

    def secret_value(self, namespace: str) -> Callable[[str, str], str | None]:
        """The values of the Secrets of a namespace that carry our label, by name and key."""

        def look_up(name: str, key: str) -> str | None:
            secret = self.secrets.get(Ref(namespace, name))
            data = (secret.document.get("data") or {}) if secret is not None else {}
            return decode(data[key]) if key in data else None

        return look_up

    def is_terminating(self, namespace: str) -> bool:
        """Whether a namespace is being deleted."""
        found = self.terminating.get(Ref("", namespace))
        return found is not None and found[1]

    def _space_of_kind(self, document: Document) -> AddressSpace:
        """An AddressSpace of the kind; its uid outlives an upgrade of EnMasse only where it can be watched."""
        served = self.reflectors["AddressSpace"].served
        return address_space(document, can_own=served is None or served.watchable)

    def _state_changed(self, kind: Kind, state: State) -> None:
        self._kinds = None
        self._choose_source()
        if kind in (kinds.CRD, kinds.API_SERVICE):
            for reflector in self.reflectors.values():
                reflector.blind = state is not State.SYNCED
        if not self.unsettled():
            self._settled.set()
        for callback in self._on_state:
            callback(kind, state)

    def _listed(self, kind: Kind) -> None:
        self._kinds = None  # the kind may be served from another place than before
        for callback in self._on_listed:
            callback(kind)

    def _definition_changed(self, old: Definition | None, new: Definition | None) -> None:
        """Wake the reflectors of the kinds that a CRD (``<plural>.<group>``) or APIService (``<version>.<group>``)
        serves, where they are not watching.
        """
        definition = new or old
        assert definition is not None
        self._kinds = None
        group = definition.name.partition(".")[2]
        for reflector in self.reflectors.values():
            watching = reflector.served is not None and reflector.served.watchable
            if not watching and (reflector.kind.crd_name == definition.name or reflector.kind.group == group):
                reflector.wake()
        if definition.name == kinds.CONNECTION.crd_name and (old and old.placeholder) != (new and new.placeholder):
            self._look_at_all(kinds.CONNECTION)
        if definition.name == kinds.ADDRESS_SPACE.crd_name and new is None:  # what it held back can be concluded
            self._look_at_all(kinds.ADDRESS_SPACE)

    def _look_at_all(self, kind: Kind) -> None:
        """Something else about a kind has changed than what is there of it."""
        for callback in self._on_state:
            callback(kind, self.reflectors[kind.name].state)


def _space_of(integration: Integration) -> Ref | None:
    reference = integration.spec.address_space_ref
    return Ref(reference.namespace, reference.name) if reference else None


def _authentication_service(document: Document) -> tuple[Ref, str]:
    metadata = document["metadata"]
    return Ref(metadata.get("namespace", ""), metadata["name"]), authentication_type(document)


def _namespace(document: Document) -> tuple[str, bool]:
    metadata = document["metadata"]
    return metadata["name"], "deletionTimestamp" in metadata


def _definition(document: Document) -> Definition:
    metadata = document["metadata"]
    placeholder = (metadata.get("labels") or {}).get(names.PLACEHOLDER_LABEL) == "true"
    return Definition(metadata["name"], str(metadata.get("resourceVersion", "")), placeholder)


def _store_of_spaces(convert: Callable[[Document], AddressSpace]) -> Store[AddressSpace]:
    return Store(
        convert,
        {
            "namespace": lambda s: (s.ref.namespace,),
            "name": lambda s: (s.ref.name,),
            "shared": lambda s: ("shared",) if s.allowed_namespaces else (),
            "creator": lambda s: (s.created_by,) if s.created_by else (),
            "authentication": lambda s: (s.authentication,) if s.authentication else (),
        },
    )


def _space_of_config_map(document: Document) -> AddressSpace:
    return address_space(document, can_own=False)
