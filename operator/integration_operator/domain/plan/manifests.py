"""The input of the templates: the variables that they get, and the identity that they must not change.

docs/reference/template-variables.md documents the variables. The four templates get the same ones, except that
``credential`` is set only if there is a credential, and ``transport`` only for the Connection and the Secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace, Syndesis
from integration_operator.domain.policies.authorization import DEFAULT_OPERATIONS
from integration_operator.domain.policies.ownership import CONSUMER_ANNOTATIONS
from integration_operator.domain.policies.readiness import Transport
from integration_operator.runtime.ref import Ref

Document = dict[str, Any]
TemplateName = Literal["integration", "secret", "messaginguser", "connection"]
OwnerReference = dict[str, Any]

DEFAULT_AUTHORIZATION: tuple[Document, ...] = ({"operations": list(DEFAULT_OPERATIONS), "addresses": ["*"]},)
"""Send and receive everywhere: ``*`` means every address in all releases and both types of AddressSpace."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What identifies the desired document. A template that changes any of it is refused."""

    api_version: str
    kind: str
    ref: Ref
    labels: dict[str, str]
    annotations: dict[str, str]
    owners: tuple[OwnerReference, ...]


class TemplateRefused(Exception):
    """A template produced a document that must not be used; the message says file, line and reason."""


class Templates(Protocol):
    """Rendering as plans need it: pure, and the same for the operator and for the offline commands."""

    def render(self, name: TemplateName, identity: Identity, variables: Document) -> Document:
        """Return the rendered document. Raises ``TemplateRefused``."""


def owner_reference(api_version: str, kind: str, name: str, uid: str) -> OwnerReference:
    """Return an owner reference without ``blockOwnerDeletion``.

    With it, foreground deletion of an AddressSpace whose users hang never ends (observed on EnMasse 0.33.1), and
    OpenShift asks for one more permission.
    """
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "blockOwnerDeletion": False}


def owner_of_integration(pair: Pair, space: AddressSpace, syndesis: Syndesis) -> OwnerReference:
    """Return the owner of an Integration: the AddressSpace if it is in the same namespace, else the Syndesis."""
    if not pair.crosses_namespaces and space.can_own:
        return owner_reference(space.api_version, "AddressSpace", space.ref.name, space.uid)
    return owner_reference(syndesis.api_version, "Syndesis", syndesis.ref.name, syndesis.uid)


def owners_in_consumer_namespace(integration: Integration, *, retain: bool) -> tuple[OwnerReference, ...]:
    """Return the owners of a Secret or Connection: the Integration, unless its children outlive it (``retain``)."""
    if retain:
        return ()
    document = integration.live.document
    return (owner_reference(document["apiVersion"], "Integration", integration.ref.name, integration.live.uid),)


def owners_of_user(space: AddressSpace) -> tuple[OwnerReference, ...]:
    """Return the owners of a MessagingUser: the AddressSpace, if its uid outlives an upgrade of EnMasse."""
    if not space.can_own:
        return ()
    return (owner_reference(space.api_version, "AddressSpace", space.ref.name, space.uid),)


def identity(
    pair: Pair, api_version: str, kind: str, ref: Ref, owners: tuple[OwnerReference, ...], *, retain: bool = False
) -> Identity:
    """Return the identity of a document for a pair, with the labels and annotations that all our objects carry."""
    annotations = {names.ADDRESS_SPACE_ANNOTATION: str(pair.space), CONSUMER_ANNOTATIONS[pair.kind]: str(pair.consumer)}
    if retain:
        annotations[names.DELETION_POLICY] = "Retain"
    labels = {
        names.MANAGED_BY_LABEL: names.FIELD_MANAGER,
        names.INTEGRATION_LABEL: naming.integration_label(pair),
    }
    return Identity(api_version, kind, ref, labels, annotations, owners)


def variables(
    pair: Pair,
    space: AddressSpace,
    syndesis: Syndesis | None,
    *,
    integration: Integration | None = None,
    credential: Credential | None = None,
    enabled: bool = False,
) -> Document:
    """Return the variables of a template, without ``metadata``, which the identity provides."""
    spec = integration.spec if integration else None
    rules = [rule.model_dump(by_alias=True, exclude_none=True) for rule in (spec and spec.authorization) or ()]
    variables: Document = {
        "space": {
            "namespace": space.ref.namespace,
            "name": space.ref.name,
            "uid": space.uid,
            "realm": space.realm,
        },
        "syndesis": syndesis and {"namespace": syndesis.ref.namespace, "name": syndesis.ref.name, "uid": syndesis.uid},
        "integration": {
            "namespace": pair.consumer.namespace,
            "consumer": "binding" if pair.is_binding else "syndesis",
            "name": integration.ref.name if integration else naming.integration_name(pair),
            "enabled": integration.enabled if integration else enabled,
        },
        "authorization": rules or list(DEFAULT_AUTHORIZATION),
        "secret": _secret(pair, integration),
    }
    if credential is not None:
        variables["credential"] = {"username": credential.username, "password": credential.password}
    return variables


def transport_variables(transport: Transport | None) -> Document:
    """Return the variable ``transport``, which is None as long as the way to the broker is not known."""
    if transport is None:
        return {"transport": None}
    return {
        "transport": {
            "scheme": transport.scheme,
            "host": transport.host,
            "port": transport.port,
            "server": transport.server,
            "uri": transport.uri,
            "certificate": transport.certificate,
        }
    }


def _secret(pair: Pair, integration: Integration | None) -> Document:
    """Return the Secret that holds the credential: the one that a user provides, else ours."""
    reference = integration.spec.credentials_secret_ref if integration else None
    return {
        "name": reference.name if reference else naming.secret_name(pair),
        "usernameKey": (reference and reference.username_key) or names.USERNAME_KEY,
        "passwordKey": (reference and reference.password_key) or names.PASSWORD_KEY,
    }
