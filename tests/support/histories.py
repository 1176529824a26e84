"""A cluster in memory, with what exists over REST, and an operator that is cut off at any action and started again.

The platforms and the garbage collector do their part at once. Plans are those of the product; what they do is carried
out here, and judged by code that knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from integration_operator.api import names
from integration_operator.controllers.integration.dry_run import DryRun
from integration_operator.controllers.integration.offline import cache_of_documents
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Action, Apply, Delete, DeleteRemote, EnsureRemote, SetFinalizer
from integration_operator.domain.model.credential import decode
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.managed_fields import merged
from integration_operator.runtime.ref import Ref
from tests.support.builders import report
from tests.support.documents import Document, decoded

SPACES = (Ref("shop", "orders"), Ref("shop", "returns"), Ref("fuse", "orders"))
SYNDESISES = (Ref("shop", "syndesis"), Ref("fuse", "syndesis"))
PAIRS = tuple(Pair(space, syndesis) for space in SPACES for syndesis in SYNDESISES)
CHILDREN = ("MessagingUser", "Connection", "Secret")
ROUNDS = 60
PASSES = 8
"""Passes over a pair before its status is written, as in the controller."""

Login = tuple[str, str]
"""User name and password."""


@dataclass
class History:
    """The cluster, and what its tenants want."""

    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    logins: dict[tuple[str, str], str] = field(default_factory=dict)
    """Passwords over REST, by the uid of the AddressSpace and user name."""
    connections: dict[tuple[str, Pair], Login] = field(default_factory=dict)
    """Logins of connections over REST, by the uid of the Syndesis and pair."""
    platforms: dict[tuple[str, Ref], Document] = field(default_factory=dict)
    """AddressSpaces and Syndesis, by kind and reference."""
    created: int = 0

    def __post_init__(self) -> None:
        self.templates = TemplateFiles()
        self.cache = cache_of_documents([])
        self.operator: DryRun
        self.restart()

    def restart(self) -> None:
        """Start the operator anew; it knows what the cluster shows, and nothing else."""
        deletions = self.operator._deletions if hasattr(self, "operator") else None
        settings = PlanSettings(rules=("same-namespace", "allowed-namespaces"), enable_new=False)
        self.operator = DryRun(self.cache, settings, now=lambda: self.now)
        self.operator._deletions = deletions or self.operator._deletions  # the server's: no two objects have one uid

    # What tenants and platforms do

    def create(self, document: Document) -> None:
        """Create an AddressSpace or a Syndesis, with a uid that none had before."""
        self.created += 1
        document["metadata"]["uid"] = f"{document['kind']}-{self.created}"
        ref = Ref(document["metadata"]["namespace"], document["metadata"]["name"])
        self.platforms[document["kind"], ref] = document
        self.cache.store(document["kind"]).record_write(document)

    def delete(self, kind: str, ref: Ref) -> None:
        """Delete an object, and what exists only in it; the garbage collector does the rest."""
        document = self.get(kind, ref)
        assert document is not None
        if document["metadata"].get("finalizers"):
            self.change(kind, ref, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
            return
        self.platforms.pop((kind, ref), None)
        uid = document["metadata"]["uid"]
        self.cache.store(kind).record_delete(ref, uid)
        self.operator._deletions[kind, ref] += 1
        self.logins = {key: word for key, word in self.logins.items() if key[0] != uid}
        self.connections = {key: login for key, login in self.connections.items() if key[0] != uid}
        self._collect()

    def change(self, kind: str, ref: Ref, change: Document) -> None:
        """Change fields of an object."""
        if (kind, ref) in self.platforms:
            self.platforms[kind, ref] = merged(self.platforms[kind, ref], change)
            self.cache.store(kind).record_write(self.platforms[kind, ref])
        else:
            self.operator.merge(kind, ref, change)

    def get(self, kind: str, ref: Ref) -> Document | None:
        """Return an object."""
        if kind in ("AddressSpace", "Syndesis"):
            return self.platforms.get((kind, ref))
        cached = self.cache.store(kind).get(ref)
        live = cached.live if isinstance(cached, Integration) else cached
        return live.document if live is not None else None

    def objects(self, kind: str) -> Iterator[LiveObject]:
        """Yield the objects of a kind that the operator creates."""
        for cached in self.cache.store(kind):
            yield cached.live if isinstance(cached, Integration) else cached

    def integration(self, pair: Pair) -> Integration | None:
        """Return the pair's Integration under its generated name."""
        return self.cache.integrations.get(Ref(pair.syndesis.namespace, naming.integration_name(pair)))

    # What the operator does

    def settle(self) -> None:
        """Let the operator run until nothing is left to do."""
        for _ in range(ROUNDS):
            if not self.run_once(cut_after=None):
                return
        raise AssertionError(f"it does not settle: {self.last}")

    def verify(self) -> None:
        """Let two periods of verification pass: the operator reads both sides of each pair over REST."""
        for _ in range(2):
            for entry in self.operator._remote_states._entries.values():
                entry.due_at = 0.0
            self.settle()

    def run_once(self, cut_after: int | None) -> bool:
        """Reconcile each pair once; return True if something was done.

        After so many actions the process is killed, before it writes a status, and starts again.
        """
        left = cut_after
        is_busy = False
        for pair in sorted({*self.operator.pairs(), *PAIRS}):
            for _ in range(PASSES):
                plan = self.operator.plan(pair, self.templates)
                if not plan.actions:
                    break
                self.last = [f"{pair}: {type(action).__name__} {action.kind} {action.ref}" for action in plan.actions]
                for action in plan.actions:
                    if left == 0:
                        self.restart()
                        return True
                    left = None if left is None else left - 1
                    self._execute(pair, action)
                is_busy = True
            before = self.operator.facts(pair).integration
            if before is not None and plan.conditions is not None:
                report(self.operator, pair, plan)
                after = self.operator.facts(pair).integration
                is_busy |= after is not None and after.status != before.status
        return is_busy

    def _execute(self, pair: Pair, action: Action) -> None:
        if isinstance(action, Delete):
            document = self.get(action.kind, action.ref)
            if document is not None and document["metadata"]["uid"] == action.uid:
                self.delete(action.kind, action.ref)
            return
        if isinstance(action, EnsureRemote):
            login = (action.credential.username, action.credential.password)
            if action.kind == "MessagingUser":
                self.logins[action.space.uid, login[0]] = login[1]
            else:
                self.connections[self._uid("Syndesis", pair.syndesis), pair] = login
        elif isinstance(action, DeleteRemote):
            if action.kind == "MessagingUser":
                assert action.space is not None
                self.logins.pop((action.space.uid, str(action.username)), None)
            else:
                self.connections = {key: login for key, login in self.connections.items() if key[1] != pair}
        elif isinstance(action, Apply) and action.kind == "MessagingUser":  # EnMasse takes the login over
            username = action.document["spec"]["username"]
            self.logins.pop((self._uid("AddressSpace", pair.space), username), None)
        elif isinstance(action, Apply) and action.kind == "Connection" and "connectionId" in action.document["spec"]:
            self.connections = {key: login for key, login in self.connections.items() if key[1] != pair}
        self.operator._execute(pair, action)
        if isinstance(action, SetFinalizer) and self.get(action.kind, action.ref) is None:
            self.operator._deletions[action.kind, action.ref] += 1
            self._collect()

    def _collect(self) -> None:
        """Delete what has owners, all of which are gone."""
        alive = {document["metadata"]["uid"] for document in self.platforms.values()}
        alive |= {integration.uid for integration in self.objects("Integration")}
        for kind in ("Integration", *CHILDREN):
            for live in list(self.objects(kind)):
                owners = {owner["uid"] for owner in live.owners}
                exists = self.get(kind, live.ref) is not None
                if exists and owners and not owners & alive and not live.deleting:
                    self.delete(kind, live.ref)

    # What must hold

    def is_ready(self, pair: Pair) -> bool:
        """Return True if the pair may be, and its AddressSpace is ready."""
        space_ = self.get("AddressSpace", pair.space)
        return self.may_pair(pair) and space_ is not None and bool(space_["status"]["isReady"])

    def may_pair(self, pair: Pair) -> bool:
        """Return True if both sides exist and consent."""
        space_, syndesis_ = self.get("AddressSpace", pair.space), self.get("Syndesis", pair.syndesis)
        if space_ is None or syndesis_ is None:
            return False
        allowed = space_["metadata"]["annotations"].get(names.ALLOWED_NAMESPACES) or ""
        return not pair.crosses_namespaces or pair.syndesis.namespace in allowed.split(",")

    def wanted(self, pair: Pair) -> bool | None:
        """Return True if the pair has to be delivered, False if not, None if what exists is kept as it is."""
        space_, integration = self.get("AddressSpace", pair.space), self.integration(pair)
        both = space_ is not None and self.get("Syndesis", pair.syndesis) is not None
        if integration is None or integration.live.deleting:
            return False
        spec = integration.live.document["spec"]
        if spec.get("suspend") and not (both and not self.may_pair(pair)):
            return None
        if space_ is None or not self.may_pair(pair) or not spec.get("enabled"):
            return False
        return True if space_["status"]["isReady"] else None

    def secret(self, pair: Pair) -> Login | None:
        """Return the login in the pair's Secret."""
        secret = self.get("Secret", naming.secret_ref(pair))
        return None if secret is None else (decoded(secret)["username"], decoded(secret)["password"])

    def users(self, pair: Pair) -> dict[str, str]:
        """Return the pair's users in EnMasse: password by name."""
        found = {}
        for username in naming.usernames(pair):
            user = self.get("MessagingUser", naming.user_ref(pair, username))
            if user is not None:
                found[username] = decode(user["spec"]["authentication"]["password"]) or ""
        space_ = self._uid("AddressSpace", pair.space)
        for (uid, username), password in self.logins.items():
            if uid == space_ and username in naming.usernames(pair):
                assert username not in found, "a MessagingUser and a login over REST have one name"
                found[username] = password
        return found

    def connection(self, pair: Pair) -> list[str | Login]:
        """Return the pair's connections: the name of the Secret in a resource, or the login of one over REST."""
        found: list[str | Login] = [login for (_, other), login in self.connections.items() if other == pair]
        connection = self.get("Connection", naming.connection_ref(pair))
        handed_over = connection is not None and (connection["metadata"].get("annotations") or {}).get(
            names.HANDED_OVER
        )
        if connection is not None and not (found and handed_over):
            found.append(naming.secret_name(pair))
        return found

    def check(self, pair: Pair, *, rotating: bool) -> None:
        """Check that there is one user, Secret and connection with one credential, or nothing."""
        wanted = self.wanted(pair)
        if wanted is None:
            return
        users, connection, secret = self.users(pair), self.connection(pair), self.secret(pair)
        integration = self.integration(pair)
        if not wanted:
            left = (users, connection, secret)
            assert left == ({}, [], None), f"left behind of {pair}: {left}"
            finalizers = integration.live.document["metadata"].get("finalizers") if integration else None
            assert not finalizers, "a finalizer without state over REST"
            return
        assert integration is not None
        ready: Any = next(c for c in integration.status["conditions"] if c["type"] == "Ready")
        assert ready["status"] == "True", ready
        assert secret is not None
        username, password = secret
        assert users.get(username) == password, f"the user of {pair} cannot log in"
        assert len(users) == 1 or (rotating and len(users) == 2), f"users of {pair}: {users}"
        assert connection in ([secret], [naming.secret_name(pair)]), f"connections of {pair}: {connection}"

    def shape(self) -> list[Any]:
        """Return what exists and what is reported, without credentials, their history and times."""
        objects = [(kind, live.ref) for kind in ("Integration", "Secret", "Connection") for live in self.objects(kind)]
        connections = sorted(str(pair) for _, pair in self.connections)
        users = [(str(pair), len(self.users(pair))) for pair in PAIRS]
        reported = [
            (i.ref, [(c["type"], c["reason"]) for c in i.status.get("conditions", ()) if c["type"] != "Rotating"])
            for i in self.cache.integrations
        ]
        return [sorted(objects), connections, users, sorted(reported)]

    def pass_time(self, time: timedelta) -> None:
        """Set the clock forward."""
        self.now += time

    def _uid(self, kind: str, ref: Ref) -> str:
        document = self.get(kind, ref)
        return str(document["metadata"]["uid"]) if document is not None else ""
