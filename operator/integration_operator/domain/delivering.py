"""The three steps of a delivery: credential, user, connection. Each stands on the one before.

A step makes sure of one thing and says how far it is. A step that is blocked says why, and those behind it wait.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

from integration_operator.api import names
from integration_operator.domain import desired, naming, readiness
from integration_operator.domain.actions import Action, LetGo, Made, Remove, Withdraw, wanted
from integration_operator.domain.choice import choose
from integration_operator.domain.conditions import Finding, Type
from integration_operator.domain.credentials import Credential, of_secret, true_credential
from integration_operator.domain.desired import Identity, TemplateName, TemplateRefused, Templates
from integration_operator.domain.facts import Facts
from integration_operator.domain.handover import handed_over, taken_id, with_id, written_id
from integration_operator.domain.live import Live
from integration_operator.domain.over_rest import OverRestSteps
from integration_operator.domain.pair import Ref
from integration_operator.domain.readiness import Transport
from integration_operator.domain.remote import OverRest
from integration_operator.domain.verdict import Verdict

Document = dict[str, Any]

LATEST_USER_VERSION = "user.enmasse.io/v1beta1"
"""For a MessagingUser that is rendered and not applied, where the cluster serves none."""


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
        self.choice = choose(facts)
        self.transport = readiness.transport(facts.space, facts.integration.spec.tls or "auto")
        self.actions: list[Action] = []
        self.findings: list[Finding] = []
        self._over_rest = OverRestSteps(facts, self.actions)

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
        self.findings.append(self.choice.finding)
        if (verified := self._facts.remote.connection.verified) is not None:
            self.findings.append(Finding.of("ConnectionVerified", verified))
        if blocked is None:
            self._remove_strays()
        self._over_rest.release()

    def _make_credential(self) -> Verdict:
        """Make sure that the credential is in the Secret before any other system sees it."""
        facts, secret = self._facts, self._facts.secret
        if self._integration.spec.credentials_secret_ref is not None:
            return self._take_provided_credential()
        if secret is not None and not secret.ours:
            _block("NameTaken", _taken("Secret", secret.ref))
        if secret is not None and secret.deleting:
            _block("Waiting", f"Secret {secret.ref} is being deleted")
        username = facts.login
        credential = true_credential(secret, facts.user, username)
        if credential is None:
            if not self._serving:
                raise Blocked(self._serving)
            credential = Credential(username, facts.candidate)
        self._credential = credential
        ref = naming.secret_ref(facts.pair)
        self._want("Secret", secret, "secret", self._in_syndesis_namespace("v1", "Secret", ref))
        inherited = naming.space_of_proof_of_concept(username) is not None
        replaced = "; the proof of concept kept no password, so it is a new one" if inherited else ""
        return Verdict.allow("Stored", f"in Secret {ref.name}{replaced}")

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
        assert self._credential is not None
        if self._facts.user is None and not self._facts.remote.user.exists and not self._serving:
            raise Blocked(self._serving)
        if self.choice.user == "native":
            return self._make_native_user()
        return self._make_user_over_rest(self.choice.user)

    def _make_native_user(self) -> Verdict:
        """Make sure that there is a MessagingUser; one that EnMasse made of our own user over REST is taken over."""
        user, over_rest = self._facts.user, self._facts.remote.user
        api_version = self._served("MessagingUser")
        if user is not None and not user.ours and over_rest.exists is False:
            _block("NameTaken", _taken("MessagingUser", user.ref))
        if user is not None and user.deleting:
            raise Blocked(readiness.user_ready(user.document))
        self._want("MessagingUser", user, "messaginguser", self._user_identity(api_version))
        if user is None:
            return Verdict.deny("UserPending", "it is being made")
        ready = readiness.user_ready(user.document)
        if ready and over_rest.exists is not False:
            self.actions.append(LetGo("MessagingUser", user.ref, "EnMasse reconciles it natively now"))
        return ready

    def _make_user_over_rest(self, how: OverRest) -> Verdict:
        """Make sure that EnMasse has the user without a MessagingUser that could be watched."""
        user = self._facts.user
        if user is not None and user.ours:  # EnMasse would remove the login together with the MessagingUser
            if not user.deleting:
                self.actions.append(Remove.of("MessagingUser", user, f"the user is made by {how} now"))
            _block("UserTerminating", f"MessagingUser {user.ref} goes before the user is made by {how}")
        known = self._facts.remote.user
        username = self._credential.username if self._credential else ""
        if known.exists is not False and known.delivery is not None and known.id not in (None, username):
            old = naming.user_ref(self._facts.pair, known.id)
            why = "the login has another name now"
            pair, space = self._facts.pair, self._space
            self.actions.append(Withdraw("MessagingUser", known.delivery, pair, old, known, why, known.id, space))
            _block("UserTerminating", f"user {known.id} goes before {username} is made")
        api_version = self._facts.kinds.api_versions.get("MessagingUser", LATEST_USER_VERSION)
        document = self._render("messaginguser", self._user_identity(api_version))
        if self._over_rest.deliver("MessagingUser", how, document, self._credential, known):
            return Verdict.allow("UserReady", f"made by {how} as {document['spec']['username']}")
        return Verdict.deny("UserPending", "it is being made")

    def _make_connection(self) -> Verdict:
        """Make sure that Syndesis is given the connection."""
        connection = self._facts.connection
        if connection is not None and connection.deleting and self.choice.connection == "native":
            raise Blocked(self._connection_ready(connection))
        if isinstance(self.transport, Verdict):
            raise Blocked(self.transport)
        if self.choice.connection == "native":
            return self._make_native_connection()
        return self._make_connection_over_rest()

    def _make_native_connection(self) -> Verdict:
        """Make sure that there is a Connection; it names the connection that was made over REST, where one was.

        That one is ours until the Connection is Ready under its id: at no time are there two, or none.
        """
        connection, over_rest = self._facts.connection, self._facts.remote.connection
        api_version = self._served("Connection")
        if connection is not None and not connection.ours:
            _block("NameTaken", _taken("Connection", connection.ref))
        document = self._render("connection", self._connection_identity(api_version))
        known = written_id(connection)
        if known is None and over_rest.exists is not False:
            known = over_rest.id or naming.connection_id(self._facts.pair)
        if known is not None:
            document = with_id(document, known)
        self.actions += wanted("Connection", connection, document)
        if connection is None:
            return Verdict.deny("ConnectionPending", "it is being made")
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
        claiming = connection if connection is not None and connection.ours and not connection.deleting else None
        if claiming is not None:
            self.actions += wanted("Connection", claiming, handed_over(document, claiming))
            known = known if known.id else replace(known, id=taken_id(claiming))
        if not self._over_rest.deliver(
            "Connection", "rest", document, self._credential, known, verify=self._user_is_ready
        ):
            return Verdict.deny("ConnectionPending", "it is being made")
        if claiming is not None:
            self.actions.append(Remove.of("Connection", claiming, "the connection is kept over REST now"))
        return Verdict.allow("ConnectionReady", f"Syndesis has it as {known.id}")

    @property
    def _user_is_ready(self) -> bool:
        return any(f.type == "UserReady" and f.status == "True" for f in self.findings)

    def _connection_ready(self, connection: Live) -> Verdict:
        return readiness.connection_ready(connection.document, reconciled=self._syndesis.native_connections)

    def _user_identity(self, api_version: str) -> Identity:
        assert self._credential is not None
        ref = naming.user_ref(self._facts.pair, self._credential.username)
        owners = desired.owners_of_user(self._space)
        return desired.identity(self._facts.pair, api_version, "MessagingUser", ref, owners, retain=self._retain)

    def _connection_identity(self, api_version: str) -> Identity:
        return self._in_syndesis_namespace(api_version, "Connection", naming.connection_ref(self._facts.pair))

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
        self.actions += wanted(kind, live, self._render(template, identity))

    def _render(self, template: TemplateName, identity: Identity) -> Document:
        connecting = template == "connection"
        variables = desired.variables(
            self._facts.pair,
            self._space,
            self._syndesis,
            integration=self._integration,
            credential=None if connecting else self._credential,
            transport=self.transport if connecting and isinstance(self.transport, Transport) else None,
        )
        return self._templates.render(template, identity, variables)


def _block(reason: str, message: str) -> NoReturn:
    raise Blocked(Verdict.deny(reason, message))


def _taken(kind: str, ref: Ref) -> str:
    return f"{kind} {ref} is not ours and is left as it is: rename or remove it"
