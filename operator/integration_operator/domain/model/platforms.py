"""AddressSpace and Syndesis, normalised: one shape for every release and every way of reading them."""

from __future__ import annotations

from dataclasses import dataclass, field

from integration_operator.domain.model.patterns import NamespacePatterns
from integration_operator.runtime.ref import ObjectReference, Ref

NO_NAMESPACE = NamespacePatterns()

DEFAULT_OPERATIONS = frozenset({"send", "recv"})
"""What another namespace may ask for if the AddressSpace's owner does not say."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an AddressSpace's ``messaging`` endpoint listens inside the cluster; ports by name (``amqp``,
    ``amqps``).
    """

    host: str
    ports: tuple[tuple[str, int], ...]

    def port(self, name: str) -> int | None:
        """The port of that name; their order in the status is not stable, so nothing else identifies one."""
        return dict(self.ports).get(name)


@dataclass(frozen=True, slots=True)
class AddressSpace:
    """What the operator needs to know of an AddressSpace.

    ``can_own`` is False where the uid does not outlive an upgrade of EnMasse (spaces not read from a watched kind).
    ``certificate`` is the CA of the endpoint as PEM. ``authentication`` is the name of the authentication service, or
    its type if the spec has no name (EnMasse ≤ 0.26); ``authentication_type`` is the type that the spec says itself.
    ``allowed_operations`` is what Integrations of other namespaces may ask for. ``defects`` are facts that are there
    but unusable.
    """

    ref: Ref
    uid: str
    api_version: str
    deleting: bool = False
    can_own: bool = True
    brokered: bool = False
    ready: bool = False
    endpoint: Endpoint | None = None
    certificate: str | None = None
    authentication: str | None = None
    authentication_type: str | None = None
    realm: str | None = None
    created_by: str | None = None
    allowed_namespaces: NamespacePatterns = NO_NAMESPACE
    allowed_operations: frozenset[str] = DEFAULT_OPERATIONS
    enable_new: bool = False
    messages: tuple[str, ...] = ()
    defects: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Syndesis:
    """What the operator needs to know of a Syndesis instance.

    ``native_connections`` is True if it is annotated that something reconciles Connections for it. ``accept_from`` are
    the namespaces whose AddressSpaces it accepts, None for all. ``enable_new`` says that what is offered to it starts
    enabled.
    """

    ref: Ref
    uid: str
    api_version: str
    deleting: bool = False
    phase: str = ""
    status_reason: str = ""
    created_by: str | None = None
    native_connections: bool = False
    accept_from: NamespacePatterns | None = None
    enable_new: bool = False

    @property
    def reference(self) -> ObjectReference:
        """The object that Events are about."""
        return ObjectReference(self.api_version, "Syndesis", self.ref, self.uid)
