"""The oracle: compares what exists with what a scenario expects, and says each violation in a sentence.

It reads names, labels and fields of the public contract, and nothing of what the operator decides by. The invariants:

1. exactly one user, Secret and connection for a delivered pair, none for another;
2. one credential in all places;
3. nothing foreign changed;
4. nothing is being deleted for ever, no finalizer without state over REST.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Generator, Iterator, Mapping

from tests.support.faults.admin import Document
from tests.support.faults.expectation import Delivered, Expectation, Offered, Ref
from tests.support.faults.snapshot import Snapshot, StoredConnection, condition, ref_of, secret_value

FINALIZER = "integreatly.org/rest-state"
MADE = ("Integration", "Secret", "MessagingUser", "Connection")
MOST_USERS = 2
Foreign = Mapping[tuple[str, Ref], Document]


def violations(snapshot: Snapshot, expected: Expectation, foreign: Foreign) -> list[str]:
    """Return how the invariants 1 to 4 are violated; none if all hold."""
    judge = _Judge(snapshot, expected, foreign)
    return list(judge.judge())


def crowded(snapshot: Snapshot) -> Iterator[str]:
    """Say which AddressSpace has more users than a rotation needs: the one in use, and the one before or after it."""
    spaces = Counter(f"{namespace}-{space}" for namespace, space, _ in snapshot.logins)
    users = spaces | Counter({realm: len(users) for realm, users in snapshot.keycloak.items()})
    for name, count in users.items():
        if count > MOST_USERS:
            yield f"{name} has {count} users, expected at most {MOST_USERS}"


def shut_out(snapshot: Snapshot) -> Iterator[str]:
    """Say which connection has a credential that the simulated EnMasse refuses."""
    accepted = {(username, password) for (_, _, username), password in snapshot.logins.items()}
    for stored in (*snapshot.reconciled.values(), *snapshot.rest):
        credential = stored.properties.get("username", ""), stored.properties.get("password", "")
        if credential not in accepted:
            yield f"EnMasse refuses the credential of connection {stored.id}"


class _Judge:
    """One comparison. ``_accounted`` collects the objects that something expects."""

    def __init__(self, snapshot: Snapshot, expected: Expectation, foreign: Foreign) -> None:
        self._snapshot = snapshot
        self._expected = expected
        self._foreign = foreign
        self._accounted: set[tuple[str, Ref]] = set(foreign)
        self._stored: list[str] = []

    def judge(self) -> Iterator[str]:
        for offered in self._expected.offered:
            yield from self._offered(offered)
        for delivered in self._expected.delivered:
            yield from self._delivered(delivered)
        yield from self._too_much()
        yield from self._foreign_changed()
        yield from self._stuck()

    def _offered(self, offered: Offered) -> Iterator[str]:
        found = self._snapshot.integrations_of(offered.space, offered.syndesis)
        self._account("Integration", found)
        if len(found) != 1:
            yield f"{len(found)} Integrations of {offered.space} and {offered.syndesis}, expected 1"
            return
        if bool(found[0]["spec"].get("enabled")) != offered.enabled:
            yield f"Integration {ref_of(found[0])} has enabled {found[0]['spec'].get('enabled')}"
        if condition(found[0], "Disabled").get("status") != "True":
            yield f"Integration {ref_of(found[0])} does not say that it is disabled"
        if found[0]["metadata"].get("finalizers"):
            yield f"Integration {ref_of(found[0])} has finalizers without state over REST"

    def _delivered(self, wanted: Delivered) -> Iterator[str]:
        found = self._snapshot.integrations_of(wanted.space, wanted.syndesis)
        self._account("Integration", found)
        if len(found) != 1:
            yield f"{len(found)} Integrations of {wanted.space} and {wanted.syndesis}, expected 1"
            return
        integration = found[0]
        if wanted.integration and integration["metadata"]["name"] != wanted.integration:
            yield f"Integration {ref_of(integration)} stands in place of {wanted.integration}"
        ready = condition(integration, "Ready")
        if ready.get("status") != "True":
            yield f"Integration {ref_of(integration)} is not Ready: {ready.get('reason')}: {ready.get('message')}"
        if (integration.get("status") or {}).get("observedGeneration") != integration["metadata"]["generation"]:
            yield f"the status of Integration {ref_of(integration)} is of an earlier generation"
        over_rest = wanted.user != "native" or wanted.connection == "rest"
        if (FINALIZER in (integration["metadata"].get("finalizers") or [])) != over_rest:
            yield f"Integration {ref_of(integration)} has finalizers {integration['metadata'].get('finalizers')}"
        credential = yield from self._credential(wanted)
        if credential is not None:
            yield from self._user(wanted, *credential)
            yield from self._connection(wanted, *credential)
        if not wanted.connection:
            yield from self._binding(wanted, integration)

    def _binding(self, wanted: Delivered, integration: Document) -> Iterator[str]:
        """Check what a workload finds by the status of a binding."""
        name = ((integration.get("status") or {}).get("binding") or {}).get("name", "")
        secret = self._snapshot.find("Secret", Ref(wanted.syndesis.namespace, name))
        if secret is None:
            yield f"Integration {ref_of(integration)} names Secret {name!r}, which does not exist"
        elif (found := secret_value(secret, "host")) != wanted.host:
            yield f"Secret {ref_of(secret)} has host {found!r}, expected {wanted.host}"

    def _credential(self, wanted: Delivered) -> Generator[str, None, tuple[str, str] | None]:
        """Check the Secret, and return user name and password from it."""
        namespace = wanted.syndesis.namespace
        secrets = [s for s in self._snapshot.objects["Secret"] if s["metadata"]["namespace"] == namespace]
        if wanted.brought is not None:
            return wanted.brought.username, wanted.brought.password
        made = [secret for secret in secrets if self._is_of(secret, wanted)]
        self._account("Secret", made)
        if len(made) != 1:
            yield f"{len(made)} Secrets for {wanted.space} in {namespace}, expected 1"
            return None
        return secret_value(made[0], "username"), secret_value(made[0], "password")

    def _is_of(self, item: Document, wanted: Delivered) -> bool:
        """Return True if an object names the pair in its annotations, and is not foreign."""
        annotations = item["metadata"].get("annotations") or {}
        consumer = "integreatly.org/syndesis" if wanted.connection else "integreatly.org/binding"
        names = annotations.get("integreatly.org/address-space"), annotations.get(consumer)
        key = item["kind"], ref_of(item)
        return names == (str(wanted.space), str(wanted.syndesis)) and key not in self._foreign

    def _user(self, wanted: Delivered, username: str, password: str) -> Iterator[str]:
        if wanted.user == "native":
            yield from self._messaging_user(wanted, username, password)
        realm = f"{wanted.space.namespace}-{wanted.space.name}"
        if realm in self._snapshot.keycloak:
            names = [user["username"] for user in self._snapshot.keycloak[realm]]
            if names != [username]:
                yield f"Keycloak has the users {names} in {realm}, expected {username}"
        else:
            logins = {k[2]: v for k, v in self._snapshot.logins.items() if k[:2] == tuple(wanted.space)}
            if set(logins) != {username}:
                yield f"EnMasse knows the logins {sorted(logins)} of {wanted.space}, expected {username}"
            elif logins[username] != password:
                yield f"EnMasse's password of {username} is not the one in the Secret"

    def _messaging_user(self, wanted: Delivered, username: str, password: str) -> Iterator[str]:
        ref = Ref(wanted.space.namespace, f"{wanted.space.name}.{username}")
        user = self._snapshot.find("MessagingUser", ref)
        if user is None:
            yield f"MessagingUser {ref} does not exist"
            return
        self._account("MessagingUser", [user])
        stored = (user["spec"].get("authentication") or {}).get("password") or ""
        if base64.b64decode(stored).decode(errors="replace") != password:
            yield f"the password of MessagingUser {ref} is not the one in the Secret"

    def _connection(self, wanted: Delivered, username: str, password: str) -> Iterator[str]:
        namespace = wanted.syndesis.namespace
        made = [c for c in self._snapshot.objects["Connection"] if c["metadata"]["namespace"] == namespace]
        made = [connection for connection in made if self._is_of(connection, wanted)]
        self._account("Connection", made)
        expected = 1 if wanted.connection == "native" else 0
        if len(made) != expected:
            yield f"{len(made)} Connections for {wanted.space} in {namespace}, expected {expected}"
            return
        if not wanted.connection:
            return
        if wanted.connection == "native" and not self._snapshot.rest:
            stored = self._snapshot.reconciled.get(ref_of(made[0]))
            connections = [stored] if stored else []
        else:
            connections = [c for c in self._snapshot.rest if c.properties.get("username") == username]
        self._stored += [connection.id for connection in connections]
        if len(connections) != 1:
            yield f"Syndesis has {len(connections)} connections with user {username}, expected 1"
            return
        yield from _properties(connections[0], wanted, username, password)

    def _too_much(self) -> Iterator[str]:
        """Find what the operator has made and nothing expects."""
        for kind in MADE:
            for item in self._snapshot.objects[kind]:
                if (kind, ref_of(item)) not in self._accounted:
                    yield f"{kind} {ref_of(item)} is left"
        for stored in self._snapshot.rest:
            if stored.id not in self._stored:
                yield f"Syndesis has a connection {stored.id} that nothing expects"
        wanted = {tuple(delivered.space) for delivered in self._expected.delivered}
        for namespace, space, username in self._snapshot.logins:
            if (namespace, space) not in wanted:
                yield f"EnMasse still accepts the login {username} of {namespace}/{space}"
        realms = {f"{d.space.namespace}-{d.space.name}" for d in self._expected.delivered}
        for realm, users in self._snapshot.keycloak.items():
            if users and realm not in realms:
                yield f"Keycloak still has {[user['username'] for user in users]} in {realm}"

    def _foreign_changed(self) -> Iterator[str]:
        for (kind, ref), before in self._foreign.items():
            now = self._snapshot.find(kind, ref)
            if now is None:
                yield f"{kind} {ref} of another was deleted"
            elif kind == "Integration":  # its status is the operator's
                if any(now["spec"].get(key) != value for key, value in before["spec"].items()):
                    yield f"the spec of {kind} {ref} of a user was changed"
            elif _content(now) != _content(before):
                yield f"{kind} {ref} of another was changed"

    def _stuck(self) -> Iterator[str]:
        for kind, items in self._snapshot.objects.items():
            for item in items:
                if "deletionTimestamp" in item["metadata"]:
                    finalizers = item["metadata"].get("finalizers")
                    yield f"{kind} {ref_of(item)} is being deleted, with finalizers {finalizers}"

    def _account(self, kind: str, items: list[Document]) -> None:
        self._accounted |= {(kind, ref_of(item)) for item in items}


def _content(item: Document) -> Document:
    """Return an object without what the items of some LISTs do not have."""
    return {key: value for key, value in item.items() if key not in ("apiVersion", "kind")}


def _properties(stored: StoredConnection, wanted: Delivered, username: str, password: str) -> Iterator[str]:
    """Compare a stored connection with the AddressSpace and the credential."""
    properties = stored.properties
    uri = properties.get("connectionUri", "")
    scheme = "amqps" if wanted.certificate else "amqp"
    if not uri.startswith(f"{scheme}://{wanted.host}:"):
        yield f"the connection leads to {uri}, expected {scheme}://{wanted.host}"
    if (properties.get("brokerCertificate") or "").strip() != wanted.certificate.strip():
        yield "the connection trusts another certificate than the AddressSpace's"
    if properties.get("username") != username or properties.get("password") != password:
        yield "the credential of the connection is not the one in the Secret"
    if wanted.connection_id and stored.id != wanted.connection_id:
        yield f"the connection has the id {stored.id}, expected {wanted.connection_id}"
