"""From the facts of a pair to what is to be done, and why: the same function for ``run``, ``render`` and ``explain``.

``decide`` is pure. It says all that can be done at once, in the order in which it must be done: the Secret before the
user that gets its password, the user before the connection that uses it; taking down goes the other way round, so
that a crash in between never leaves a login whose password is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from integration_operator.api import names
from integration_operator.domain import desired, naming, readiness
from integration_operator.domain.actions import Action, Apply, ChildKind, Remove
from integration_operator.domain.conditions import Finding, Type
from integration_operator.domain.credentials import Credential, of_secret, true_credential
from integration_operator.domain.desired import Identity, TemplateName, TemplateRefused, Templates
from integration_operator.domain.facts import Facts
from integration_operator.domain.integration import Integration
from integration_operator.domain.live import Live, differences
from integration_operator.domain.pair import Ref
from integration_operator.domain.readiness import Transport
from integration_operator.domain.standing import Standing, Step, stand
from integration_operator.domain.verdict import Verdict

Document = dict[str, Any]

SIDES: tuple[Type, ...] = ("CredentialsReady", "UserReady", "ConnectionReady")


@dataclass(frozen=True, slots=True)
class Delivered:
    """What stands for a pair, for the Integration's status."""

    username: str | None = None
    user: Ref | None = None
    connection: Ref | None = None
    connection_id: str | None = None
    secret: str | None = None
    host: str | None = None
    realm: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Actions in the order to do them, and the conditions that hold once there are none left to do.

    ``findings`` None says nothing of the pair, because nothing is known for sure. ``delivered`` is what stands.
    """

    step: Step
    actions: tuple[Action, ...] = ()
    findings: tuple[Finding, ...] | None = None
    delivered: Delivered = field(default_factory=Delivered)


def unpaired(reason: Verdict) -> Decision:
    """Nothing to do for an Integration that stands for no pair, or for one that another stands for already."""
    return Decision(Step.HOLD, (), (Finding.of("Paired", reason),))


def duplicate_of(first: Integration) -> Decision:
    """A second Integration for a pair does nothing but say so."""
    return unpaired(Verdict.deny("Duplicate", f"Integration {first.ref} stands for this pair already"))


def decide(facts: Facts, templates: Templates) -> Decision:
    """What is to be done for a pair now; asked again after each action, until there is nothing left to do."""
    standing = stand(facts)
    match standing.step:
        case Step.HOLD:
            return _hold(facts, standing)
        case Step.OFFER:
            return _offer(facts, templates)
        case Step.REMOVE | Step.WITHDRAW:
            return _take_down(facts, standing, templates)
        case Step.DELIVER:
            return _Delivery(facts, templates).decision()


def _hold(facts: Facts, standing: Standing) -> Decision:
    """Do nothing; say why, keeping what was said of the sides."""
    if standing.finding is None or facts.integration is None:
        return Decision(Step.HOLD)
    return Decision(Step.HOLD, (), (standing.finding,), _delivered(facts))


def _offer(facts: Facts, templates: Templates) -> Decision:
    """Make the Integration: enabled where the settings or the AddressSpace say so, unless it was withdrawn before.

    A MessagingUser without its Integration shows that a person deleted the Integration of a delivered pair.
    """
    assert facts.space is not None
    assert facts.syndesis is not None
    was_delivered = _delivered_before(facts)
    enabled = (facts.enable_new or facts.space.enable_new) and not facts.withdrawn and not was_delivered
    document = templates.render(
        "integration",
        _integration_identity(facts),
        desired.variables(facts.pair, facts.space, facts.syndesis, enabled=enabled),
    )
    return Decision(Step.OFFER, (Apply("Integration", document, "the pair is offered"),))


def _delivered_before(facts: Facts) -> bool:
    """Whether a user of this very AddressSpace is left from an Integration that somebody deleted."""
    user, space = facts.user, facts.space
    if user is None or space is None or not user.ours or user.deleting or _retained(user):
        return False
    return any(owner.get("uid") == space.uid for owner in user.owners)


def _take_down(facts: Facts, standing: Standing, templates: Templates) -> Decision:
    """Remove connection, user and Secret, in this order, and the offer itself where the pair is no more."""
    actions: list[Action] = []
    keep = standing.step is Step.REMOVE and (facts.integration is None or facts.integration.spec.deletion_policy != "Retain")
    for kind, live in _children(facts):
        if live.deleting or not live.ours or (keep and _retained(live)):
            continue
        actions.append(Remove(kind, live.ref, live.uid, standing.message))
    integration = facts.integration
    if standing.step is Step.WITHDRAW:
        for offer in (integration, *facts.duplicates):
            if offer is not None and offer.offered and not offer.live.deleting:
                actions.append(Remove("Integration", offer.ref, offer.live.uid, standing.message))
    elif integration is not None:
        actions += _integration_repairs(facts, templates)
    findings = _sides_not_ready(standing)
    return Decision(standing.step, tuple(actions), findings, _delivered(facts))


def _sides_not_ready(standing: Standing) -> tuple[Finding, ...]:
    if standing.type == "Paired":
        paired = Finding("Paired", standing.status, standing.reason, standing.message)
    else:
        paired = Finding("Paired", "True", "Paired", "the pair is allowed")
    return (paired, *(Finding(side, "False", standing.reason, standing.message) for side in SIDES))


class _Delivery:
    """One pass over an enabled pair: Secret, user, connection; each step stands on the one before."""

    def __init__(self, facts: Facts, templates: Templates) -> None:
        assert facts.space is not None
        assert facts.syndesis is not None
        assert facts.integration is not None
        self.facts = facts
        self.templates = templates
        self.space = facts.space
        self.syndesis = facts.syndesis
        self.integration = facts.integration
        self.retain = facts.integration.spec.deletion_policy == "Retain"
        self.serving = readiness.can_serve(facts.space, facts.authentication_type)
        self.transport = readiness.transport(facts.space, facts.integration.spec.tls or "auto")
        self.actions: list[Action] = []
        self.findings: list[Finding] = [Finding.of("Paired", facts.allowed)]

    def decision(self) -> Decision:
        """Go through the steps; what a step does not reach is waiting for the one before it."""
        self.actions += _integration_repairs(self.facts, self.templates)
        try:
            unavailable = _delivery_unavailable(self.facts)
            if unavailable is not None:
                self._stop("CredentialsReady", unavailable)
            elif (credential := self._credential()) is not None and self._user(credential):
                self._connection(credential)
                self._strays()
        except TemplateRefused as error:
            reached = SIDES[len(self.findings) - 1]
            self._stop(reached, Verdict.deny("TemplateRefused", str(error)))
        return Decision(Step.DELIVER, tuple(self.actions), tuple(self.findings), _delivered(self.facts, self.transport))

    def _credential(self) -> Credential | None:
        """Make sure that the credential is in the Secret before any other system sees it."""
        if self.integration.spec.credentials_secret_ref is not None:
            return self._provided_credential()
        facts, secret = self.facts, self.facts.secret
        if secret is not None and not secret.ours:
            return self._stop("CredentialsReady", _taken("Secret", secret.ref))
        if secret is not None and secret.deleting:
            return self._stop("CredentialsReady", Verdict.deny("Waiting", f"Secret {secret.ref} is being deleted"))
        username = naming.username(facts.pair)
        credential = true_credential(secret, facts.user, username)
        if credential is None:
            if not self.serving:
                return self._stop("CredentialsReady", self.serving)
            credential = Credential(username, facts.candidate)
        identity = self._in_syndesis_namespace("v1", "Secret", naming.secret_ref(facts.pair))
        self._want("Secret", secret, self._render("secret", identity, credential=credential))
        self.findings.append(Finding("CredentialsReady", "True", "Stored", f"in Secret {identity.ref.name}"))
        return credential

    def _provided_credential(self) -> Credential | None:
        """Use the Secret that a person brought; our own, if there is one from before, is a stray now."""
        reference, secret = self.integration.spec.credentials_secret_ref, self.facts.provided
        assert reference is not None
        where = f"Secret {self.integration.ref.namespace}/{reference.name}"
        if secret is None:
            return self._stop(
                "CredentialsReady",
                Verdict.deny(
                    "SecretNotFound", f"{where} is not there, or has not the label {names.INTEGRATION_LABEL}"
                ),
            )
        username_key = reference.username_key or names.USERNAME_KEY
        password_key = reference.password_key or names.PASSWORD_KEY
        credential = of_secret(secret, username_key=username_key, password_key=password_key)
        if credential is None:
            return self._stop(
                "CredentialsReady",
                Verdict.deny("SecretMalformed", f"{where} has not both keys {username_key} and {password_key} as text"),
            )
        if not readiness.USERNAME.fullmatch(credential.username):
            return self._stop(
                "CredentialsReady",
                Verdict.deny("UsernameInvalid", f"{where}: the user name must be 3 to 63 of a-z, 0-9 and -"),
            )
        if credential.username in self.facts.usernames:
            return self._stop(
                "CredentialsReady",
                Verdict.deny("UsernameTaken", f"{where}: AddressSpace {self.space.ref} has a user of that name"),
            )
        if not self.serving and self.facts.user is None:
            return self._stop("CredentialsReady", self.serving)
        self.findings.append(Finding("CredentialsReady", "True", "Provided", f"in {where}"))
        return credential

    def _user(self, credential: Credential) -> bool:
        """Make sure that EnMasse has the user; say whether a connection may use it."""
        facts, user = self.facts, self.facts.user
        api_version = facts.kinds.api_versions.get("MessagingUser")
        if api_version is None:
            return self._blocked("UserReady", "MessagingUserNotServed", "the cluster does not serve MessagingUser")
        if user is not None and not user.ours:
            self._stop("UserReady", _taken("MessagingUser", user.ref))
            return False
        if user is not None and user.deleting:
            self._stop("UserReady", readiness.user_ready(user.document))
            return False
        if user is None and not self.serving:
            self._stop("UserReady", self.serving)
            return False
        ref = naming.user_ref(facts.pair, credential.username)
        identity = desired.identity(
            facts.pair, api_version, "MessagingUser", ref, desired.owners_of_user(self.space), retain=self.retain
        )
        self._want("MessagingUser", user, self._render("messaginguser", identity, credential=credential))
        ready = readiness.user_ready(user.document) if user else Verdict.deny("UserPending", "being made")
        self.findings.append(Finding.of("UserReady", ready))
        return True

    def _connection(self, credential: Credential) -> None:
        """Make sure that Syndesis is given the connection."""
        facts, connection = self.facts, self.facts.connection
        api_version = facts.kinds.api_versions.get("Connection")
        if api_version is None:
            self._blocked("ConnectionReady", "ConnectionNotServed", "the cluster does not serve Connection")
            return
        if connection is not None and not connection.ours:
            self._stop("ConnectionReady", _taken("Connection", connection.ref))
            return
        reconciled = self.syndesis.native_connections
        if connection is not None and connection.deleting:
            self._stop("ConnectionReady", readiness.connection_ready(connection.document, reconciled=reconciled))
            return
        if isinstance(self.transport, Verdict):
            self._stop("ConnectionReady", self.transport)
            return
        identity = self._in_syndesis_namespace(api_version, "Connection", naming.connection_ref(facts.pair))
        self._want("Connection", connection, self._render("connection", identity, credential=credential))
        ready = (
            readiness.connection_ready(connection.document, reconciled=reconciled)
            if connection
            else Verdict.deny("ConnectionPending", "being made")
        )
        self.findings.append(Finding.of("ConnectionReady", ready))

    def _strays(self) -> None:
        """Remove what was made for the pair under another name: an earlier user name, a Secret no longer used.

        Only once everything wanted is made: a Secret of a person's that is away for a moment must cost no user.
        """
        if len(self.findings) <= len(SIDES) or any(f.reason == "Waiting" for f in self.findings):
            return
        for stray in self.facts.strays:
            if stray.live.ours and not stray.live.deleting:
                self.actions.append(
                    Remove(_child(stray.kind), stray.live.ref, stray.live.uid, "it is not used any more")
                )
        secret = self.facts.secret
        if self.integration.spec.credentials_secret_ref and secret and secret.ours and not secret.deleting:
            self.actions.append(Remove("Secret", secret.ref, secret.uid, "spec.credentialsSecretRef names another"))

    def _in_syndesis_namespace(self, api_version: str, kind: str, ref: Ref) -> Identity:
        owners = desired.owners_in_syndesis_namespace(self.integration)
        return desired.identity(self.facts.pair, api_version, kind, ref, owners, retain=self.retain)

    def _render(self, name: TemplateName, identity: Identity, *, credential: Credential) -> Document:
        reference = self.integration.spec.credentials_secret_ref
        secret = None
        if reference is not None:
            secret = {
                "name": reference.name,
                "usernameKey": reference.username_key or names.USERNAME_KEY,
                "passwordKey": reference.password_key or names.PASSWORD_KEY,
            }
        variables = desired.variables(
            self.facts.pair,
            self.space,
            self.syndesis,
            integration=self.integration,
            credential=None if name == "connection" else credential,
            transport=self.transport if name == "connection" and isinstance(self.transport, Transport) else None,
            secret=secret,
        )
        return self.templates.render(name, identity, variables)

    def _want(self, kind: ChildKind, live: Live | None, document: Document) -> None:
        action = wanted(kind, live, document)
        if action is not None:
            self.actions.append(action)

    def _stop(self, side: Type, verdict: Verdict) -> None:
        """This side is not ready, and those after it wait for it."""
        self.findings.append(Finding.of(side, verdict))
        for later in SIDES[SIDES.index(side) + 1 :]:
            self.findings.append(Finding(later, "False", "Waiting", f"waits for {side}"))

    def _blocked(self, side: Type, reason: str, message: str) -> bool:
        self._stop(side, Verdict.deny(reason, message))
        return False


def wanted(kind: ChildKind, live: Live | None, document: Document) -> Apply | None:
    """The apply that brings an object to what is wanted; None where it is there already."""
    if live is None:
        return Apply(kind, document, "it is not there")
    changed = differences(live, document)
    return Apply(kind, document, f"changed: {', '.join(changed[:5])}", uid=live.uid) if changed else None


def _integration_identity(facts: Facts) -> Identity:
    assert facts.space is not None
    assert facts.syndesis is not None
    owner = desired.owner_of_integration(facts.pair, facts.space, facts.syndesis)
    ref = Ref(facts.pair.syndesis.namespace, naming.integration_name(facts.pair))
    api_version = facts.kinds.api_versions["Integration"]
    return desired.identity(facts.pair, api_version, "Integration", ref, (owner,))


def _integration_repairs(facts: Facts, templates: Templates) -> list[Action]:
    """Keep the offer as it is wanted, and fill in what a person left out; what they wrote is theirs."""
    integration = facts.integration
    assert integration is not None
    if integration.live.deleting or facts.space is None or facts.syndesis is None:
        return []
    if integration.offered:
        identity = replace(_integration_identity(facts), ref=integration.ref)
        values = desired.variables(facts.pair, facts.space, facts.syndesis, integration=integration)
        document = _yielding(templates.render("integration", identity, values), integration.live)
    else:
        document = _left_out(facts)
    action = wanted("Integration", integration.live, document)
    return [action] if action is not None else []


def _yielding(document: Document, live: Live) -> Document:
    """The document without what somebody else has written into the spec since."""
    theirs = {
        key for key in document.get("spec", {}) if key in live.document.get("spec", {}) and not live.owns("spec", key)
    }
    return {**document, "spec": {key: value for key, value in document["spec"].items() if key not in theirs}}


def _left_out(facts: Facts) -> Document:
    """The fields that a person's Integration lacks, and nothing else: no label, no owner."""
    integration = facts.integration
    assert integration is not None
    written = integration.live.document.get("spec") or {}
    space, syndesis = facts.pair
    filled = {
        "serviceProvider": "fuse",
        "integrationType": "amqp",
        "client": syndesis.name,
        "addressSpaceRef": {"namespace": space.namespace, "name": space.name},
    }
    ours = {
        key: value
        for key, value in filled.items()
        if not written.get(key) or integration.live.owns("spec", key)
    }
    document: Document = {
        "apiVersion": integration.live.document["apiVersion"],
        "kind": "Integration",
        "metadata": {"name": integration.ref.name, "namespace": integration.ref.namespace},
    }
    if ours:
        document["spec"] = ours
    return document


