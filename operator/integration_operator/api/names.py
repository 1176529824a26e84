"""All public names: labels, annotations, kinds, keys and environment variables.

They are a contract: label selectors, GitOps repositories and runbooks depend on them. A change needs a line in the
changelog.
"""

from __future__ import annotations

from typing import Final

# Kinds

INTEGRATION_GROUP: Final = "integreatly.org"
INTEGRATION_VERSION: Final = "v1alpha1"
INTEGRATION_API_VERSION: Final = f"{INTEGRATION_GROUP}/{INTEGRATION_VERSION}"
INTEGRATION_KIND: Final = "Integration"
INTEGRATION_PLURAL: Final = "integrations"

CONNECTION_GROUP: Final = "syndesis.io"
CONNECTION_VERSION: Final = "v1alpha1"
CONNECTION_API_VERSION: Final = f"{CONNECTION_GROUP}/{CONNECTION_VERSION}"
CONNECTION_KIND: Final = "Connection"
CONNECTION_PLURAL: Final = "connections"

# On all objects of the operator

FIELD_MANAGER: Final = "integration-operator"
"""The command, the field manager of every apply, and the value of `MANAGED_BY_LABEL`."""

FINALIZER_MANAGER: Final = "integration-operator-finalizer"
"""The field manager of our finalizer only, which is also set on Integrations of users."""

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
"""On all objects that the operator created: `integration-operator`."""

INTEGRATION_LABEL: Final = "integreatly.org/integration"
"""On a child: identifies the pair. A label has at most 63 characters; the annotations have the full names. On a
Secret of a user, with any value: Integrations of its namespace may use it."""

ADDRESS_SPACE_ANNOTATION: Final = "integreatly.org/address-space"
"""On a child: `namespace/name` of its AddressSpace. On a Secret of a user: the AddressSpace of another namespace
for which it may be used."""

SYNDESIS_ANNOTATION: Final = "integreatly.org/syndesis"
"""On a child: `namespace/name` of its Syndesis."""

BINDING_ANNOTATION: Final = "integreatly.org/binding"
"""On a child of a binding, in place of `SYNDESIS_ANNOTATION`: `namespace/name` of its Integration."""

DELETION_POLICY: Final = "integreatly.org/deletion-policy"
"""On a child: `Delete` or `Retain`. It is still known when the Integration no longer exists."""

# Written by users

ALLOWED_NAMESPACES: Final = "integreatly.org/allowed-namespaces"
"""On an AddressSpace: the namespaces that may use it, as names or patterns (`team-*`), separated by commas."""

ALLOWED_OPERATIONS: Final = "integreatly.org/allowed-operations"
"""On an AddressSpace: the operations that other namespaces may request, separated by commas. Default: `send,recv`."""

ACCEPT_FROM: Final = "integreatly.org/accept-from"
"""On a Syndesis: the namespaces whose AddressSpaces may be offered to it, as names or patterns. Default: all that allow
it."""

ENABLE_NEW: Final = "integreatly.org/enable-new"
"""With the value `true`: new Integrations are enabled. On an AddressSpace this applies to its own namespace, on a
Syndesis to all offers: across namespaces only the receiver enables."""

CONNECTION_DELIVERY: Final = "integreatly.org/connection-delivery"
"""On a Syndesis, with the value `native`: a controller reconciles Connections in its namespace."""

ROTATE: Final = "integreatly.org/rotate"
"""On an Integration: a new value requests a new credential."""

CONFIRM_DELETION: Final = "integreatly.org/confirm-deletion"
"""On an Integration, with the value `true`: a user confirms a deletion that the mass deletion guard holds."""

# Written by the operator

PLACEHOLDER_LABEL: Final = "integreatly.org/placeholder"
"""On the CustomResourceDefinition of Connection, with the value `true`: it is the operator's, not one of Syndesis."""

PROVISIONED_SERVICE_LABEL: Final = "servicebinding.io/provisioned-service"
"""On the CustomResourceDefinition of Integration, with the value `true`: it is a Provisioned Service (Service Binding
specification 1.1)."""

REST_STATE_FINALIZER: Final = "integreatly.org/rest-state"
"""On an Integration, only while it has state over REST, which the garbage collector cannot delete."""

REST_USER: Final = "integreatly.org/rest-user"
"""On an Integration, beside the finalizer: `<delivery>/<user name>` of a login that was about to be created."""

CONNECTION_FINALIZER: Final = "integreatly.org/connection"
"""On a Connection that the connection controller reconciles, until the connection in Syndesis is deleted."""

HANDED_OVER: Final = "integreatly.org/handed-over"
"""On a Connection, with the value `rest`: its deletion does not delete the connection in Syndesis."""

# The credential Secret

USERNAME_KEY: Final = "username"
PASSWORD_KEY: Final = "password"  # noqa: S105 - the name of a key, not a password

NEXT_USERNAME_KEY: Final = "next-username"
NEXT_PASSWORD_KEY: Final = "next-password"  # noqa: S105 - the name of a key, not a password
"""During a rotation, until its user can log in: the credential that replaces the one in use."""

PREVIOUS_USERNAME_KEY: Final = "previous-username"
"""After the credential changed, until that user is deleted: the user that the credential in use replaced."""

ROTATED_AT_KEY: Final = "rotated-at"
"""The time of the last rotation (RFC 3339)."""

ROTATION_REQUEST_KEY: Final = "rotation-request"
"""A hash of the value of `ROTATE` that was followed last."""

RECORD_KEYS: Final = frozenset(
    {NEXT_USERNAME_KEY, NEXT_PASSWORD_KEY, PREVIOUS_USERNAME_KEY, ROTATED_AT_KEY, ROTATION_REQUEST_KEY}
)
"""The keys that record a rotation."""

# The environment

ENV_PREFIX: Final = "INTEGRATION_OPERATOR_"

# Names of EnMasse and Syndesis

ENMASSE_REALM: Final = "enmasse.io/realm-name"
"""On an AddressSpace: its Keycloak realm. A tenant can write it, so the realm is verified before use."""

ENMASSE_CREATED_BY: Final = "enmasse.io/created-by"
"""On an AddressSpace: its creator. Only the pairing rule `created-by` reads it."""

SYNDESIS_CREATED_BY: Final = "syndesis.io/created-by"
"""On a Syndesis: its creator, which a tenant can write. Only the pairing rule `created-by` reads it."""
