"""The stores filled from documents instead of by reflectors: what ``render``, ``explain`` and ``migrate`` decide on.

Everything else is the same code as in the operator, so what they say is what it would do.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from integration_operator.api import names
from integration_operator.cluster import DEFAULT_ENMASSE_NAMESPACE, Cluster
from integration_operator.documents import UnreadableFile, documents, read_text, shown
from integration_operator.domain import naming
from integration_operator.domain.actions import Action, Apply, Child, Deliver, Finalize, LetGo, Remove, Withdraw
from integration_operator.domain.decisions import Decision, decide
from integration_operator.domain.desired import Templates
from integration_operator.domain.integration import Integration, first_of
from integration_operator.domain.live import Live
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.remote import Remote
from integration_operator.domain.text import sanitized
from integration_operator.domain.verdict import Verdict
from integration_operator.engine.gathering import Gatherer, Key
from integration_operator.engine.guards import MassDeletionGuard
from integration_operator.engine.register import RemoteRegister
from integration_operator.kube import kinds, shape
from integration_operator.kube.client import Client
from integration_operator.kube.kinds import Served
from integration_operator.kube.reflector import State
from integration_operator.sources import configmap

Document = dict[str, Any]

DEFAULT_VERSIONS = {
    "AddressSpace": "v1beta1",
    "MessagingUser": "v1beta1",
    "AuthenticationService": "v1beta1",
    "Syndesis": "v1beta3",
}
"""Versions of the releases that serve these kinds today, for documents that are made and not read."""

KINDS = {
    kind.name: kind
    for kind in (
        kinds.ADDRESS_SPACE,
        kinds.SPACE_CONFIG_MAP,
        kinds.AUTHENTICATION_SERVICE,
        kinds.SYNDESIS,
        kinds.INTEGRATION,
        kinds.SECRET,
        kinds.MESSAGING_USER,
        kinds.CONNECTION,
    )
}
"""What is read from files, by kind."""

API_VERSION = r"([a-z0-9.-]+/)?v[a-z0-9]+"

MOST_PASSES = 8


ENDINGS = (".yaml", ".yml", ".json")
"""Files of a directory that are read, as kubectl does."""


def read(files: Iterable[Path]) -> list[Document]:
    """Return the documents of the kinds that the operator reads; ``-`` is standard input, a directory its files.

    Lists are taken apart; documents of other kinds are passed over. Raises ``UnreadableFile``.
    """
    found: list[Document] = []
    for file in _expanded(files):
        name = shown(file)
        for line, document in documents(read_text(file), name):
            where = f"{name}:{line}"
            checked = (_checked(item, where) for item in _items(document, where))
            found += [item for item in checked if item is not None]
    return found


def _expanded(files: Iterable[Path]) -> Iterator[Path]:
    for file in files:
        if not file.is_dir():
            yield file
            continue
        inside = sorted(path for path in file.iterdir() if path.suffix in ENDINGS and path.is_file())
        if not inside:
            raise UnreadableFile(f"{shown(file)}: no file in it ends with {', '.join(ENDINGS)}")
        yield from inside


def _items(document: Any, where: str) -> Iterator[Any]:
    """Return a document, or those of a list; the items of a typed list need not say of what kind they are."""
    kind = document.get("kind") if isinstance(document, dict) else None
    if document is None:
        return
    if not (isinstance(kind, str) and kind.endswith("List") and "items" in document):
        yield document
        return
    items = document["items"] or []
    if not isinstance(items, list):
        raise UnreadableFile(f"{where}: items of {sanitized(kind, 60)} is not a list")
    known = {"kind": kind.removesuffix("List"), "apiVersion": document.get("apiVersion")} if kind != "List" else {}
    for item in items:
        yield {**known, **item} if isinstance(item, dict) else item


def _checked(document: Any, where: str) -> Document | None:
    """Return a document as an API server would have it, None if its kind is none that the operator reads."""
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise UnreadableFile(f"{where}: a document without kind")
    kind = KINDS.get(document["kind"])
    if kind is None:
        return None
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    at = f"{where}: {kind.name} {sanitized(name, 60)}" if name is not None else f"{where}: {kind.name}"
    if name is None:
        raise UnreadableFile(f"{at}: no metadata.name")
    version = document.get("apiVersion")
    if not isinstance(version, str) or not re.fullmatch(API_VERSION, version):
        raise UnreadableFile(f"{at}: apiVersion is {sanitized(repr(version), 60)}, not GROUP/VERSION")
    if version.rpartition("/")[0] != kind.group:
        return None  # the kind of another group, such as Camel's Integration
    try:
        found = shape.checked(document)
    except shape.WrongShape as error:
        raise UnreadableFile(f"{at}: {error}") from error
    labels = found["metadata"].get("labels") or {}
    if kind.selector is None:
        return found
    key, _, wanted = kind.selector.partition("=")
    return found if key in labels and wanted in ("", labels[key]) else None


class Rehearsal:
    """Decisions carried out in the stores of a cluster alone: nothing is asked of anybody, and nothing is written."""

    def __init__(
        self, cluster: Cluster, rules: tuple[str, ...], *, enable_new: bool = True, share: float = 1.0
    ) -> None:
        self.cluster = cluster
        self._register = RemoteRegister(math.inf, lambda: 0.0)
        self.gatherer = Gatherer(cluster, MassDeletionGuard(share), rules, enable_new, self._register)

    def pairs(self) -> list[Pair]:
        """Return the pairs that the documents are about, in order."""
        return sorted(key for key in self.gatherer.known_keys() if isinstance(key, Pair))

    def unpaired(self) -> list[Key]:
        """Return the Integrations that stand for no pair."""
        return sorted(key for key in self.gatherer.known_keys() if not isinstance(key, Pair))

    def settle(self, pair: Pair, templates: Templates) -> tuple[list[Action], Decision]:
        """Do what is decided for a pair in the stores alone; return all actions and the last decision."""
        actions: list[Action] = []
        for _ in range(MOST_PASSES):
            decision = decide(self.gatherer.facts(pair, self.cluster.kinds()), templates)
            if not decision.actions:
                break
            actions += decision.actions
            for action in decision.actions:
                self._do(pair, action)
        return actions, decision

    def _do(self, pair: Pair, action: Action) -> None:
        """Change the stores as an action would that succeeds."""
        match action:
            case Apply():
                self.merge(action.kind, action.ref, {**action.document, **_answered(action)}, applied=action.document)
            case Remove():
                self.cluster.store(action.kind).removed(action.ref, action.uid)
            case Finalize():
                finalizers = [names.REST_STATE_FINALIZER] if action.present else []
                self._register.begin(first_of(self.gatherer.integrations_of(pair))[0])
                self.merge(action.kind, action.ref, {"metadata": {"finalizers": finalizers}})
            case Deliver():
                identifier = naming.connection_id(pair) if action.kind == "Connection" else action.credential.username
                verified = Verdict.deny("NotTried", "nothing is asked offline") if action.kind == "Connection" else None
                made = Remote(
                    action.how,
                    True,
                    identifier,
                    action.applied,
                    action.credentials,
                    verified=verified,
                    platform=action.platform,
                )
                self._note(pair, action.kind, made)
            case Withdraw() | LetGo():
                self._note(pair, action.kind, Remote())

    def merge(self, kind: str, ref: Ref, document: Document, *, applied: Document | None = None) -> None:
        """Take some fields of an object as changed; ``applied`` are those that our field manager has then applied."""
        store = self.cluster.store(kind)
        known = store.get(ref)
        live = known.live if isinstance(known, Integration) else known
        changed = _completed(_merged(live.document if live else {}, document))
        changed["metadata"]["managedFields"] = managed_fields(applied) if applied else _still_managed(live)
        store.wrote(changed)

    def _note(self, pair: Pair, kind: Child, side: Remote) -> None:
        for integration in first_of(self.gatherer.integrations_of(pair))[:1]:
            self._register.note(integration, kind, side, platform=side.platform)


class Snapshot(Rehearsal):
    """A cluster that holds what some documents say.

    ``served`` says where kinds are served, None for one that is not; a kind that it does not name is served as its
    documents have it. ``share`` is the setting ``mass_delete_share``: 1.0 holds nothing.
    """

    def __init__(
        self,
        documents: Iterable[Document],
        rules: tuple[str, ...],
        *,
        enable_new: bool = True,
        served: Mapping[str, Served | None] | None = None,
        share: float = 1.0,
        enmasse_namespace: str = DEFAULT_ENMASSE_NAMESPACE,
    ) -> None:
        cluster = Cluster(Client.in_cluster(), enmasse_namespace=enmasse_namespace)
        super().__init__(cluster, rules, enable_new=enable_new, share=share)
        by_kind: dict[str, list[Document]] = {}
        for document in documents:
            by_kind.setdefault(document["kind"], []).append(document)
        for name in self.cluster.reflectors:
            self._fill(name, by_kind.get(name, []), served or {})
        of_kind, in_config_maps = (by_kind.get(k.name) for k in (kinds.ADDRESS_SPACE, kinds.SPACE_CONFIG_MAP))
        self.cluster.from_config_maps = bool(in_config_maps) and not of_kind
        self._guard(share)

    def _fill(self, name: str, there: list[Document], served: Mapping[str, Served | None]) -> None:
        """Make a store hold what its reflector would have listed."""
        reflector = self.cluster.reflectors[name]
        kind = reflector.kind
        version = kind.version or DEFAULT_VERSIONS[name]
        if there and kind.version is None:
            version = there[0]["apiVersion"].rpartition("/")[2]
        reflector.served = served.get(name, Served(kind, version))
        if reflector.served is None:
            reflector.state = State.ABSENT
            return
        reflector.shown_from = reflector.served
        is_shown = reflector.served.watchable or kind.polled
        reflector.state = State.SYNCED if is_shown else State.UNWATCHED
        if kind is kinds.SPACE_CONFIG_MAP:
            there = [space for space in map(configmap.address_space_document, map(_completed, there)) if space]
        elif kind.namespaced:
            there = [_completed(document) for document in there]
        if is_shown:
            reflector.store.replace(map(reflector.store.read, there), reflector.store.epoch())

    def _guard(self, share: float) -> None:
        """Hold the pairs that the operator would hold at its start."""
        if share >= 1.0:
            return
        keys = [self.gatherer.key_of(integration) for integration in self.cluster.integrations]
        pairs = [key for key in keys if isinstance(key, Pair)]
        guard = self.gatherer.guard
        guard.listed("AddressSpace", (pair.space for pair in pairs), (s.ref for s in self.cluster.spaces))
        guard.listed("Syndesis", (pair.syndesis for pair in pairs), (s.ref for s in self.cluster.syndesises))


def _answered(action: Apply) -> Document:
    """Return what the platforms say of a resource once they have done their part."""
    if action.kind == "MessagingUser" and action.uid is None:
        return {"status": {"phase": "Active", "generation": None}}
    if action.kind == "Connection":
        return {"status": {"phase": "Ready", "connectionId": action.document["spec"].get("connectionId", "new")}}
    return {}


def managed_fields(document: Document) -> list[Document]:
    """Return what the API server notes of a document that our field manager applies."""
    content = {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}
    metadata = {key: content["metadata"][key] for key in ("labels", "annotations") if key in content["metadata"]}
    owners = [owner["uid"] for owner in content["metadata"].get("ownerReferences") or ()]
    fields = _fields({**content, "metadata": metadata})
    return _entry(fields, owners)


def _still_managed(live: Live | None) -> list[Document]:
    if live is None or live.owned is None:
        return []
    return _entry(json.loads(live.owned), sorted(live.owned_owners))


def _entry(fields: Document, owners: Sequence[str]) -> list[Document]:
    references: Document = {f"k:{json.dumps({'uid': uid})}": {} for uid in owners}
    metadata = {**fields.get("f:metadata", {}), **({"f:ownerReferences": references} if references else {})}
    set_of_fields = {**fields, **({"f:metadata": metadata} if metadata else {})}
    return [{"manager": names.FIELD_MANAGER, "operation": "Apply", "fieldsV1": set_of_fields}]


def _fields(document: Document) -> Document:
    """Return a document as a set of fields; a list is one field."""
    return {f"f:{key}": _fields(value) if isinstance(value, dict) else {} for key, value in document.items()}


def _completed(document: Document) -> Document:
    """Return the document with what only a server gives; a uid that is not known says whose it is."""
    metadata = {**document["metadata"]}
    metadata.setdefault("namespace", "default")
    metadata.setdefault("uid", f"(uid of {document['kind']} {metadata['namespace']}/{metadata['name']})")
    return {**document, "metadata": metadata}


def _merged(there: Document, applied: Document) -> Document:
    """Return what a server-side apply makes of an object: it merges mappings and replaces everything else."""
    merged = {**there}
    for key, value in applied.items():
        merged[key] = _merged(there.get(key) or {}, value) if isinstance(value, dict) else value
    return merged
