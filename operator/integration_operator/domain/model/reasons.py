"""Every reason that a condition can have: what it means, who has to act, and what passes without a user.

This is the one source of both the conditions Reconciling and Stalled and of docs/conditions.md, which is generated
from it. A reason that is not here came from the API server or from an admission webhook, and needs a user.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Effect(Enum):
    """What a reason asks for."""

    FINE = "nothing to do"
    CHOSEN = "a user chose it"
    PASSES = "passes by itself"
    USER = "a user has to act"
    INFORMATIVE = "informative"


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason: the types of the conditions that can have it, what it means, and the next step."""

    name: str
    types: tuple[str, ...]
    effect: Effect
    meaning: str
    next_step: str = ""


PAIRED = ("Paired",)
SIDES: Final = ("CredentialsReady", "UserReady", "ConnectionReady")
"""The conditions of a delivery's steps, in order."""
CREDENTIALS, USER, CONNECTION = ((side,) for side in SIDES)
SERVING = (*CREDENTIALS, *USER)
"""Conditions with the reasons of the AddressSpace: the credential's before anything is created, then the user's."""
REMOTE_USER = (*USER, "Rotating")
ANY = (*PAIRED, *SIDES, "Rotating")
OF_A_CONNECTION = ("Connection",)
"""Not a type: the reason is also one of the condition Ready of a Connection."""
OVER_REST = (*CONNECTION, *OF_A_CONNECTION)


def _listed(names: str, types: Iterable[str], effect: Effect, meaning: str, next_step: str = "") -> tuple[Reason, ...]:
    """Return reasons that share everything but their name."""
    return tuple(Reason(name, tuple(types), effect, meaning, next_step) for name in names.split())


FINE, CHOSEN, PASSES, ACT, INFORMATIVE = (
    Effect.FINE,
    Effect.CHOSEN,
    Effect.PASSES,
    Effect.USER,
    Effect.INFORMATIVE,
)

