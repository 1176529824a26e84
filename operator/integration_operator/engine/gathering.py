"""From the stores to the facts of a pair, and from a changed object to the pairs that it concerns. No request is made.

Which pairs a change concerns may be answered too widely (the decision is made later, from the facts), never too
narrowly.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from integration_operator.api import names
from integration_operator.cluster import Cluster, made_for
from integration_operator.domain import naming, pairing
from integration_operator.domain.actions import Child
from integration_operator.domain.credentials import of_secret
from integration_operator.domain.facts import Facts, Kinds, Stray
from integration_operator.domain.integration import Integration, first_of, pair_of
from integration_operator.domain.live import Live
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.platforms import AddressSpace, Syndesis
from integration_operator.domain.remote import RemoteState
from integration_operator.domain.verdict import Verdict
from integration_operator.engine.guards import MassDeletionGuard
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
    _withdrawn: set[Pair] = field(default_factory=set)
    _removed_by_us: set[str] = field(default_factory=set)
    _taken_from: dict[Ref, Pair] = field(default_factory=dict)

    def facts(self, pair: Pair, kinds: Kinds) -> Facts:
        """Everything that is known of a pair."""
        cluster = self.cluster
        space, syndesis = cluster.spaces.get(pair.space), cluster.syndesises.get(pair.syndesis)
        candidates = first_of(self.integrations_of(pair))
        integration = candidates[0] if candidates else None
        provided, user_name = self._provided(integration)
        secret = cluster.secrets.get(naming.secret_ref(pair))
        login = user_name or self._inherited_login(pair, integration, secret)
        user = cluster.users.get(naming.user_ref(pair, login))
        connection = cluster.connections.get(naming.connection_ref(pair))
        for child in (secret, user, connection):
            if child is not None and not child.ours:
                self._taken_from[child.ref] = pair
        return Facts(
            pair=pair,
            kinds=kinds,
            candidate=self.password(),
            space=space,
            authentication_type=cluster.authentication_type(space) if space else None,
            syndesis=syndesis,
            allowed=pairing.may_pair(space, syndesis, self.rules) if space and syndesis else Verdict.deny("Gone", ""),
            integration=integration,
            duplicates=tuple(candidates[1:]),
            secret=secret,
            provided=provided,
            user=user,
            connection=connection,
            strays=tuple(self._strays(pair, user)),
            usernames=self._other_usernames(pair, user_name, user),
            user_name=login,
            asked=self.asked,
            remote=self.register.of(integration) if integration is not None else RemoteState(),
            overdue=integration is not None and self.overdue(integration),
            terminating=frozenset(
                namespace
                for namespace in (pair.space.namespace, pair.syndesis.namespace)
                if cluster.is_terminating(namespace)
            ),
            enable_new=self.enable_new,
            withdrawn=pair in self._withdrawn,
            held=self.guard.holds("AddressSpace", pair.space) or self.guard.holds("Syndesis", pair.syndesis),
        )

    def integration_deleted(self, integration: Integration) -> None:
        """Remember that an offer was withdrawn: somebody else deleted it, and the object that owned it stayed."""
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
        """The pairs that an AddressSpace may be in, and those that something was made for."""
        cluster = self.cluster
        near = list(cluster.syndesises.by("namespace", space.ref.namespace))
        if space.allowed_namespaces:
            for namespace in cluster.syndesises.keys("namespace"):
                if any(fnmatchcase(namespace, pattern) for pattern in space.allowed_namespaces):
                    near += cluster.syndesises.by("namespace", namespace)
        if space.created_by and "created-by" in self.rules:
            near += cluster.syndesises.by("creator", space.created_by)
        yield from (Pair(space.ref, syndesis.ref) for syndesis in near)
        yield from (self.key_of(integration) for integration in cluster.integrations.by("space", space.ref))
        for syndesis in near:  # an Integration of the proof of concept names its space in its own name only
            yield from self._keys_in(syndesis.ref.namespace, f"enmasse-{space.ref.name}-to-fuse")

    def pairs_of_syndesis(self, syndesis: Syndesis) -> Iterable[Key]:
        """The pairs that a Syndesis may be in, and those that something was made for."""
        cluster = self.cluster
        near = list(cluster.spaces.by("namespace", syndesis.ref.namespace))
        near += [
            space
            for space in cluster.spaces.by("shared", "shared")
            if any(fnmatchcase(syndesis.ref.namespace, pattern) for pattern in space.allowed_namespaces)
        ]
        if syndesis.created_by and "created-by" in self.rules:
            near += cluster.spaces.by("creator", syndesis.created_by)
        yield from (Pair(space.ref, syndesis.ref) for space in near)
        for integration in cluster.integrations.by("namespace", syndesis.ref.namespace):
            yield self.key_of(integration)

    def pair_of_child(self, live: Live) -> Iterable[Key]:
        """The pair that a child was made for, whose name a stranger has, or whose Secret a person brought."""
        if waiting := self._taken_from.pop(live.ref, None):
            yield waiting
        pair = made_for(live)
        if pair is not None:
            yield pair
        elif names.INTEGRATION_LABEL in live.labels:
            for integration in self.cluster.integrations.by("namespace", live.ref.namespace):
                reference = integration.spec.credentials_secret_ref
                if reference is not None and reference.name == live.ref.name:
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

    def _inherited_login(self, pair: Pair, integration: Integration | None, secret: Live | None) -> str | None:
        """The name of the login that the proof of concept left for a pair: the Integration's own name.

        Only Keycloak shows whether it is there and takes it over; once it is taken over, Secret or status say so, and
        every other delivery goes on with it.
        """
        if integration is None or naming.space_of_proof_of_concept(integration.ref.name) != pair.space.name:
            return None
        known = of_secret(secret) if secret is not None and secret.ours else None
        noted = (integration.status.get("delivered") or {}).get("user") or {}
        asked = (integration.spec.delivery and integration.spec.delivery.user) or "auto"
        keycloak = (self.asked["user"] if asked == "auto" else asked) == "keycloak"
        taken_over = integration.ref.name in (known.username if known else None, noted.get("username"))
        return integration.ref.name if taken_over or (keycloak and known is None) else None

    def _strays(self, pair: Pair, user: Live | None) -> Iterable[Stray]:
        wanted: dict[Child, Ref | None] = {
            "Secret": naming.secret_ref(pair),
            "Connection": naming.connection_ref(pair),
            "MessagingUser": user.ref if user else None,
        }
        for kind, ref in wanted.items():
            for live in self.cluster.store(kind).by("pair", pair):
                if live.ref != ref:
                    yield Stray(kind, live)

    def _other_usernames(self, pair: Pair, user_name: str | None, user: Live | None) -> frozenset[str]:
        """User names of the AddressSpace that others have; only a name that a person brought can be among them."""
        if user_name is None:
            return frozenset()
        others = self.cluster.users.by("username", (pair.space.namespace, pair.space.name, user_name))
        taken = any(other.ref != (user.ref if user else None) for other in others)
        return frozenset({user_name}) if taken else frozenset()
