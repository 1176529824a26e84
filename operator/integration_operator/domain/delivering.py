"""The three steps of a delivery: credential, user, connection.

A step makes sure of one thing and says how far it is. A step that is blocked says why. The others wait only if they
need it: user and connection need the credential, the connection needs a login that is there or is being created.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from integration_operator.api import names
from integration_operator.domain import authorization, desired, naming, readiness
from integration_operator.domain.actions import Action, Apply, Child, Deliver, LetGo, Made, Remove, Withdraw, wanted
from integration_operator.domain.choice import choose
from integration_operator.domain.conditions import Finding, Type, verification, without_effect
from integration_operator.domain.credentials import Credential, true_credential
from integration_operator.domain.desired import Identity, TemplateName, TemplateRefused, Templates
from integration_operator.domain.facts import Facts
from integration_operator.domain.handover import handed_over, taken_id, with_id, written_id
from integration_operator.domain.live import Live
from integration_operator.domain.over_rest import OverRestSteps
from integration_operator.domain.pair import Ref
from integration_operator.domain.provided import name_is_taken, provided_credential, provided_secret
from integration_operator.domain.readiness import Transport
from integration_operator.domain.remote import OverRest
from integration_operator.domain.verdict import Verdict

Document = dict[str, Any]

_ON_THE_CONNECTION = frozenset({"NoPort", "NoTLSPort", "TLSNotAvailable"})
"""Reasons that the condition ConnectionReady gives: they say nothing of the login."""

_INSTEAD = {
    "MessagingUser": "install EnMasse 0.22 or newer",
    "Connection": "install its CustomResourceDefinition, or set spec.delivery.connection to rest",
}
"""What a user can do about a kind that is not served."""

LATEST_USER_VERSION = "user.enmasse.io/v1beta1"
"""For a MessagingUser that is rendered and not applied, if the cluster serves none."""


class Blocked(Exception):
    """A step cannot go on; the verdict says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


