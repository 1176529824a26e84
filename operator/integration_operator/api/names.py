"""Every name that other programs, and users, can see.

They are a contract: a label selector, a GitOps repository or a runbook may depend on each of them. So they stand in one
place, and a change here is a change of the product.
"""

from __future__ import annotations

from typing import Final

# The kinds of ours

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

# On everything we make

FIELD_MANAGER: Final = "integration-operator"
"""The command, the field manager of every apply, and the value of `MANAGED_BY_LABEL`."""

FINALIZER_MANAGER: Final = "integration-operator-finalizer"
"""The field manager of our finalizer alone, which also stands on Integrations that a user wrote."""

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"

INTEGRATION_LABEL: Final = "integreatly.org/integration"
"""Names the pair. A label holds 63 characters; the two annotations below hold the pair in full."""

ADDRESS_SPACE_ANNOTATION: Final = "integreatly.org/address-space"
"""`namespace/name` of the AddressSpace a child was made for."""

SYNDESIS_ANNOTATION: Final = "integreatly.org/syndesis"
"""`namespace/name` of the Syndesis a child was made for."""

DELETION_POLICY: Final = "integreatly.org/deletion-policy"
"""`Delete` or `Retain`, on a child: what becomes of it is known even when its Integration is gone."""

# What users write

ALLOWED_NAMESPACES: Final = "integreatly.org/allowed-namespaces"
"""On an AddressSpace: the namespaces that may use it, as names or patterns (`team-*`) between commas."""

ALLOWED_OPERATIONS: Final = "integreatly.org/allowed-operations"
"""On an AddressSpace: the operations that other namespaces may ask for, between commas; `send,recv` if it is absent."""

ACCEPT_FROM: Final = "integreatly.org/accept-from"
"""On a Syndesis: the namespaces whose AddressSpaces may be offered to it, as names or patterns; absent: all that allow
it."""

ENABLE_NEW: Final = "integreatly.org/enable-new"
"""With the value `true`: Integrations start enabled. On an AddressSpace those of its own namespace, on a Syndesis all
that are offered to it: across namespaces only the receiver enables."""

CONNECTION_DELIVERY: Final = "integreatly.org/connection-delivery"
"""On a Syndesis, with the value `native`: something reconciles Connections in its namespace."""

ROTATE: Final = "integreatly.org/rotate"
"""On an Integration: a new value, whatever it is, asks for a new credential now."""

CONFIRM_DELETION: Final = "integreatly.org/confirm-deletion"
"""On an Integration, with the value `true`: a user releases it from the guard against mass deletion."""

# What we write on kinds of ours

PLACEHOLDER_LABEL: Final = "integreatly.org/placeholder"
"""On the CustomResourceDefinition of Connection, with the value `true`: it is ours, and Syndesis does not serve it."""

REST_STATE_FINALIZER: Final = "integreatly.org/rest-state"
"""On an Integration, only while state exists that was made over REST and that no garbage collector can reach."""

# The credential Secret

HANDED_OVER: Final = "integreatly.org/handed-over"
"""On a Connection, with the value `rest`: its deletion is no reason to delete the connection in Syndesis."""

USERNAME_KEY: Final = "username"
PASSWORD_KEY: Final = "password"  # noqa: S105 - the name of a key, not a password

# The environment

ENV_PREFIX: Final = "INTEGRATION_OPERATOR_"

# Names that EnMasse and Syndesis gave

ENMASSE_REALM: Final = "enmasse.io/realm-name"
"""On an AddressSpace: its Keycloak realm. A tenant can write it, so it is checked before anything is done there."""

ENMASSE_CREATED_BY: Final = "enmasse.io/created-by"
SYNDESIS_CREATED_BY: Final = "syndesis.io/created-by"
