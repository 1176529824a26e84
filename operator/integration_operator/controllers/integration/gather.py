"""Gathering: from the cache to the facts of a pair, and from a changed object to the pairs that it concerns.

No request is made. Nothing is decided here: what an observation means is a policy (domain/policies). The pairs that a
change concerns may be too many, because the plan decides later from the facts, but never too few.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from integration_operator.cache import Cache
from integration_operator.controllers.integration.guards import MassDeletionGuard, OfferLimit
from integration_operator.controllers.integration.remote_state import RemoteStateStore
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import ChildKind
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.credential import username_of
from integration_operator.domain.model.facts import Children, Facts, ForeignObject, Holds, Login, PlanSettings
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace, Binding, Consumer, Syndesis
from integration_operator.domain.model.remote_state import RemoteSides
from integration_operator.domain.model.rotation import RotationRecord, rotation_record
from integration_operator.domain.policies import login, ownership, pairing
from integration_operator.domain.policies.integrations import rank, resolve_pair
from integration_operator.domain.policies.ownership import Ownership
from integration_operator.domain.policies.rotation import requested
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref

Key = Pair | Ref
"""A key of the work queue: a pair, or an Integration that has none."""


def new_password() -> str:
    """Return 32 bytes of the system's randomness, in an alphabet that is safe in URLs, shells and YAML."""
    return secrets.token_hex(32)