REASONS: tuple[Reason, ...] = (
    # Of conditions that are True
    *_listed("Ready", ("Ready",), FINE, "the user can log in, and Syndesis has the connection"),
    *_listed("SameNamespace", PAIRED, FINE, "AddressSpace and Syndesis are in one namespace"),
    *_listed("NamespaceAllowed", PAIRED, FINE, "the AddressSpace allows the namespace of the Syndesis"),
    *_listed("SameCreator", PAIRED, FINE, "one user created both (`pairing_rules: created-by`)"),
    *_listed("Stored", CREDENTIALS, FINE, "the Secret has the credential"),
    *_listed("Provided", CREDENTIALS, FINE, "your own Secret has the credential"),
    *_listed("UserActive", USER, FINE, "EnMasse applied the MessagingUser, and the user can log in"),
    *_listed("UserReady", USER, FINE, "the user exists over REST, and can log in"),
    *_listed("ConnectionReady", CONNECTION, FINE, "Syndesis has the connection"),
    *_listed("Delivered", OF_A_CONNECTION, FINE, "Syndesis has the connection"),
    # Chosen by a user
    *_listed(
        "NotEnabled", ("Disabled", *SIDES), CHOSEN, "`spec.enabled` is not true; nothing is delivered", "enable it"
    ),
    *_listed(
        "Suspended",
        ("Suspended", *SIDES),
        CHOSEN,
        "`spec.suspend` is true; what exists is kept as it is",
        "set `spec.suspend` to false",
    ),
    # Of the pair
    *_listed(
        "NamespaceNotAllowed",
        PAIRED,
        ACT,
        "the AddressSpace does not exist, or its owner does not allow this namespace; the message does not tell which",
        "the AddressSpace's owner adds the namespace to `integreatly.org/allowed-namespaces`",
    ),
    *_listed(
        "NamespaceNotAccepted",
        PAIRED,
        ACT,
        "the Syndesis does not accept offers from the AddressSpace's namespace",
        "the owner of the Syndesis adds it to `integreatly.org/accept-from`",
    ),
    *_listed(
        "OtherNamespace OtherCreator NoRule",
        PAIRED,
        ACT,
        "none of the rules in the setting `pairing_rules` allows the pair",
        "the administrator changes the rules",
    ),
    *_listed(
        "AddressSpaceNotFound",
        PAIRED,
        ACT,
        "no AddressSpace of this namespace has that name (for another namespace it is `NamespaceNotAllowed`)",
        "create it, or correct the name",
    ),
    *_listed(
        "SyndesisNotFound",
        (*PAIRED, *OVER_REST),
        ACT,
        "`Paired`: no Syndesis has that name. `ConnectionReady`: Syndesis answered that what the request names does "
        "not exist",
        "`Paired`: create it, or correct the name. `ConnectionReady`: the administrator corrects the template",
    ),
    *_listed(
        "AddressSpaceDeleting SyndesisDeleting NamespaceTerminating IntegrationDeleting",
        PAIRED,
        PASSES,
        "it is being deleted; the operator deletes what was delivered",
    ),
    *_listed(
        "NamespaceNotWatched",
        PAIRED,
        ACT,
        "the AddressSpace is in a namespace that the operator does not watch; everything stays as it is",
        "the administrator adds the namespace to the setting `namespaces`, or removes this Integration's",
    ),
    *_listed("Duplicate", PAIRED, ACT, "another Integration is used for the pair", "delete one of the two"),
    *_listed(
        "ClientMissing AddressSpaceMissing AddressSpaceAmbiguous",
        PAIRED,
        ACT,
        "the spec does not identify one Syndesis or one AddressSpace",
        "set the field that the message names",
    ),
    *_listed(
        "InvalidSpec",
        (*PAIRED, *OF_A_CONNECTION),
        ACT,
        "the spec is malformed, and no API server has validated it",
        "correct the field that the message names",
    ),
    *_listed(
        "AddressSpaceNotServed SyndesisNotServed IntegrationNotServed",
        PAIRED,
        ACT,
        "the cluster does not serve the kind; everything is kept as it is",
        "the administrator installs the platform",
    ),
    *_listed("Uninstalling", PAIRED, PASSES, "`integration-operator uninstall` takes everything down"),
    *_listed(
        "TeardownPostponed",
        PAIRED,
        PASSES,
        "the AddressSpace or Syndesis is gone, and `teardowns_per_minute` pairs are taken down before this one",
        "set `spec.suspend` to keep it",
    ),
    *_listed(
        "EnMasseUpgrading AddressSpaceMoved",
        PAIRED,
        PASSES,
        "EnMasse is being upgraded; everything is kept, see [what is kept](what-happens-when.md#what-is-kept)",
        "wait; if the AddressSpace is gone for good, confirm with the annotation that the message names",
    ),
    *_listed(
        "MassDeletionHeld",
        PAIRED,
        ACT,
        "many AddressSpaces or Syndesis vanished at once; everything is kept",
        "restore them, or confirm with the command in the message",
    ),
    *_listed(
        "TemplateRefused",
        ANY,
        ACT,
        "the template of a document is refused for this pair",
        "the administrator corrects the file at the line that the message names",
    ),
    # Of the AddressSpace
    *_listed(
        "AddressSpaceNotReady",
        SERVING,
        PASSES,
        "EnMasse does not report `status.isReady: true`; its own messages follow",
        "wait, or ask EnMasse's administrator",
    ),
    *_listed(
        "AddressSpaceMalformed",
        SERVING,
        ACT,
        "a host, port, certificate or name in it is invalid; the message names the field",
        "its owner corrects it",
    ),
    *_listed(
        "NoMessagingEndpoint",
        (*SERVING, *CONNECTION),
        ACT,
        "its status shows no endpoint of the service `messaging` with a host",
        "its owner adds such an endpoint",
    ),
    *_listed(
        "NoAuthenticationService",
        SERVING,
        ACT,
        "its authentication service has no users (`none`, `external`)",
        "its owner chooses another",
    ),
    *_listed("InvalidName", SERVING, ACT, "EnMasse cannot serve an AddressSpace of this name", "choose another name"),
    # Of the credential
    *_listed(
        "SecretNotFound",
        CREDENTIALS,
        ACT,
        "your Secret does not exist, or lacks the label without which the operator does not read it",
        "create or label it",
    ),
    *_listed(
        "SecretMalformed", CREDENTIALS, ACT, "a key is missing, empty, too long or not UTF-8 text", "correct the Secret"
    ),
    *_listed(
        "SecretNotReleased",
        CREDENTIALS,
        ACT,
        "the AddressSpace is in another namespace, where others may read the password, and the Secret's annotation "
        "`integreatly.org/address-space` does not name it",
        "annotate the Secret; separate several AddressSpaces by commas",
    ),
    *_listed("SecretGenerated", CREDENTIALS, ACT, "the operator generated the Secret", "name your own Secret"),
    *_listed(
        "UsernameInvalid",
        CREDENTIALS,
        ACT,
        "EnMasse does not accept the user name, or it looks like a generated one",
        "choose another",
    ),
    *_listed(
        "UsernameTaken NameTaken",
        ANY,
        ACT,
        "an object that was not created for this pair has the name; it is left alone",
        "choose another, or ask its owner to rename or delete it",
    ),
    *_listed(
        "UsernameNotProvable",
        CREDENTIALS,
        ACT,
        "EnMasse up to 0.30 does not show who created a user",
        "use the user name in the message; the password may be your own",
    ),
    # Of the user
    *_listed("UserPending", REMOTE_USER, PASSES, "EnMasse has not applied the MessagingUser yet"),
    *_listed("UserTerminating", REMOTE_USER, PASSES, "a MessagingUser of this name is being deleted"),
    *_listed("Waiting", (*SIDES, "Rotating"), PASSES, "it waits for the condition that the message names"),
    *_listed("UserFailed", REMOTE_USER, ACT, "EnMasse's own message says what is wrong", "as EnMasse says"),
    *_listed(
        "AuthorizationNotAllowed",
        USER,
        ACT,
        "`spec.authorization` requests more than the giver allows to other namespaces",
        "request less, or the giver adds it to `integreatly.org/allowed-operations`",
    ),
    *_listed(
        "MessagingUserNotServed",
        REMOTE_USER,
        ACT,
        "the cluster does not serve the kind",
        "the administrator installs EnMasse, or uses users in Keycloak",
    ),
    *_listed(
        "DeliveryPending",
        (*CREDENTIALS, *REMOTE_USER),
        ACT,
        "another delivery of the user needs another user name, and yours is fixed",
        "put another user name into your Secret",
    ),
    *_listed(
        "KeycloakUnavailable",
        REMOTE_USER,
        PASSES,
        "Keycloak gives no answer that can be used; the operator tries again",
        "the administrator checks that it runs",
    ),
    *_listed(
        "AdminRefused AccessMissing",
        REMOTE_USER,
        ACT,
        "the admin's password is wrong, or the operator cannot read address or password",
        "the administrator checks EnMasse's namespace and `deploy/kustomize/keycloak`",
    ),
    *_listed("RealmMissing", REMOTE_USER, PASSES, "EnMasse has not created the realm yet"),
    *_listed(
        "RealmForeign",
        REMOTE_USER,
        ACT,
        "the AddressSpace names a realm that is not its own",
        "its owner removes the annotation",
    ),
    *_listed(
        "AttributesDropped",
        REMOTE_USER,
        ACT,
        "the realm drops what EnMasse needs on its users",
        "the administrator allows unmanaged attributes",
    ),
    *_listed(
        "KeycloakRefused",
        REMOTE_USER,
        ACT,
        "the realm's rules do not allow the name or the password",
        "choose another",
    ),
    # Of the connection
    *_listed(
        "ConnectionPending",
        CONNECTION,
        PASSES,
        "Syndesis has not taken the Connection yet; it never does if no controller reconciles Connections",
    ),
    *_listed("ConnectionTerminating", CONNECTION, PASSES, "a Connection of this name is being deleted"),
    *_listed(
        "ConnectionFailed",
        CONNECTION,
        ACT,
        "the message of the controller that reconciles the Connection says what is wrong",
        "as it says",
    ),
    *_listed(
        "ConnectionNotServed",
        CONNECTION,
        ACT,
        "the cluster does not serve the kind",
        "the administrator applies `deploy/kustomize/crds`, or set `spec.delivery.connection` to `rest`",
    ),
    *_listed(
        "SyndesisNotInstalled",
        (*USER, *CONNECTION),
        PASSES,
        "the Syndesis is not installed yet",
        "check its own status",
    ),
    *_listed(
        "NoSyndesis", OF_A_CONNECTION, PASSES, "no Syndesis is installed in the namespace of the Connection", "wait"
    ),
    *_listed(
        "SyndesisDuplicate",
        (*USER, *CONNECTION),
        ACT,
        "the Syndesis is a second one in its namespace",
        "delete one of them",
    ),
    *_listed(
        "TLSNotAvailable",
        (*SERVING, *CONNECTION),
        ACT,
        "the AddressSpace shows no CA or no TLS port any more, and the connection was delivered over TLS; the "
        "connection stays as it is",
        "its owner restores it, or set `spec.tls` to `disabled`",
    ),
    *_listed(
        "NoTLSPort NoPort",
        (*SERVING, *CONNECTION),
        ACT,
        "the AddressSpace has no port that may be used",
        "change `spec.tls`, or the AddressSpace",
    ),
    *_listed(
        "SyndesisUnavailable SyndesisFailed SyndesisStarting Unavailable",
        OVER_REST,
        PASSES,
        "Syndesis's server gives no answer that can be used; the operator tries again, and at once when the server "
        "answers any pair",
        "the owner of the Syndesis checks that it runs",
    ),
    *_listed(
        "SyndesisMalformed",
        OVER_REST,
        ACT,
        "an answer is not Syndesis's, or exceeds the [limits](security.md#limits)",
        "the owner of the Syndesis checks it",
    ),
    *_listed(
        "SyndesisRefused",
        OVER_REST,
        ACT,
        "Syndesis refuses the connection; the message names the rule and the field",
        "the administrator corrects the template",
    ),
    *_listed(
        "SyndesisAccessRefused",
        OVER_REST,
        ACT,
        "Syndesis does not accept the headers that it trusts",
        "the owner of the Syndesis checks if a proxy is in front of it",
    ),
    *_listed(
        "ConnectionNameTaken", OVER_REST, ACT, "another connection has the name", "rename or delete it in Syndesis"
    ),
    *_listed(
        "ConnectorMissing",
        OVER_REST,
        PASSES,
        "the connector does not exist (yet); no password is sent",
        "wait until Syndesis has started",
    ),
    *_listed(
        "ConnectorUnfit ConnectorChanged",
        OVER_REST,
        ACT,
        "the connector would store the password in plain text; no password is sent",
        "the owner of the Syndesis repairs its connector",
    ),
    *_listed(
        "SyndesisLostWrite SyndesisRaced",
        OVER_REST,
        PASSES,
        "another client wrote at the same moment; the operator tries again",
    ),
    *_listed(
        "SyndesisIdUnusable ConnectionIdAmbiguous",
        OVER_REST,
        ACT,
        "the id of an adopted connection cannot be used",
        "delete that connection in Syndesis",
    ),
    *_listed(
        "ValueMissing",
        OVER_REST,
        PASSES,
        "a Secret or ConfigMap that the template or the Connection names lacks a key",
        "add it, unless another component does",
    ),
    # Of any of them
    *_listed(
        "ObjectContested",
        ANY,
        ACT,
        "another client deletes an object of the pair again and again",
        "stop it, or disable the Integration",
    ),
    *_listed(
        "FieldContested",
        ANY,
        ACT,
        "another controller changes our fields again and again",
        "stop it from writing there",
    ),
    *_listed(
        "Forbidden Invalid",
        ANY,
        ACT,
        "the API server refuses a write; the operator tries again within two minutes until it succeeds. Other reasons "
        "of the API server or of a webhook mean the same",
        "correct the quota, policy, webhook or role",
    ),
    *_listed(
        "NoAnswer ConnectionLost Closed NotJSON Unreadable TooLarge Unauthorized ServerError ServiceUnavailable "
        "TooManyRequests Timeout ServerTimeout",
        ANY,
        PASSES,
        "the API server gives no answer, or none that can be used; the operator tries again",
    ),
    *_listed(
        "PathUnusable DeliveryNotAvailable Defect", ANY, ACT, "a fault of the operator; its log has more", "report it"
    ),
    # Of conditions that Ready does not depend on
    *_listed(
        "NativeUserNativeConnection NativeUserRestConnection AggregatedUserNativeConnection "
        "AggregatedUserRestConnection KeycloakUserNativeConnection KeycloakUserRestConnection "
        "NativeUser AggregatedUser KeycloakUser",
        ("DeliveryChosen",),
        INFORMATIVE,
        "how user and connection are delivered; the message says why",
    ),
    *_listed(
        "KeycloakNotAllowed",
        ("DeliveryChosen",),
        INFORMATIVE,
        "`spec.delivery.user: keycloak` has no effect",
        "the administrator sets `allow_keycloak`",
    ),
    *_listed("Verified", ("ConnectionVerified",), INFORMATIVE, "Syndesis tried the connection, and it works"),
    *_listed(
        "VerificationFailed",
        ("ConnectionVerified",),
        INFORMATIVE,
        "Syndesis tried the connection, and it does not work",
        "as the message says",
    ),
    *_listed(
        "VerifierUnavailable VerificationUnsupported NotTried",
        ("ConnectionVerified",),
        INFORMATIVE,
        "Syndesis could not try it",
    ),
    *_listed(
        "Scheduled Rotated",
        ("Rotating",),
        INFORMATIVE,
        "there is one user; the message says when the last and the next rotation are",
    ),
    *_listed(
        "Preparing", ("Rotating",), INFORMATIVE, "the next user is being created; the connection has the one in use"
    ),
    *_listed("Moving", ("Rotating",), INFORMATIVE, "the connection changes to the new user"),
    *_listed(
        "Overlap",
        ("Rotating",),
        INFORMATIVE,
        "the connection has the new user, and the earlier one remains",
        "publish integrations that run again, or restart workloads that use the Secret",
    ),
    *_listed("Ending", ("Rotating",), INFORMATIVE, "the earlier user is being deleted"),
    *_listed(
        "ProvidedCredential",
        ("Rotating",),
        INFORMATIVE,
        "your own Secret holds the credential",
        "change user name and password there",
    ),
    *_listed("Removing", ("Reconciling",), PASSES, "it is disabled, and what was delivered is being deleted"),
)

EFFECTS = {reason.name: reason.effect for reason in REASONS}


def effect_of(reason: str) -> Effect:
    """Return what a reason asks for. One that is not listed came from the API server, and needs a user."""
    return EFFECTS.get(reason, Effect.USER)


BY_NAME = {reason.name: reason for reason in reversed(REASONS)}


def next_step_of(reason: str) -> str:
    """Return what is done about a reason, empty if there is nothing to do. One not listed is like ``Forbidden``."""
    return BY_NAME.get(reason, BY_NAME["Forbidden"]).next_step
