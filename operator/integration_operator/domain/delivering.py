"""The three steps of a delivery: credential, user, connection. Each stands on the one before.

A step makes sure of one thing and says how far it is. A step that is blocked says why, and those behind it wait.
"""

from __future__ import annotations

from typing import Any, NoReturn

from integration_operator.api import names
from integration_operator.domain import desired, naming, readiness
from integration_operator.domain.actions import Action, Made, Remove, wanted
from integration_operator.domain.conditions import Finding, Type
from integration_operator.domain.credentials import Credential, of_secret, true_credential
from integration_operator.domain.desired import Identity, TemplateName, TemplateRefused, Templates
from integration_operator.domain.facts import Facts
from integration_operator.domain.live import Live
from integration_operator.domain.pair import Ref
from integration_operator.domain.readiness import Transport
from integration_operator.domain.verdict import Verdict

Document = dict[str, Any]


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
        self._serving = readiness.can_serve(facts.space, facts.authentication_type)
        self._credential: Credential | None = None
        self.transport = readiness.transport(facts.space, facts.integration.spec.tls or "auto")
        self.actions: list[Action] = []
        self.findings: list[Finding] = []

    def go(self) -> None:
        """Go through the steps, filling ``actions`` and ``findings``."""
        blocked: Type | None = None
        steps: tuple[tuple[Type, Any], ...] = (
            ("CredentialsReady", self._make_credential),
            ("UserReady", self._make_user),
            ("ConnectionReady", self._make_connection),
        )
        for side, step in steps:
            if blocked is not None:
                self.findings.append(Finding(side, "False", "Waiting", f"waits for {blocked}"))
                continue
            try:
                verdict = step()
            except Blocked as error:
                blocked, verdict = side, error.verdict
            except TemplateRefused as error:
                blocked, verdict = side, Verdict.deny("TemplateRefused", str(error))
            self.findings.append(Finding.of(side, verdict))
        if blocked is None:
            self._remove_strays()

    def _make_credential(self) -> Verdict:
        """Make sure that the credential is in the Secret before any other system sees it."""
        self._refuse_other_deliveries()
        facts, secret = self._facts, self._facts.secret
        if self._integration.spec.credentials_secret_ref is not None:
            return self._take_provided_credential()
        if secret is not None and not secret.ours:
            _block("NameTaken", _taken("Secret", secret.ref))
        if secret is not None and secret.deleting:
            _block("Waiting", f"Secret {secret.ref} is being deleted")
        username = naming.username(facts.pair)
        credential = true_credential(secret, facts.user, username)
        if credential is None:
            if not self._serving:
                raise Blocked(self._serving)
            credential = Credential(username, facts.candidate)
        self._credential = credential
        ref = naming.secret_ref(facts.pair)
        self._want("Secret", secret, "secret", self._in_syndesis_namespace("v1", "Secret", ref))
        return Verdict.allow("Stored", f"in Secret {ref.name}")

    def _refuse_other_deliveries(self) -> None:
        """Make sure that a side which asks for REST gets no other delivery behind its back."""
        choice = self._integration.spec.delivery
        for side, asked in (("user", choice and choice.user), ("connection", choice and choice.connection)):
            if asked not in (None, "auto", "native"):
                _block("DeliveryNotAvailable", f"spec.delivery.{side} {asked!r} is not available: only native is")

    def _take_provided_credential(self) -> Verdict:
        """Make sure that the Secret which a person brought holds a credential that EnMasse will take."""
        reference, secret = self._integration.spec.credentials_secret_ref, self._facts.provided
        assert reference is not None
        where = f"Secret {self._integration.ref.namespace}/{reference.name}"
        if secret is None:
            _block("SecretNotFound", f"{where} is not there, or has not the label {names.INTEGRATION_LABEL}")
        username_key = reference.username_key or names.USERNAME_KEY
        password_key = reference.password_key or names.PASSWORD_KEY
        credential = of_secret(secret, username_key=username_key, password_key=password_key)
        if credential is None:
            _block("SecretMalformed", f"{where} has not both keys {username_key} and {password_key} as text")
        if not readiness.USERNAME.fullmatch(credential.username):
            _block("UsernameInvalid", f"{where}: the user name must be 3 to 63 of a-z, 0-9 and '-'")
        if credential.username in self._facts.usernames:
            _block("UsernameTaken", f"{where}: AddressSpace {self._space.ref} has a user of that name already")
        if self._facts.user is None and not self._serving:
            raise Blocked(self._serving)
        self._credential = credential
        return Verdict.allow("Provided", f"in {where}")

    def _make_user(self) -> Verdict:
        """Make sure that EnMasse has the user."""
        facts, user = self._facts, self._facts.user
        assert self._credential is not None
        api_version = self._served("MessagingUser")
        if user is not None and not user.ours:
            _block("NameTaken", _taken("MessagingUser", user.ref))
        if user is not None and user.deleting:
            raise Blocked(readiness.user_ready(user.document))
        if user is None and not self._serving:
            raise Blocked(self._serving)
        ref = naming.user_ref(facts.pair, self._credential.username)
        owners = desired.owners_of_user(self._space)
        identity = desired.identity(facts.pair, api_version, "MessagingUser", ref, owners, retain=self._retain)
        self._want("MessagingUser", user, "messaginguser", identity)
        return readiness.user_ready(user.document) if user else Verdict.deny("UserPending", "it is being made")

    def _make_connection(self) -> Verdict:
        """Make sure that Syndesis is given the connection."""
        facts, connection = self._facts, self._facts.connection
        api_version = self._served("Connection")
        reconciled = self._syndesis.native_connections
        if connection is not None and not connection.ours:
            _block("NameTaken", _taken("Connection", connection.ref))
        if connection is not None and connection.deleting:
            raise Blocked(readiness.connection_ready(connection.document, reconciled=reconciled))
        if isinstance(self.transport, Verdict):
            raise Blocked(self.transport)
        identity = self._in_syndesis_namespace(api_version, "Connection", naming.connection_ref(facts.pair))
        self._want("Connection", connection, "connection", identity)
        if connection is None:
            return Verdict.deny("ConnectionPending", "it is being made")
        return readiness.connection_ready(connection.document, reconciled=reconciled)

    def _remove_strays(self) -> None:
        """Remove what was made for the pair and is not used any more: under an earlier user name, or our own Secret.

        Only once everything wanted is made: a Secret of a person's that is away for a moment must cost no user.
        """
        for stray in self._facts.strays:
            if stray.live.ours and not stray.live.deleting:
                self.actions.append(Remove.of(stray.kind, stray.live, "it is not used any more"))
        secret = self._facts.secret
        if self._integration.spec.credentials_secret_ref and secret and secret.ours and not secret.deleting:
            self.actions.append(Remove.of("Secret", secret, "spec.credentialsSecretRef names another"))

    @property
    def _retain(self) -> bool:
        return self._integration.spec.deletion_policy == "Retain"

    def _served(self, kind: str) -> str:
        api_version = self._facts.kinds.api_versions.get(kind)
        if api_version is None:
            _block(f"{kind}NotServed", f"the cluster does not serve {kind}")
        return api_version

    def _in_syndesis_namespace(self, api_version: str, kind: str, ref: Ref) -> Identity:
        owners = desired.owners_in_syndesis_namespace(self._integration)
        return desired.identity(self._facts.pair, api_version, kind, ref, owners, retain=self._retain)

    def _want(self, kind: Made, live: Live | None, template: TemplateName, identity: Identity) -> None:
        connecting = template == "connection"
        variables = desired.variables(
            self._facts.pair,
            self._space,
            self._syndesis,
            integration=self._integration,
            credential=None if connecting else self._credential,
            transport=self.transport if connecting and isinstance(self.transport, Transport) else None,
        )
        self.actions += wanted(kind, live, self._templates.render(template, identity, variables))


def _block(reason: str, message: str) -> NoReturn:
    raise Blocked(Verdict.deny(reason, message))


def _taken(kind: str, ref: Ref) -> str:
    return f"{kind} {ref} is not ours and is left as it is: rename or remove it"