@dataclass(slots=True)
class Gatherer:
    """Looks up the facts of pairs. ``overdue`` says if the deletion of an Integration has been tried for too long."""

    cache: Cache
    guard: MassDeletionGuard
    settings: PlanSettings
    remote_states: RemoteStateStore
    overdue: Callable[[Integration], bool] = lambda integration: False
    password: Callable[[], str] = new_password
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    offers: OfferLimit = field(default_factory=lambda: OfferLimit(lambda namespace: 0))
    lost: dict[Pair, Integration] = field(default_factory=dict)
    """Integrations that are gone although state over REST exists: a tenant removed our finalizer."""
    proposed: Integration | None = None
    """An Integration that the API server is about to store. It counts as stored."""
    _offers_withdrawn: set[Pair] = field(default_factory=set)
    _deleted_by_us: set[str] = field(default_factory=set)
    _waiting_for_name: dict[Ref, Pair] = field(default_factory=dict)

    def facts(self, pair: Pair) -> Facts:
        """Return everything that is known of a pair."""
        cache, namespaces = self.cache, {pair.space.namespace, pair.consumer.namespace}
        space, syndesis = cache.spaces.get(pair.space), self._syndesis(pair)
        integration = self.integration_of(pair)
        remote = self.remote_states.of(integration) if integration is not None else RemoteSides()
        children, login_ = self._children_and_login(pair, integration, remote)
        remote = remote.with_login(login_.username, _other_username(children, login_.rotation))
        return Facts(
            pair=pair,
            cluster=cache.cluster_facts(),
            settings=self.settings,
            login=login_,
            space=space,
            authentication_type=cache.authentication_type(space) if space else None,
            syndesis=syndesis,
            pairing=self._pairing(pair, space, Binding(pair.consumer) if pair.is_binding else syndesis),
            integration=integration,
            duplicates=tuple(rank(self.integrations_of(pair))[1:]),
            children=children,
            remote=remote,
            holds=Holds(
                mass_deletion=self.guard.holds("AddressSpace", pair.space)
                or (not pair.is_binding and self.guard.holds("Syndesis", pair.syndesis)),
                offers_exhausted=integration is None and self.offers.exhausted(pair),
                offer_withdrawn=pair in self._offers_withdrawn,
                overdue=integration is not None and self.overdue(integration),
            ),
            terminating=frozenset(namespace for namespace in namespaces if cache.is_terminating(namespace)),
            unwatched=frozenset(namespace for namespace in namespaces if not cache.is_watched(namespace)),
            now=self.now(),
        )

    def integrations_of(self, pair: Pair) -> list[Integration]:
        """Return the Integrations for a pair, among them those whose spec leaves the pair to be resolved."""
        by_ref = {i.ref: i for i in self.cache.integrations.by("pair", pair)}
        for integration in self.cache.integrations.by("unresolved", pair.consumer.namespace):
            if self.key_of(integration) == pair:
                by_ref[integration.ref] = integration
        if self.proposed is not None:
            by_ref.pop(self.proposed.ref, None)
            if self.key_of(self.proposed) == pair:
                by_ref[self.proposed.ref] = self.proposed
        return list(by_ref.values())

    def integration_of(self, pair: Pair) -> Integration | None:
        """Return the Integration that is used for a pair; one that is lost, as long as state over REST exists."""
        return next(iter(rank(self.integrations_of(pair))), self.lost.get(pair))

    def pair_of(self, integration: Integration) -> Pair | Check:
        """Return the pair of an Integration, or why it has none."""
        name = naming.space_of_proof_of_concept(integration.ref.name)
        return resolve_pair(
            integration,
            self.cache.syndesises.by("namespace", integration.ref.namespace),
            self.cache.spaces.by("name", name) if name else (),
            self.settings.rules,
        )

    def key_of(self, integration: Integration) -> Key:
        """Return the key under which an Integration is reconciled."""
        pair = self.pair_of(integration)
        return pair if isinstance(pair, Pair) else integration.ref

    def pairs_of_space(self, space: AddressSpace) -> Iterator[Key]:
        """Yield the pairs that an AddressSpace may be in, and those of the Integrations that name it."""
        cache = self.cache
        near = list(cache.syndesises.by("namespace", space.ref.namespace))
        if space.allowed_namespaces:
            for namespace in space.allowed_namespaces.among(cache.syndesises.keys("namespace")):
                near += cache.syndesises.by("namespace", namespace)
        if space.created_by and "created-by" in self.settings.rules:
            near += cache.syndesises.by("creator", space.created_by)
        yield from (Pair(space.ref, syndesis.ref) for syndesis in near)
        yield from (self.key_of(integration) for integration in cache.integrations.by("space", space.ref))
        for syndesis in near:  # an Integration of the proof of concept names its AddressSpace only in its own name
            ref = Ref(syndesis.ref.namespace, naming.proof_of_concept_name(space.ref))
            if (integration := cache.integrations.get(ref)) is not None:
                yield self.key_of(integration)

    def pairs_of_syndesis(self, syndesis: Syndesis) -> Iterator[Key]:
        """Yield the pairs that a Syndesis may be in, and those of the Integrations in its namespace."""
        cache = self.cache
        near = list(cache.spaces.by("namespace", syndesis.ref.namespace))
        near += [
            space
            for space in cache.spaces.by("shared", "shared")
            if space.allowed_namespaces.match(syndesis.ref.namespace)
        ]
        if syndesis.created_by and "created-by" in self.settings.rules:
            near += cache.spaces.by("creator", syndesis.created_by)
        yield from (Pair(space.ref, syndesis.ref) for space in near)
        for integration in cache.integrations.by("namespace", syndesis.ref.namespace):
            yield self.key_of(integration)

    def pairs_of_child(self, live: LiveObject) -> Iterator[Key]:
        """Yield the pairs that a Secret, MessagingUser or Connection concerns.

        These are the pair that it names, one that waits for its name, and those whose Integration names it as a user's
        own Secret.
        """
        if waiting := self._waiting_for_name.pop(live.ref, None):
            yield waiting
        yield from ownership.named_pairs(live)
        for integration in self.cache.integrations.by("secret", live.ref):
            yield self.key_of(integration)

    def all_keys(self) -> set[Key]:
        """Return all keys: allowed pairs, pairs with an Integration, and pairs of which an object is left."""
        keys: set[Key] = set()
        for syndesis in self.cache.syndesises:
            keys.update(self.pairs_of_syndesis(syndesis))
        for integration in self.cache.integrations:
            keys.add(self.key_of(integration))
        for store in (self.cache.secrets, self.cache.users, self.cache.connections):
            keys.update(store.keys("pair"))
        return keys

    def observe_deletion(self, integration: Integration) -> None:
        """Remember that a user refused an offer: they deleted it, and the object that owned it stayed."""
        if integration.live.uid in self._deleted_by_us:
            self._deleted_by_us.discard(integration.live.uid)
            return
        pair = self.key_of(integration)
        if not isinstance(pair, Pair) or not integration.offered:
            return
        platforms = (self.cache.spaces.get(pair.space), self._syndesis(pair))
        alive = {platform.uid for platform in platforms if platform is not None and not platform.deleting}
        if alive & {owner.get("uid") for owner in integration.live.owners}:
            self._offers_withdrawn.add(pair)

    def saw_deletion(self, pair: Pair) -> bool:
        """Check if the deletion of the pair's AddressSpace or consumer was watched."""
        consumers = self.cache.integrations if pair.is_binding else self.cache.syndesises
        return self.cache.spaces.saw_deletion(pair.space) or consumers.saw_deletion(pair.consumer)

    def expect_deletion(self, uid: str) -> None:
        """Note that the operator deletes this Integration, which is no user's refusal."""
        self._deleted_by_us.add(uid)

    def observe_offer(self, pair: Pair) -> None:
        """Note that a pair has an Integration again."""
        self._offers_withdrawn.discard(pair)

    def _syndesis(self, pair: Pair) -> Syndesis | None:
        return None if pair.is_binding else self.cache.syndesises.get(pair.syndesis)

    def _pairing(self, pair: Pair, space: AddressSpace | None, consumer: Consumer | None) -> Check:
        if space is not None and consumer is not None:
            return pairing.may_pair(space, consumer, self.settings.rules)
        return pairing.denied(pair, self.settings.rules)

    def _children_and_login(
        self, pair: Pair, integration: Integration | None, remote: RemoteSides
    ) -> tuple[Children, Login]:
        cache, foreign = self.cache, _ForeignObjects()
        secret = foreign.sift(
            "Secret",
            cache.secrets.get(naming.secret_ref(pair)),
            lambda live: ownership.judge_secret(live, pair),
        )
        provided_ref = login.provided_secret_ref(integration)
        provided = cache.secrets.get(provided_ref) if provided_ref else None
        inherited = self._inherited_username(pair, integration)
        record = (
            RotationRecord()
            if provided_ref
            else rotation_record(
                secret, pair, inherited=inherited, request=requested(integration) if integration else ""
            )
        )
        chosen = login.provided_username(integration, provided)
        username = chosen or login.generated_username(
            pair,
            remote=remote,
            secret=secret,
            inherited=inherited if login.uses_inherited(inherited, integration, secret, self.settings) else None,
            existing=[name for name in naming.usernames(pair) if self._is_own_user(pair, name)],
            noted=integration.delivered_username if integration else None,
        )
        remote_user = remote.user_named(username)
        over_rest = not remote_user.absent and remote_user.id == username
        user = foreign.sift(
            "MessagingUser",
            cache.users.get(naming.user_ref(pair, username)),
            lambda live: ownership.judge_user(live, pair, username, inherited=inherited, made_over_rest=over_rest),
        )
        connection = foreign.sift(
            "Connection",
            None if pair.is_binding else cache.connections.get(naming.connection_ref(pair)),
            lambda live: ownership.judge_connection(live, pair),
        )
        for other in foreign.objects:
            self._waiting_for_name[other.ref] = pair
        children = Children(
            secret=secret,
            user=user,
            connection=connection,
            other_users=tuple(self._other_users(pair, username)),
            foreign=tuple(foreign.objects),
        )
        taken = chosen is not None and self._is_username_taken(pair, chosen)
        return children, Login(
            username,
            self.password(),
            provided,
            username_taken=taken,
            rotation=record,
            next_taken=self._next_taken(pair, record),
            inherited=inherited,
        )

    def _next_taken(self, pair: Pair, record: RotationRecord) -> ForeignObject | None:
        """Return the foreign MessagingUser under the name of the next user."""
        if record.next is None:
            return None
        username, foreign = record.next.username, _ForeignObjects()
        user = self.cache.users.get(naming.user_ref(pair, username))
        foreign.sift("MessagingUser", user, lambda live: ownership.judge_user(live, pair, username))
        for other in foreign.objects:
            self._waiting_for_name[other.ref] = pair
        return next(iter(foreign.objects), None)

    def _inherited_username(self, pair: Pair, integration: Integration | None) -> str | None:
        if integration is None:
            return None
        same_space = self.cache.integrations.by("space", pair.space)
        same_name = [i for i in same_space if i.ref.name == integration.ref.name and not i.is_binding]
        return login.inherited_username(pair, integration, same_name)

    def _is_own_user(self, pair: Pair, username: str) -> bool:
        user = self.cache.users.get(naming.user_ref(pair, username))
        return user is not None and ownership.judge_user(user, pair, username).ours

    def _other_users(self, pair: Pair, username: str) -> Iterable[LiveObject]:
        """Yield the MessagingUsers that were created for this pair under other names than its login has."""
        current = naming.user_ref(pair, username)
        for user in self.cache.users.by("pair", pair):
            if user.ref != current and ownership.is_other_user(user, pair):
                yield user

    def _is_username_taken(self, pair: Pair, username: str) -> bool:
        """Check if another MessagingUser of the AddressSpace has a user name."""
        own = naming.user_ref(pair, username)
        users = self.cache.users.by("username", (pair.space.namespace, pair.space.name, username))
        return any(user.ref != own for user in users)


def _other_username(children: Children, rotation: RotationRecord) -> str | None:
    """Return the name of the user beside the one in use that may exist over REST: no watch shows it."""
    users = (children.user, *children.other_users)
    watched = {username_of(user) for user in users if user is not None}
    return None if rotation.other_username in watched else rotation.other_username


class _ForeignObjects:
    """Sifts the pair's own objects from those of other owners."""

    def __init__(self) -> None:
        self.objects: list[ForeignObject] = []

    def sift(
        self, kind: ChildKind, live: LiveObject | None, judge: Callable[[LiveObject], Ownership]
    ) -> LiveObject | None:
        """Return the object if it is the pair's own, else remember it and return None."""
        if live is None:
            return None
        ownership_ = judge(live)
        if ownership_.ours:
            return live
        self.objects.append(ForeignObject(kind, live.ref, ownership_.why))
        return None
