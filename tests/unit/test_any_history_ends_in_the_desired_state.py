"""Whatever tenants and platforms do, and wherever the operator is cut off, the cluster ends as it is wanted.

A → B → A ends as A. A password changes only if that was asked for, or if no copy of it may be left.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support import builders
from tests.support.documents import Document
from tests.support.histories import PAIRS, SPACES, SYNDESISES, History

STEPS = 25
OVERLAP = timedelta(hours=1)

pairs, spaces, syndesises = st.sampled_from(PAIRS), st.sampled_from(SPACES), st.sampled_from(SYNDESISES)
deliveries = st.sampled_from(
    [
        None,
        {"user": "native", "connection": "native"},
        {"user": "native", "connection": "rest"},
        {"user": "keycloak", "connection": "rest"},
        {"user": "keycloak", "connection": "native"},
    ]
)


class AnyHistory(RuleBasedStateMachine):
    """Tenants act, and the operator settles or is cut off before it has."""

    @initialize(enabled=st.sets(pairs))
    def begin(self, enabled: set[Pair]) -> None:
        self.history = History()
        self.passwords: dict[Pair, str] = {}
        """Passwords that must not change."""
        self.rotated: set[Pair] = set()
        """Pairs whose earlier user may remain for the overlap."""
        self.changes: Counter[Pair] = Counter()
        """How often a password may change: once for each request."""
        for syndesis in SYNDESISES:
            self.history.create(builders.syndesis(*syndesis))
        for space in SPACES:
            self.history.create(builders.space(*space))
        self.history.settle()
        for pair in enabled:
            self._change_spec(pair, {"enabled": True})

    # AddressSpaces and Syndesis

    @rule(space=spaces)
    def a_space_comes_or_goes(self, space: Ref) -> None:
        if self.history.get("AddressSpace", space) is None:
            self.history.create(builders.space(*space))
        else:
            self.history.delete("AddressSpace", space)
            self._forget(pair for pair in PAIRS if pair.space == space)

    @rule(syndesis=syndesises)
    def a_syndesis_comes_or_goes(self, syndesis: Ref) -> None:
        if self.history.get("Syndesis", syndesis) is None:
            self.history.create(builders.syndesis(*syndesis))
        else:
            self.history.delete("Syndesis", syndesis)
            self._forget(pair for pair in PAIRS if pair.syndesis == syndesis)

    @rule(space=spaces, ready=st.booleans())
    def a_space_is_ready_or_not(self, space: Ref, ready: bool) -> None:
        self._change("AddressSpace", space, {"status": {"isReady": ready}})

    @rule(space=spaces, allowed=st.sampled_from([None, "fuse", "shop,fuse"]))
    def a_giver_changes_its_consent(self, space: Ref, allowed: str | None) -> None:
        self._change("AddressSpace", space, {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: allowed}}})
        self._forget(pair for pair in PAIRS if pair.space == space and pair.crosses_namespaces)

    # Integrations

    @rule(pair=pairs, enabled=st.booleans())
    def a_tenant_enables_or_disables(self, pair: Pair, enabled: bool) -> None:
        self._change_spec(pair, {"enabled": enabled})
        if not enabled:
            self._forget([pair])

    @rule(pair=pairs, suspend=st.booleans())
    def a_tenant_suspends(self, pair: Pair, suspend: bool) -> None:
        self._change_spec(pair, {"suspend": suspend})

    @rule(pair=pairs, delivery=deliveries)
    def a_tenant_chooses_a_delivery(self, pair: Pair, delivery: dict[str, str] | None) -> None:
        self._change_spec(pair, {"delivery": delivery})

    @rule(pair=pairs, value=st.sampled_from(["1", "2", "3"]))
    def a_tenant_requests_a_rotation(self, pair: Pair, value: str) -> None:
        if (integration := self.history.integration(pair)) is not None:
            request = {"metadata": {"annotations": {names.ROTATE: value}}}
            self.history.change("Integration", integration.ref, request)
            self.changes[pair] += 1
            self.rotated.add(pair)

    @rule(pair=pairs)
    def a_tenant_deletes_an_integration(self, pair: Pair) -> None:
        if (integration := self.history.integration(pair)) is not None and not integration.live.deleting:
            self.history.delete("Integration", integration.ref)
            self._forget([pair])

    @rule(pair=pairs)
    def a_tenant_deletes_a_secret(self, pair: Pair) -> None:
        ref = naming.secret_ref(pair)
        if self.history.get("Secret", ref) is not None:
            self.history.delete("Secret", ref)
            self._forget([pair])
            integration = self.history.integration(pair)
            if integration is not None and names.ROTATE in integration.live.annotations:
                self.changes[pair] += 1  # the record of the request is lost

    # Time and the operator

    @rule()
    def time_passes(self) -> None:
        self.history.pass_time(OVERLAP)

    @rule()
    def the_operator_restarts(self) -> None:
        self.history.restart()

    @rule(actions=st.integers(0, 9), times=st.integers(1, 3))
    def the_operator_is_killed(self, actions: int, times: int) -> None:
        for _ in range(times):
            self.history.run_once(cut_after=actions)

    @rule(pair=pairs, delivery=deliveries, value=st.sampled_from(["1", "2", "3"]), actions=st.integers(0, 9))
    def a_rotation_is_cut_off(self, pair: Pair, delivery: dict[str, str] | None, value: str, actions: int) -> None:
        """Few rotations are cut off by chance."""
        self.a_tenant_suspends(pair, suspend=False)
        self.a_tenant_enables_or_disables(pair, enabled=True)
        self.a_tenant_chooses_a_delivery(pair, delivery)
        self.the_operator_settles()
        self.a_tenant_requests_a_rotation(pair, value)
        self.history.run_once(cut_after=actions)

    @rule()
    def the_operator_settles(self) -> None:
        self.history.settle()
        self.history.verify()  # a process that was killed after a deletion over REST has left a status that is outdated
        for pair in PAIRS:
            self.history.check(pair, rotating=pair in self.rotated)
            self._check_password(pair)

    @rule(pair=pairs, suspend=st.booleans())
    def there_and_back(self, pair: Pair, suspend: bool) -> None:
        """Disable and enable a pair, or suspend and resume it; nothing else differs afterwards."""
        self.the_operator_settles()
        field = "suspend" if suspend else "enabled"
        integration = self.history.integration(pair)
        if integration is None or not self.history.is_ready(pair) or integration.spec.suspend:
            return
        self.history.pass_time(2 * OVERLAP)
        self.the_operator_settles()
        before, now = self.history.shape(), bool(integration.live.document["spec"].get(field))
        self._change_spec(pair, {field: not now})
        self._forget([pair])
        self.the_operator_settles()
        self._change_spec(pair, {field: now})
        self._forget([pair])
        self.the_operator_settles()
        assert self.history.shape() == before

    def teardown(self) -> None:
        """Let the overlaps end: one user is left of each pair, and nothing of what is not wanted."""
        if not hasattr(self, "history"):
            return
        for _ in range(2):
            self.history.settle()
            self.history.pass_time(2 * OVERLAP)
        self.history.settle()
        self.history.verify()
        for pair in PAIRS:
            self.history.check(pair, rotating=False)

    def _change(self, kind: str, ref: Ref, change: Document) -> None:
        if self.history.get(kind, ref) is not None:
            self.history.change(kind, ref, change)

    def _change_spec(self, pair: Pair, spec: dict[str, Any]) -> None:
        integration = self.history.integration(pair)
        if integration is not None and not integration.live.deleting:
            self.history.change("Integration", integration.ref, {"spec": spec})

    def _forget(self, changed: Any) -> None:
        """Allow the passwords of pairs to change."""
        for pair in changed:
            self.passwords.pop(pair, None)

    def _check_password(self, pair: Pair) -> None:
        if self.history.wanted(pair) is not True:
            return
        secret = self.history.secret(pair)
        assert secret is not None
        if self.passwords.setdefault(pair, secret[1]) != secret[1]:
            assert self.changes[pair], f"the password of {pair} changed"
            self.passwords[pair] = secret[1]
            self.changes[pair] -= 1


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(stateful_step_count=STEPS, max_examples=2 * settings().max_examples)
