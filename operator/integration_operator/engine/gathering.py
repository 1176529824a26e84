"""From the stores to the facts of a pair, and from a changed object to the pairs that it concerns. No request is made.

Which pairs a change concerns may be answered too widely (the decision is made later, from the facts), never too
narrowly.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from integration_operator.api import names
from integration_operator.cluster import Cluster
from integration_operator.domain import naming, ownership, pairing
from integration_operator.domain.actions import Child
from integration_operator.domain.credentials import Credential, of_secret
from integration_operator.domain.facts import Facts, Kinds, NameTaken
from integration_operator.domain.integration import Integration, first_of, pair_of
from integration_operator.domain.live import Live
from integration_operator.domain.ownership import Ownership
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.platforms import AddressSpace, Syndesis
from integration_operator.domain.remote import RemoteState
from integration_operator.domain.verdict import Verdict
from integration_operator.engine.guards import MassDeletionGuard, OfferLimit
from integration_operator.engine.register import RemoteRegister

Key = Pair | Ref
"""What is worked on: a pair, or an Integration that names none."""


def new_password() -> str:
    """32 bytes of the system's randomness in an alphabet that is safe in URLs, shells and YAML."""
    return secrets.token_hex(32)


@dataclass(slots=True)
class Gatherer:
    """Looks things up in the stores."""

    cluster: Cluster
    guard: MassDeletionGuard
    rules: Sequence[str]
    enable_new: bool
    register: RemoteRegister
    asked: dict[str, str] = field(default_factory=lambda: {"user": "auto", "connection": "auto"})
    overdue: Callable[[Integration], bool] = lambda integration: False
    password: Callable[[], str] = new_password
    offers: OfferLimit = field(default_factory=lambda: OfferLimit(lambda namespace: 0))
    keycloak_allowed: bool = True
    lost: dict[Pair, Integration] = field(default_factory=dict)
    """Integrations that are gone although something stands over REST: a tenant took our finalizer off."""
    _withdrawn: set[Pair] = field(default_factory=set)
    _removed_by_us: set[str] = field(default_factory=set)
    _taken_from: dict[Ref, Pair] = field(default_factory=dict)

    def facts(self, pair: Pair, kinds: Kinds) -> Facts:
        """Return everything that is known of a pair."""
        cluster = self.cluster
        space, syndesis = cluster.spaces.get(pair.space), cluster.syndesises.get(pair.syndesis)
        candidates = first_of(self.integrations_of(pair))
        integration = self.integration_of(pair)
        remote = self.register.of(integration) if integration is not None else RemoteState()
        provided, chosen = self._provided(integration)
        secret, taken_secret = self._secret(pair)
        login = chosen or self._login(pair, integration, secret, remote)
        made_over_rest = remote.user.exists is not False and remote.user.id == login
        user, taken_user = self._user(pair, login, made_over_rest=made_over_rest)
        connection, taken_connection = self._connection(pair)
        taken = tuple(found for found in (taken_secret, taken_user, taken_connection) if found)
        for foreign in taken:
            self._taken_from[foreign.ref] = pair
        return Facts(
            pair=pair,
            kinds=kinds,
            candidate=self.password(),
            space=space,
            authentication_type=cluster.authentication_type(space) if space else None,
            syndesis=syndesis,
            allowed=self._allowed(pair, space, syndesis),
            integration=integration,
            duplicates=tuple(candidates[1:]),
            secret=secret,
            provided=provided,
            user=user,
            connection=connection,
            taken=taken,
            former_users=tuple(self._former_users(pair, login)),
            usernames=self._other_usernames(pair, chosen),
            user_name=login,
            asked=self.asked,
            remote=remote,
            overdue=integration is not None and self.overdue(integration),
            terminating=frozenset(
                namespace
                for namespace in (pair.space.namespace, pair.syndesis.namespace)
                if cluster.is_terminating(namespace)
            ),
            enable_new=self.enable_new,
            withdrawn=pair in self._withdrawn,
            held=self.guard.holds("AddressSpace", pair.space) or self.guard.holds("Syndesis", pair.syndesis),
            offers_exhausted=integration is None and self.offers.exhausted(pair),
            keycloak_allowed=self.keycloak_allowed,
        )

    def _allowed(self, pair: Pair, space: AddressSpace | None, syndesis: Syndesis | None) -> Verdict:
        """Return whether the two may be paired; across namespaces the answer does not tell if the AddressSpace
        exists."""
        if space is not None and syndesis is not None:
            return pairing.may_pair(space, syndesis, self.rules)
        return pairing.denied(pair, self.rules)

    def _secret(self, pair: Pair) -> tuple[Live | None, NameTaken | None]:
        ref = naming.secret_ref(pair)
        found = self.cluster.secrets.get(ref)
        return _judged("Secret", ref, found, ownership.of_secret(found, pair) if found else None)

    def _user(self, pair: Pair, login: str, *, made_over_rest: bool) -> tuple[Live | None, NameTaken | None]:
        ref = naming.user_ref(pair, login)
        found = self.cluster.users.get(ref)
        judged = ownership.of_user(found, pair, login, made_over_rest=made_over_rest) if found else None
        return _judged("MessagingUser", ref, found, judged)

    def _connection(self, pair: Pair) -> tuple[Live | None, NameTaken | None]:
        ref = naming.connection_ref(pair)
        found = self.cluster.connections.get(ref)
        return _judged("Connection", ref, found, ownership.of_connection(found, pair) if found else None)

    def integration_deleted(self, integration: Integration) -> None:
        """Remember that an offer was refused: a user deleted it, and the object that owned it stayed."""
        if integration.live.uid in self._removed_by_us:
            self._removed_by_us.discard(integration.live.uid)
            return
        pair = self.key_of(integration)
        if not isinstance(pair, Pair) or not integration.offered:
            return
        platforms = (self.cluster.spaces.get(pair.space), self.cluster.syndesises.get(pair.syndesis))
        alive = {platform.uid for platform in platforms if platform is not None and not platform.deleting}
        if alive & {owner.get("uid") for owner in integration.live.owners}:
            self._withdrawn.add(pair)

    def we_remove(self, uid: str) -> None:
        """The deletion of this Integration is ours, and withdraws nothing."""
        self._removed_by_us.add(uid)

    def offered(self, pair: Pair) -> None:
        """The pair has an Integration again."""
        self._withdrawn.discard(pair)

    def integrations_of(self, pair: Pair) -> list[Integration]:
        """The Integrations that stand for a pair, among them those whose spec leaves that to be found out."""
        found = {i.ref: i for i in self.cluster.integrations.by("space", pair.space) if self.key_of(i) == pair}
        old = self.cluster.integrations.get(Ref(pair.syndesis.namespace, f"enmasse-{pair.space.name}-to-fuse"))
        if old is not None and self.key_of(old) == pair:
            found[old.ref] = old
        return list(found.values())

    def integration_of(self, pair: Pair) -> Integration | None:
        """Return the Integration that counts for a pair; one that is lost until nothing stands any more."""
        return next(iter(first_of(self.integrations_of(pair))), self.lost.get(pair))

    def pair_of(self, integration: Integration) -> Pair | Verdict:
        """The pair that an Integration stands for, or why it stands for none."""
        return pair_of(
            integration,
            lambda name: self.cluster.spaces.by("name", name),
            lambda namespace: self.cluster.syndesises.by("namespace", namespace),
            lambda space, syndesis: pairing.may_pair(space, syndesis, self.rules),
        )

    def key_of(self, integration: Integration) -> Key:
        """The key under which an Integration is worked on."""
        found = self.pair_of(integration)
        return found if isinstance(found, Pair) else integration.ref

    def pairs_of_space(self, space: AddressSpace) -> Iterable[Key]:
        """Return the pairs that an AddressSpace may be in, and those that something was made for."""
        cluster = self.cluster
        near = list(cluster.syndesises.by("namespace", space.ref.namespace))
        if space.allowed_namespaces:
            for namespace in space.allowed_namespaces.among(cluster.syndesises.keys("namespace")):
                near += cluster.syndesises.by("namespace", namespace)
        if space.created_by and "created-by" in self.rules:
            near += cluster.syndesises.by("creator", space.created_by)
        yield from (Pair(space.ref, syndesis.ref) for syndesis in near)
        yield from (self.key_of(integration) for integration in cluster.integrations.by("space", space.ref))
        for syndesis in near:  # an Integration of the proof of concept names its space in its own name only
            yield from self._keys_in(syndesis.ref.namespace, f"enmasse-{space.ref.name}-to-fuse")

    def pairs_of_syndesis(self, syndesis: Syndesis) -> Iterable[Key]:
        """Return the pairs that a Syndesis may be in, and those that something was made for."""
        cluster = self.cluster
        near = list(cluster.spaces.by("namespace", syndesis.ref.namespace))
        near += [
            space
            for space in cluster.spaces.by("shared", "shared")
            if space.allowed_namespaces.match(syndesis.ref.namespace)
        ]
        if syndesis.created_by and "created-by" in self.rules:
            near += cluster.spaces.by("creator", syndesis.created_by)
        yield from (Pair(space.ref, syndesis.ref) for space in near)
        for integration in cluster.integrations.by("namespace", syndesis.ref.namespace):
            yield self.key_of(integration)

    def pair_of_child(self, live: Live) -> Iterable[Key]:
        """Return the pairs that a Secret, MessagingUser or Connection concerns: the one it names, one that waits for
        its name, and those whose Integration names it as a user's own Secret."""
        if waiting := self._taken_from.pop(live.ref, None):
            yield waiting
        if (pair := ownership.named_pair(live)) is not None:
            yield pair
        for integration in self.cluster.integrations.by("secret", live.ref):
            yield self.key_of(integration)

    def known_keys(self) -> set[Key]:
        """Everything there is to look at: allowed pairs, pairs with an Integration, pairs with something left
        behind.
        """
        keys: set[Key] = set()
        for syndesis in self.cluster.syndesises:
            keys.update(self.pairs_of_syndesis(syndesis))
        for integration in self.cluster.integrations:
            keys.add(self.key_of(integration))
        for store in (self.cluster.secrets, self.cluster.users, self.cluster.connections):
            keys.update(pair for pair in store.keys("pair"))
        return keys

    def _keys_in(self, namespace: str, name: str) -> Iterable[Key]:
        integration = self.cluster.integrations.get(Ref(namespace, name))
        if integration is not None:
            yield self.key_of(integration)

    def _provided(self, integration: Integration | None) -> tuple[Live | None, str | None]:
        """The Secret that an Integration brings, and the user name in it."""
        reference = integration.spec.credentials_secret_ref if integration else None
        if integration is None or reference is None:
            return None, None
        secret = self.cluster.secrets.get(Ref(integration.ref.namespace, reference.name))
        if secret is None:
            return None, None
        credential = of_secret(
            secret,
            username_key=reference.username_key or names.USERNAME_KEY,
            password_key=reference.password_key or names.PASSWORD_KEY,
        )
        return secret, credential.username if credential else None

    def _login(self, pair: Pair, integration: Integration | None, secret: Live | None, remote: RemoteState) -> str:
        """Return the name of the pair's login, if a user did not choose one: the one that stands, else the first of
        two.

        Who was made over REST comes first, because the login goes over to it; then what the Secret says; then the
        MessagingUser that is there.
        """
        names_of_ours = naming.usernames(pair)
        if remote.user.exists and remote.user.delivery == "keycloak" and remote.user.id in names_of_ours:
            return str(remote.user.id)
        known = of_secret(secret) if secret is not None and not secret.deleting else None
        if known is not None and known.username in names_of_ours:
            return known.username
        if inherited := self._inherited_login(pair, integration, known):
            return inherited
        there = (name for name in names_of_ours if self._user(pair, name, made_over_rest=False)[0] is not None)
        return next(there, names_of_ours[0])

    def _inherited_login(self, pair: Pair, integration: Integration | None, known: Credential | None) -> str | None:
        """Return the name of the login that the proof of concept left for a pair: the Integration's own name.

        Only Keycloak shows whether it is there and adopts it; once it is adopted, Secret or status say so, and every
        other delivery goes on with it. The name tells the AddressSpace alone: the oldest Integration of that name
        inherits it.
        """
        if integration is None or naming.space_of_proof_of_concept(integration.ref.name) != pair.space.name:
            return None
        heirs = [i for i in self.cluster.integrations.by("space", pair.space) if i.ref.name == integration.ref.name]
        if first_of([*heirs, integration])[0].ref != integration.ref:
            return None
        noted = integration.delivered.get("user") or {}
        asked = (integration.spec.delivery and integration.spec.delivery.user) or "auto"
        keycloak = (self.asked["user"] if asked == "auto" else asked) == "keycloak"
        taken_over = integration.ref.name in (known.username if known else None, noted.get("username"))
        return integration.ref.name if taken_over or (keycloak and known is None) else None

    def _former_users(self, pair: Pair, login: str) -> Iterable[Live]:
        """Yield the MessagingUsers that were made for this pair under another name than its login has."""
        current = naming.user_ref(pair, login)
        for live in self.cluster.users.by("pair", pair):
            if live.ref != current and ownership.is_former_user(live, pair):
                yield live

    def _other_usernames(self, pair: Pair, chosen: str | None) -> frozenset[str]:
        """Return the user name that a user chose, if another MessagingUser of the AddressSpace has it."""
        if chosen is None:
            return frozenset()
        own = naming.user_ref(pair, chosen)
        others = self.cluster.users.by("username", (pair.space.namespace, pair.space.name, chosen))
        return frozenset({chosen}) if any(other.ref != own for other in others) else frozenset()


def _judged(kind: Child, ref: Ref, live: Live | None, judged: Ownership | None) -> tuple[Live | None, NameTaken | None]:
    """Return the object if it is this pair's, or the fact that its name is taken."""
    if live is None or judged is None or judged.ours:
        return live, None
    return None, NameTaken(kind, ref, judged)