def _delivery_unavailable(facts: Facts) -> Verdict | None:
    """A side that asks for REST gets no other delivery behind its back."""
    assert facts.integration is not None
    choice = facts.integration.spec.delivery
    for side, asked in (("user", choice and choice.user), ("connection", choice and choice.connection)):
        if asked not in (None, "auto", "native"):
            return Verdict.deny("DeliveryNotAvailable", f"spec.delivery.{side} {asked!r} is not available")
    return None


def _children(facts: Facts) -> list[tuple[ChildKind, Live]]:
    """What stands for the pair, in the order in which it is taken down."""
    known = [("Connection", facts.connection), ("MessagingUser", facts.user), ("Secret", facts.secret)]
    known += [(stray.kind, stray.live) for stray in facts.strays]
    return [(_child(kind), live) for kind, live in known if live is not None]


def _child(kind: str) -> ChildKind:
    children: dict[str, ChildKind] = {"Secret": "Secret", "MessagingUser": "MessagingUser", "Connection": "Connection"}
    return children[kind]


def _retained(live: Live) -> bool:
    """Whether an object was made to outlive its Integration (``deletionPolicy: Retain``)."""
    return live.annotations.get(names.DELETION_POLICY) == "Retain"


def _taken(kind: str, ref: Ref) -> Verdict:
    return Verdict.deny("NameTaken", f"{kind} {ref} is not ours and is left as it is: rename or remove it")


def _delivered(facts: Facts, transport: Transport | Verdict | None = None) -> Delivered:
    """What stands for the pair now."""
    user, connection = facts.user, facts.connection
    if user is not None and not user.ours:
        user = None
    if connection is not None and not connection.ours:
        connection = None
    secret = facts.provided or facts.secret
    status = (connection.document.get("status") or {}) if connection else {}
    return Delivered(
        username=user.document["spec"].get("username") if user else None,
        user=user.ref if user else None,
        connection=connection.ref if connection else None,
        connection_id=status.get("connectionId"),
        secret=secret.ref.name if secret else None,
        host=transport.host if isinstance(transport, Transport) else None,
        realm=facts.space.realm if facts.space else None,
    )