class Delivery:
    """One pass over an enabled pair."""

    def __init__(self, facts: Facts, templates: Templates) -> None:
        assert facts.space is not None
        assert facts.syndesis is not None
        assert facts.integration is not None
        self._facts = facts
        self._templates = templates
        self._space = facts.space
        self._syndesis = facts.syndesis
        self._integration = facts.integration
        self.transport = readiness.transport(
            facts.space, facts.integration.spec.tls or "auto", was_secure=_was_secure(facts)
        )
        self._serving = readiness.can_serve(facts.space, facts.authentication_type)
        if self._serving and isinstance(self.transport, Verdict):
            self._serving = self.transport  # a login that nothing could use
        self._credential: Credential | None = None
        self.choice = choose(facts)
        self.actions: list[Action] = []
        self.findings: list[Finding] = []
        self._over_rest = OverRestSteps(facts, self.actions)

    def go(self) -> None:
        """Go through the steps, filling ``actions`` and ``findings``."""
        credential = self._step("CredentialsReady", self._make_credential)
        if self._credential is None:
            self._waits(("UserReady", "ConnectionReady"), "CredentialsReady")
        else:
            user = self._step("UserReady", self._make_user)
            if user or self._login_is_coming:
                connection = self._step("ConnectionReady", self._make_connection)
                if credential and user and connection:
                    self._remove_former()
            else:
                self._waits(("ConnectionReady",), "UserReady")
        self.findings.append(self.choice.finding)
        if (verified := self._facts.remote.connection.verified) is not None:
            self.findings.append(verification(verified))
        self.findings += without_effect(self._integration)
        self._over_rest.release()

    def _step(self, side: Type, step: Callable[[], Verdict]) -> Verdict:
        """Do one step and say on its side how far it is."""
        try:
            verdict = step()
        except Blocked as error:
            verdict = error.verdict
        except TemplateRefused as error:
            verdict = Verdict.deny("TemplateRefused", str(error))
        self.findings.append(Finding.of(side, verdict))
        return verdict

    def _waits(self, sides: tuple[Type, ...], needed: Type) -> None:
        self.findings += [Finding(side, "False", "Waiting", f"waits for {needed}") for side in sides]

    @property
    def _login_is_coming(self) -> bool:
        """True if the pair has a login, or one is being created."""
        asked = any(isinstance(a, (Apply, Deliver)) and a.kind == "MessagingUser" for a in self.actions)
        return asked or self._facts.user is not None or self._facts.remote.user.exists is not False

    def _make_credential(self) -> Verdict:
        """Make sure that the credential is in the Secret before any other system sees it."""
        facts, secret = self._facts, self._facts.secret
        if self._integration.spec.credentials_secret_ref is not None:
            return self._take_provided_credential()
        self._check_name("Secret")
        if secret is not None and secret.deleting:
            _block("Waiting", f"Secret {secret.ref} is being deleted")
        username = facts.login
        credential = known = true_credential(secret, facts.user, username)
        if credential is None:
            if not self._serving:
                raise Blocked(self._serving)
            credential = Credential(username, facts.candidate)
        self._credential = credential
        ref = naming.secret_ref(facts.pair)
        document = self._render("secret", self._in_syndesis_namespace("v1", "Secret", ref))
        self.actions += wanted("Secret", secret, document, first=known is None)
        inherited = naming.space_of_proof_of_concept(username) is not None
        replaced = "; the proof of concept kept no password, so it is a new one" if inherited else ""
        return Verdict.allow("Stored", f"in Secret {ref.name}{replaced}")

    def _take_provided_credential(self) -> Verdict:
        """Make sure that the Secret which a user brought holds a credential that EnMasse will take."""
        credential = provided_credential(self._facts, self.choice.user)
        if isinstance(credential, Verdict):
            raise Blocked(credential)
        if self._facts.user is None and not self._serving:
            raise Blocked(self._serving)
        self._credential = credential
        return Verdict.allow("Provided", f"in {provided_secret(self._integration)}")

    def _make_user(self) -> Verdict:
        """Make sure that EnMasse has the user, with no more rights than the giver allows."""
        if (refused := authorization.refusal(self._facts)) is not None:
            self.actions += authorization.closing(self._facts)
            raise Blocked(refused)
        there = self._facts.user is not None or self._facts.remote.user.exists
        if not there and not self._serving:
            raise Blocked(self._serving)
        if not there and not (connecting := readiness.can_connect(self._syndesis)):
            raise Blocked(connecting)  # a login that nothing would use
        made = self._make_native_user() if self.choice.user == "native" else self._make_user_over_rest(self.choice.user)
        if made and not self._serving and self._serving.reason not in _ON_THE_CONNECTION:
            return Verdict.deny(self._serving.reason, f"{self._serving.message}; what was delivered stays")
        return made

    def _make_native_user(self) -> Verdict:
        """Make sure that there is a MessagingUser; one that EnMasse made of our own user over REST is adopted."""
        user, over_rest = self._facts.user, self._facts.remote.user
        api_version = self._served("MessagingUser")
        self._check_name("MessagingUser")
        if user is not None and user.deleting:
            raise Blocked(readiness.user_ready(user.document))
        self._want("MessagingUser", user, "messaginguser", self._user_identity(api_version))
        if user is None:
            return Verdict.deny("UserPending", "the MessagingUser is being created")
        ready = readiness.user_ready(user.document)
        if ready and over_rest.exists is not False:
            self.actions.append(LetGo("MessagingUser", user.ref, "EnMasse reconciles it natively now"))
        return ready

    def _make_user_over_rest(self, how: OverRest) -> Verdict:
        """Make sure that EnMasse has the user without a MessagingUser that could be watched."""
        user = self._facts.user
        if user is not None:
            return self._make_successor(how, user)
        known = self._facts.remote.user
        assert self._credential is not None
        username = self._credential.username
        if known.exists is not False and known.delivery is not None and known.id not in (None, username):
            old = naming.user_ref(self._facts.pair, known.id)
            why = "the login has another name now"
            pair, space = self._facts.pair, self._space
            self.actions.append(Withdraw("MessagingUser", known.delivery, pair, old, known, why, known.id, space))
            _block("UserTerminating", f"user {known.id} is deleted before {username} is created")
        return self._deliver_user(how, self._credential)

    def _make_successor(self, how: OverRest, user: Live) -> Verdict:
        """Create the login over REST beside the one of the MessagingUser, which stays until the new one is used.

        It needs another name: EnMasse deletes the login together with the MessagingUser.
        """
        assert self._credential is not None
        username = self._credential.username
        if username not in naming.usernames(self._facts.pair):
            _block(
                "DeliveryPending",
                f"MessagingUser {user.ref} stays until your Secret has another user name: EnMasse deletes the login of "
                f"that name together with it, so {how} cannot make it beside it",
            )
        successor = replace(self._credential, username=naming.other_username(self._facts.pair, username))
        self._deliver_user(how, successor)
        return readiness.user_ready(user.document)

    def _deliver_user(self, how: OverRest, credential: Credential) -> Verdict:
        """Ask for a login over REST; say how far it is."""
        api_version = self._facts.kinds.api_versions.get("MessagingUser", LATEST_USER_VERSION)
        identity = self._user_identity(api_version, credential)
        document = self._render("messaginguser", identity, credential)
        known, platform = self._facts.remote.user, self._space.uid
        if self._over_rest.deliver("MessagingUser", how, document, credential, known, platform=platform):
            return Verdict.allow("UserReady", f"made by {how} as {credential.username}")
        return Verdict.deny("UserPending", f"user {credential.username} is being created by {how}")

    def _make_connection(self) -> Verdict:
        """Make sure that Syndesis is given the connection."""
        connection = self._facts.connection
        if connection is not None and connection.deleting and self.choice.connection == "native":
            raise Blocked(self._connection_ready(connection))
        if isinstance(self.transport, Verdict):
            raise Blocked(self.transport)
        connecting = readiness.can_connect(self._syndesis)
        there = connection is not None or self._facts.remote.connection.exists is not False
        if not there and not connecting:
            raise Blocked(connecting)
        native = self.choice.connection == "native"
        made = self._make_native_connection() if native else self._make_connection_over_rest()
        if made and not connecting:
            return Verdict.deny(connecting.reason, f"{connecting.message}; what was delivered stays")
        return made

    def _make_native_connection(self) -> Verdict:
        """Make sure that there is a Connection; it names the connection that was made over REST, if one was.

        That one is ours until the Connection is Ready under its id: at no time are there two, or none.
        """
        connection, over_rest = self._facts.connection, self._facts.remote.connection
        api_version = self._served("Connection")
        self._check_name("Connection")
        document = self._render("connection", self._connection_identity(api_version))
        known = written_id(connection)
        if known is None and over_rest.exists is not False:
            known = over_rest.id or naming.connection_id(self._facts.pair)
        if known is not None:
            document = with_id(document, known)
        self.actions += wanted("Connection", connection, document)
        if connection is None:
            return Verdict.deny("ConnectionPending", "the Connection is being created")
        ready = self._connection_ready(connection)
        if ready and over_rest.exists is not False and taken_id(connection) == known:
            self.actions.append(LetGo("Connection", connection.ref, "its Connection is Ready under the same id"))
        return ready

    def _make_connection_over_rest(self) -> Verdict:
        """Make sure that Syndesis's server has the connection, and that no Connection claims it as well."""
        connection, known = self._facts.connection, self._facts.remote.connection
        api_version = self._facts.kinds.api_versions.get("Connection", names.CONNECTION_API_VERSION)
        identity = self._connection_identity(api_version)
        document = self._render("connection", identity)
        claiming = connection if connection is not None and not connection.deleting else None
        if claiming is not None:
            self.actions += wanted("Connection", claiming, handed_over(document, claiming))
            known = known if known.id else replace(known, id=taken_id(claiming))
        if not self._over_rest.deliver(
            "Connection",
            "rest",
            document,
            self._credential,
            known,
            platform=self._syndesis.uid,
            verify=self._user_is_ready,
            handed_over=taken_id(claiming) if claiming else None,
        ):
            return Verdict.deny("ConnectionPending", "the connection is being created on Syndesis's server")
        if claiming is not None:
            self.actions.append(Remove.of("Connection", claiming, "the connection is kept over REST now"))
        return Verdict.allow("ConnectionReady", f"Syndesis has it as {known.id}")

    @property
    def _user_is_ready(self) -> bool:
        return any(f.type == "UserReady" and f.status == "True" for f in self.findings)

    def _connection_ready(self, connection: Live) -> Verdict:
        return readiness.connection_ready(connection.document, reconciled=self._syndesis.native_connections)

    def _user_identity(self, api_version: str, credential: Credential | None = None) -> Identity:
        credential = credential or self._credential
        assert credential is not None
        ref = naming.user_ref(self._facts.pair, credential.username)
        owners = desired.owners_of_user(self._space)
        return desired.identity(self._facts.pair, api_version, "MessagingUser", ref, owners, retain=self._retain)

    def _connection_identity(self, api_version: str) -> Identity:
        return self._in_syndesis_namespace(api_version, "Connection", naming.connection_ref(self._facts.pair))

    def _remove_former(self) -> None:
        """Delete what was made for the pair and is not used any more: under an earlier user name, or our own Secret.

        Only once all sides stand: a user's Secret that is away for a moment must cost no login.
        """
        for user in self._facts.former_users:
            if not user.deleting:
                self.actions.append(Remove.of("MessagingUser", user, "the login has another name now"))
        secret = self._facts.secret
        if self._integration.spec.credentials_secret_ref and secret and not secret.deleting:
            self.actions.append(Remove.of("Secret", secret, "spec.credentialsSecretRef names another"))

    def _check_name(self, kind: Child) -> None:
        """Block if a foreign object has the name that is needed."""
        if (taken := self._facts.taken_by(kind)) is None:
            return
        if kind != "MessagingUser":
            message = f"{kind} {taken.ref} exists and is not this pair's ({taken.ownership.why}); rename or delete it"
            _block("NameTaken", message)
        _block("NameTaken", name_is_taken(self._facts, self._facts.login))

    @property
    def _retain(self) -> bool:
        return self._integration.spec.deletion_policy == "Retain"

    def _served(self, kind: str) -> str:
        api_version = self._facts.kinds.api_versions.get(kind)
        if api_version is None:
            _block(f"{kind}NotServed", f"the cluster does not serve {kind}; {_INSTEAD[kind]}")
        return api_version

    def _in_syndesis_namespace(self, api_version: str, kind: str, ref: Ref) -> Identity:
        owners = desired.owners_in_syndesis_namespace(self._integration)
        return desired.identity(self._facts.pair, api_version, kind, ref, owners, retain=self._retain)

    def _want(self, kind: Made, live: Live | None, template: TemplateName, identity: Identity) -> None:
        self.actions += wanted(kind, live, self._render(template, identity))

    def _render(self, template: TemplateName, identity: Identity, credential: Credential | None = None) -> Document:
        connecting = template == "connection"
        variables = desired.variables(
            self._facts.pair,
            self._space,
            self._syndesis,
            integration=self._integration,
            credential=None if connecting else credential or self._credential,
            transport=self.transport if connecting and isinstance(self.transport, Transport) else None,
        )
        return self._templates.render(template, identity, variables)


def _block(reason: str, message: str) -> NoReturn:
    raise Blocked(Verdict.deny(reason, message))


def _was_secure(facts: Facts) -> bool:
    """Check if the connection was delivered over TLS: the status says so, or the Connection that stands."""
    spec = (facts.connection.document.get("spec") or {}) if facts.connection else {}
    properties = spec.get("configuredProperties") or {}
    delivered = facts.integration.delivered_uri if facts.integration else None
    return any(str(uri or "").startswith("amqps:") for uri in (properties.get("connectionUri"), delivered))
