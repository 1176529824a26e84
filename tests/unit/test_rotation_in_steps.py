"""A rotation: the next user beside the one in use, the connection moves, the earlier user goes after the overlap."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.controllers.integration.dry_run import DryRun
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Action, Apply, Delete, DeleteRemote, EnsureRemote
from integration_operator.domain.model.credential import Credential, credential_of_secret, decode
from integration_operator.domain.model.facts import Facts
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.plan.plan import Plan
from integration_operator.rendering.templates import TemplateFiles
from tests.support.builders import integration, report, space, syndesis
from tests.support.dry_runs import dry_run

TEMPLATES = TemplateFiles()
DELIVERIES = {
    "resources": {"user": "native", "connection": "native"},
    "connection over REST": {"user": "native", "connection": "rest"},
    "Keycloak": {"user": "keycloak", "connection": "rest"},
}


@dataclass
class Story:
    """A delivered pair, planned pass by pass at a time that the test sets."""

    delivery: dict[str, str]
    where: str = "shop"
    """The namespace of the Syndesis."""
    spec: dict[str, Any] = field(default_factory=dict)
    now: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    logins: dict[str, str] = field(default_factory=dict)
    """Password by user name of the logins that exist over REST, whatever the operator knows of them."""
    snapshot: DryRun = field(init=False)
    pair: Pair = field(init=False)
    plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        allowed = space(annotations={names.ALLOWED_NAMESPACES: "fuse"})
        written = integration(self.where, enabled=True, delivery=self.delivery, **self.spec)
        rules = ("same-namespace", "allowed-namespaces")
        self.snapshot = dry_run([allowed, syndesis(self.where), written], rules, enable_new=False)
        self.snapshot.gatherer.now = lambda: self.now
        (self.pair,) = self.snapshot.pairs()
        self.settle()

    @property
    def facts(self) -> Facts:
        return self.snapshot.facts(self.pair)

    @property
    def rotating(self) -> tuple[str, str]:
        """Status and reason of the condition."""
        return next(((c.status, c.reason) for c in self.plan.conditions or () if c.type == "Rotating"), ("", ""))

    @property
    def credential(self) -> Credential:
        """The credential in the Secret."""
        secret = self.facts.children.secret
        credential = credential_of_secret(secret) if secret else None
        assert credential is not None
        return credential

    @property
    def stored(self) -> str:
        """The user name in the Secret."""
        return self.credential.username

    @property
    def users(self) -> set[str]:
        """The names of all users that exist."""
        facts = self.facts
        resources = [facts.children.user, *facts.children.other_users]
        remote = (facts.remote.user, facts.remote.second_user)
        return {user.document["spec"]["username"] for user in resources if user is not None} | {
            str(state.id) for state in remote if state.present
        }

    def request(self, value: str = "now") -> None:
        ref = self.integration_ref
        self.snapshot.merge("Integration", ref, {"metadata": {"annotations": {names.ROTATE: value}}})

    @property
    def integration_ref(self) -> Any:
        current = self.facts.integration
        assert current is not None
        return current.ref

    def one_pass(self, *, with_status: bool = True) -> tuple[Action, ...]:
        """Plan once, carry out the actions, and write the status."""
        self.plan = self.snapshot.plan(self.pair, TEMPLATES)
        for action in self.plan.actions:
            self.snapshot._execute(self.pair, action)
            if isinstance(action, EnsureRemote) and action.kind == "MessagingUser":
                self.logins[action.credential.username] = action.credential.password
            elif isinstance(action, DeleteRemote) and action.kind == "MessagingUser":
                self.logins.pop(str(action.username), None)
        if with_status and self.facts.integration is not None:
            report(self.snapshot, self.pair, self.plan)
        return self.plan.actions

    def restart(self) -> None:
        """Forget what no object of the cluster says, as a new process does."""
        assert self.facts.integration is not None
        self.snapshot.gatherer.remote_states.forget(self.facts.integration)

    def settle(self) -> list[Action]:
        actions: list[Action] = []
        for _ in range(12):
            done = self.one_pass()
            if not done:
                return actions
            actions += done
        raise AssertionError(f"does not settle: {actions[-3:]}")

    def moved(self, actions: list[Action]) -> None:
        """Check that a rotation is in its overlap."""
        assert self.rotating == ("True", "Overlap"), actions


@pytest.fixture(params=DELIVERIES.values(), ids=DELIVERIES)
def story(request: pytest.FixtureRequest) -> Story:
    return Story(request.param)


def test_the_whole_rotation(story: Story) -> None:
    earlier = story.stored
    story.request()
    seen: list[tuple[str, frozenset[str]]] = []
    for _ in range(12):
        if not story.one_pass():
            break
        seen.append((story.stored, frozenset(story.users)))
        assert len(story.users) <= 2
        assert story.stored in story.users, "the connection's user always exists"
    later = story.stored
    assert later == naming.other_username(story.pair, earlier)
    assert story.users == {earlier, later}
    story.moved([])
    created = next(n for n, (_, users) in enumerate(seen) if later in users)
    assert all(stored == earlier for stored, _ in seen[: created + 1]), "the connection moves to a user that exists"

    story.now += timedelta(minutes=59)
    assert story.settle() == [], "the overlap is an hour"
    story.now += timedelta(minutes=2)
    story.settle()
    assert story.users == {later}
    assert story.rotating == ("False", "Rotated")
    assert story.facts.integration is not None
    assert "movedAt" not in story.facts.integration.status["rotation"]


def test_the_password_is_in_the_secret_before_a_user_has_it(story: Story) -> None:
    story.request()
    (apply,) = story.one_pass()
    assert isinstance(apply, Apply)
    assert apply.kind == "Secret"
    assert apply.only_if is not None, "a Secret that changed meanwhile is not overwritten"
    data = apply.document["data"]
    recorded = decode(data[names.NEXT_PASSWORD_KEY])
    made = [a for a in story.one_pass() if isinstance(a, (Apply, EnsureRemote)) and a.kind == "MessagingUser"]
    assert made
    written = [
        decode(a.document["spec"]["authentication"]["password"]) if isinstance(a, Apply) else a.credential.password
        for a in made
    ]
    assert written == [recorded]


def test_one_request_is_one_rotation(story: Story) -> None:
    story.request()
    story.settle()
    story.now += timedelta(hours=2)
    story.settle()
    first = story.stored
    assert story.settle() == []
    story.request("again")
    story.settle()
    assert story.stored != first


def test_a_request_from_before_the_credential_is_answered_by_it(story: Story) -> None:
    story.snapshot.merge("Integration", story.integration_ref, {"spec": {"enabled": False}})
    story.settle()
    story.request()
    story.snapshot.merge("Integration", story.integration_ref, {"spec": {"enabled": True}})
    story.settle()
    assert story.rotating == ("", "")
    assert len(story.users) == 1


def test_the_schedule(story: Story) -> None:
    rotation = {"every": "24h", "overlap": "30m"}
    story.snapshot.merge(
        "Secret", naming.secret_ref(story.pair), {"metadata": {"creationTimestamp": "2024-01-01T00:00:00Z"}}
    )
    story.snapshot.merge("Integration", story.integration_ref, {"spec": {"rotation": rotation}})
    earlier = story.stored
    assert story.settle() == []
    assert story.rotating == ("False", "Scheduled")
    assert story.plan.wake_at == datetime(2024, 1, 2, tzinfo=UTC)
    story.now = datetime(2024, 1, 2, tzinfo=UTC)
    story.settle()
    assert story.plan.wake_at == datetime(2024, 1, 2, 0, 30, tzinfo=UTC)
    story.now += timedelta(minutes=30)
    story.settle()
    assert story.users == {story.stored} != {earlier}
    assert story.plan.wake_at == datetime(2024, 1, 3, tzinfo=UTC), "from the rotation on"


@pytest.mark.parametrize("passes", range(8))
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("lost", [False, True], ids=["status of before", "status lost"])
def test_killed_before_the_status_is_written(story: Story, passes: int, enabled: bool, lost: bool) -> None:
    """What happened since the rotation began is in the Secret."""
    earlier = story.stored
    story.request()
    for _ in range(passes):
        story.one_pass(with_status=False)
    story.restart()
    if lost:
        story.snapshot.merge("Integration", story.integration_ref, {"status": None})
    if not enabled:
        story.snapshot.merge("Integration", story.integration_ref, {"spec": {"enabled": False}})
        story.settle()
        assert not story.logins
        assert not story.users
        return
    for _ in range(12):
        before = story.credential
        story.one_pass()
        assert story.credential == before or story.credential.username != earlier, "the credential is not turned back"
        assert len(story.logins) <= 2
        if story.logins:
            assert story.logins[story.stored] == story.credential.password
    story.moved([])
    story.now += timedelta(hours=2)
    story.settle()
    assert story.stored != earlier
    assert story.users == {story.stored}
    assert set(story.logins) <= {story.stored}
    assert not story.facts.login.rotation.previous


@pytest.mark.parametrize("passes", range(8))
def test_killed_during_the_overlap_the_next_rotation_ends(story: Story, passes: int) -> None:
    """With a connection over REST, what is known of its users over REST is that there are none."""
    for request in ("first", "second"):
        story.request(request)
        for _ in range(passes):
            story.one_pass()
        story.restart()
        story.settle()
        story.now += timedelta(hours=2)
        story.settle()
        assert story.rotating == ("False", "Rotated")
        assert story.users == {story.stored}


@pytest.mark.parametrize("passes", range(6))
@pytest.mark.parametrize("change", [{"enabled": False}, {"deleted": True}])
def test_taken_down_in_the_middle_nothing_is_left(story: Story, change: dict[str, Any], passes: int) -> None:
    story.request()
    for _ in range(passes):
        story.one_pass()
    if "deleted" in change:
        going = {"metadata": {"deletionTimestamp": "2024-01-02T00:00:00Z"}}
        story.snapshot.merge("Integration", story.integration_ref, going)
    else:
        story.snapshot.merge("Integration", story.integration_ref, {"spec": change})
    users = story.users
    actions = [action for _ in range(4) for action in story.one_pass()]
    removed = {a.username if isinstance(a, DeleteRemote) else a.ref.name for a in actions if _removes_user(a)}
    assert users <= {str(name).rpartition(".")[2] for name in removed}
    assert story.facts.children.secret is None
    assert not story.users
    assert story.facts.remote.absent


def _removes_user(action: Action) -> bool:
    return isinstance(action, (Delete, DeleteRemote)) and action.kind == "MessagingUser"


@pytest.mark.parametrize("passes", range(6))
def test_a_secret_that_is_lost_in_the_middle_costs_no_login(passes: int) -> None:
    story = Story(DELIVERIES["resources"])
    story.request()
    for _ in range(passes):
        story.one_pass()
    noted = story.facts.integration
    assert noted is not None
    secret = story.facts.children.secret
    assert secret is not None
    story.snapshot._execute(story.pair, Delete.of("Secret", secret, "a tenant deletes it"))
    story.one_pass()
    assert story.stored == noted.delivered_username, "the credential in use is restored from its MessagingUser"
    story.settle()
    story.now += timedelta(hours=3)
    story.settle()
    story.now += timedelta(hours=3)
    story.settle()
    assert story.users == {story.stored}


@pytest.mark.parametrize("passes", range(7))
def test_the_delivery_changes_after_the_rotation(passes: int) -> None:
    story = Story(DELIVERIES["connection over REST"])
    story.request()
    for _ in range(passes):
        story.one_pass()
    story.snapshot.merge(
        "Integration", story.integration_ref, {"spec": {"delivery": {"user": "keycloak", "connection": "rest"}}}
    )
    for _ in range(20):
        story.one_pass()
        assert len(story.users) <= 2
        assert story.stored in story.users
    story.now += timedelta(hours=2)
    story.settle()
    assert story.users == {story.stored}
    delivered = story.facts.remote.user_named(story.stored)
    assert (delivered.present, delivered.delivery) == (True, "keycloak")


def test_a_tenants_next_user_is_not_followed(story: Story) -> None:
    from integration_operator.domain.model.credential import encode

    data = {names.NEXT_USERNAME_KEY: encode("another-tenants-user"), names.NEXT_PASSWORD_KEY: encode("x")}
    story.snapshot.merge("Secret", naming.secret_ref(story.pair), {"data": data})
    story.settle()
    assert story.users == {story.stored}


def test_an_owners_new_user_name_is_followed_with_the_overlap() -> None:
    """With ``credentialsSecretRef`` the owner rotates; a new user name there has an overlap, too."""
    provided = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": "shop", "name": "own", "labels": {names.INTEGRATION_LABEL: "yes"}},
        "data": {"username": "YWxpY2U=", "password": "b25l"},
    }
    story = Story(DELIVERIES["connection over REST"])
    story.snapshot.cache.secrets.record_write(provided)
    story.snapshot.merge("Integration", story.integration_ref, {"spec": {"credentialsSecretRef": {"name": "own"}}})
    story.settle()
    story.now += timedelta(hours=2)
    story.settle()
    assert story.users == {"alice"}
    story.snapshot.merge("Secret", naming.secret_ref(story.pair)._replace(name="own"), {"data": {"username": "Ym9i"}})
    story.settle()
    story.moved([])
    assert story.users == {"alice", "bob"}
    story.now += timedelta(hours=2)
    story.settle()
    assert story.users == {"bob"}
    story.request()
    assert story.settle() == []
    assert story.rotating == ("False", "ProvidedCredential")


@pytest.mark.parametrize(
    ("where", "operations"), [("fuse", ["send", "recv"]), ("shop", ["send", "recv", "view"])], ids=["across", "within"]
)
def test_an_earlier_user_with_no_more_rights_than_it_may_have_remains_for_the_overlap(
    where: str, operations: list[str]
) -> None:
    """Within its namespace a user may have any rights."""
    story = Story(DELIVERIES["resources"], where, {"authorization": [{"operations": operations, "addresses": ["*"]}]})
    earlier = story.stored
    story.request()
    story.settle()
    story.moved([])
    assert earlier in story.users


def test_an_earlier_user_with_more_rights_than_the_giver_allows_goes_at_once() -> None:
    story = Story(DELIVERIES["resources"], "fuse")
    earlier = story.stored
    story.request()
    story.settle()
    story.moved([])
    user = naming.user_ref(story.pair, earlier)
    story.snapshot.merge("MessagingUser", user, {"spec": {"authorization": [{"operations": ["manage"]}]}})
    story.settle()
    assert story.users == {story.stored}
    assert earlier not in story.users


def test_the_status_names_both_users_while_there_are_two(story: Story) -> None:
    earlier = story.stored
    story.request()
    story.settle()
    assert story.facts.integration is not None
    delivered = story.facts.integration.delivered
    assert (delivered["user"]["username"], delivered["secondUser"]["username"]) == (story.stored, earlier)
    story.now += timedelta(hours=2)
    story.settle()
    delivered = story.facts.integration.delivered
    assert (delivered["user"]["username"], "secondUser" in delivered) == (story.stored, False)


def test_the_status_says_when_the_credential_was_rotated_and_will_be(story: Story) -> None:
    story.snapshot.merge("Integration", story.integration_ref, {"spec": {"rotation": {"every": "24h"}}})
    story.request()
    story.settle()
    story.now += timedelta(hours=2)
    story.settle()
    (said,) = (c.message for c in story.plan.conditions or () if c.type == "Rotating")
    assert said == (
        "The credential was rotated at 2024-01-01T00:00:00Z; The credential is rotated at 2024-01-02T00:00:00Z"
    )


def test_only_actions_of_a_rotation_are_reported_as_such(story: Story) -> None:
    """Their failure is no failure of the user in use."""
    story.request()
    rotating = story.settle()
    assert all(a.rotation for a in rotating if isinstance(a, (Apply, EnsureRemote)) and a.kind == "MessagingUser")
    story.snapshot.merge("Integration", story.integration_ref, {"spec": {"enabled": False}})
    assert not any(a.rotation for a in story.settle() if isinstance(a, (Apply, Delete, DeleteRemote)))


def test_why_the_earlier_user_is_deleted_is_said(story: Story) -> None:
    story.request()
    story.settle()
    story.now += timedelta(hours=2)
    actions = story.one_pass()
    (said,) = (c.message for c in story.plan.conditions or () if c.type == "Rotating")
    assert said.endswith(" is being deleted: the overlap of the rotation is over")
    assert {a.why for a in actions if _removes_user(a)} == {"the overlap of the rotation is over"}
