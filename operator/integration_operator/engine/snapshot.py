"""The stores filled from documents instead of from a server: what ``render`` and ``explain -f`` decide on.

Everything else is the same code as in the operator, so what they say is what it would do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from integration_operator.api import names
from integration_operator.cluster import Cluster
from integration_operator.domain import naming
from integration_operator.domain.actions import Action, Apply, Child, Deliver, Finalize, LetGo, Remove, Withdraw
from integration_operator.domain.decisions import Decision, decide
from integration_operator.domain.desired import Templates
from integration_operator.domain.integration import Integration, first_of
from integration_operator.domain.live import Live
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.remote import Remote
from integration_operator.domain.verdict import Verdict
from integration_operator.engine.gathering import Gatherer, Key
from integration_operator.engine.guards import MassDeletionGuard
from integration_operator.engine.register import RemoteRegister
from integration_operator.kube.client import Client
from integration_operator.kube.kinds import Served
from integration_operator.kube.reflector import State

Document = dict[str, Any]

DEFAULT_VERSIONS = {
    "AddressSpace": "v1beta1",
    "MessagingUser": "v1beta1",
    "AuthenticationService": "v1beta1",
    "Syndesis": "v1beta3",
}
"""Versions of the releases that serve these kinds today, for documents that are made and not read."""

MOST_PASSES = 8


class UnreadableFile(Exception):
    """A file holds no Kubernetes documents; the message says which, and where."""


def read(files: Iterable[Path]) -> list[Document]:
    """The documents in files; lists (``kind: List``) are taken apart."""
    found: list[Document] = []
    for file in files:
        try:
            loaded = list(yaml.safe_load_all(file.read_text()))
        except OSError as error:
            raise UnreadableFile(f"{file}: {error.strerror}") from error
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise UnreadableFile(f"{file}:{line}: not YAML: {error.problem}") from error
        for document in loaded:
            items = document.get("items") if isinstance(document, dict) else None
            for item in items if isinstance(items, list) else [document]:
                if item is None:
                    continue
                if not isinstance(item, dict) or "kind" not in item or "name" not in (item.get("metadata") or {}):
                    raise UnreadableFile(f"{file}: a document in it has no kind or no metadata.name")
                found.append(item)
    return found


class Rehearsal:
    """Decisions carried out in the stores of a cluster alone: nothing is asked of anybody, and nothing is written."""

    def __init__(self, cluster: Cluster, rules: tuple[str, ...], *, enable_new: bool = True) -> None:
        self.cluster = cluster
        self._register = RemoteRegister(math.inf, lambda: 0.0)
        self.gatherer = Gatherer(cluster, MassDeletionGuard(1.0), rules, enable_new, self._register)

    def pairs(self) -> list[Pair]:
        """The pairs that the documents are about, in order."""
        return sorted(key for key in self.gatherer.known_keys() if isinstance(key, Pair))

    def unpaired(self) -> list[Key]:
        """The Integrations that stand for no pair."""
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
        """What would come of an action that succeeds."""
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
    """A cluster that holds what some documents say."""

    def __init__(self, documents: Iterable[Document], rules: tuple[str, ...], *, enable_new: bool = True) -> None:
        super().__init__(Cluster(Client.in_cluster()), rules, enable_new=enable_new)
        by_kind: dict[str, list[Document]] = {}
        for document in documents:
            by_kind.setdefault(document["kind"], []).append(_completed(document))
        for name, reflector in self.cluster.reflectors.items():
            there = by_kind.get(name, [])
            version = reflector.kind.version or DEFAULT_VERSIONS[name]
            if there and "apiVersion" in there[0]:
                version = there[0]["apiVersion"].rpartition("/")[2]
            reflector.served = Served(reflector.kind, version)
            reflector.state = State.SYNCED
            if name in ("Namespace", "CustomResourceDefinition", "APIService"):
                continue
            reflector.store.replace(map(reflector.store.read, there), reflector.store.epoch())


def _answered(action: Apply) -> Document:
    """What the platforms say of a resource once they have done their part."""
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
    """The document with what only a server gives; a uid that is not known says whose it is."""
    metadata = {**(document.get("metadata") or {})}
    metadata.setdefault("namespace", "default")
    metadata.setdefault("uid", f"(uid of {document['kind']} {metadata['namespace']}/{metadata['name']})")
    return {**document, "metadata": metadata}


def _merged(there: Document, applied: Document) -> Document:
    """What a server-side apply makes of an object: fields of mappings one by one, everything else as a whole."""
    merged = {**there}
    for key, value in applied.items():
        merged[key] = _merged(there.get(key) or {}, value) if isinstance(value, dict) else value
    return merged
