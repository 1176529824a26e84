"""AddressSpaces and Syndesis instances in one form, for every release and every source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from integration_operator.domain.model.pair import ConsumerKind
from integration_operator.domain.model.patterns import NamespacePatterns
from integration_operator.runtime.ref import ObjectReference, Ref

NO_NAMESPACE = NamespacePatterns()

DEFAULT_OPERATIONS = frozenset({"send", "recv"})
"""Operations that other namespaces may ask for, unless the AddressSpace's owner says otherwise."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The ``messaging`` endpoint of an AddressSpace inside the cluster; ports by name (``amqp``, ``amqps``)."""

    host: str
    ports: tuple[tuple[str, int], ...]

    def port(self, name: str) -> int | None:
        """Return the port with a name. Their order in the status is not stable: only the name identifies a port."""
        return dict(self.ports).get(name)


@dataclass(frozen=True, slots=True)
class AddressSpace:
    """An AddressSpace, as far as the operator needs it.

    ``can_own`` is False if the uid does not outlive an upgrade of EnMasse, because the kind is not watched.
    ``certificate`` is the CA of the endpoint as PEM. ``authentication`` is the name of the authentication service, or
    its type if the spec has no name (EnMasse up to 0.26); ``authentication_type`` is the type in the spec.
    ``allowed_operations`` bound what Integrations of other namespaces may ask for. ``defects`` are facts that are
    present but unusable.
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


class Consumer(Protocol):
    """What may use an AddressSpace, as far as the pairing rules need it."""

    @property
    def kind(self) -> ConsumerKind:
        """Its kind."""

    @property
    def ref(self) -> Ref:
        """Its namespace and name."""

    @property
    def created_by(self) -> str | None:
        """The user who created it, as far as its platform says so."""

    @property
    def accept_from(self) -> NamespacePatterns | None:
        """The namespaces whose AddressSpaces it accepts, None for all."""


@dataclass(frozen=True, slots=True)
class Binding:
    """An Integration as the consumer of what it delivers. Its author names the AddressSpace, and so accepts it."""

    ref: Ref
    kind: ClassVar[ConsumerKind] = "Integration"
    created_by: ClassVar[None] = None
    accept_from: ClassVar[None] = None


@dataclass(frozen=True, slots=True)
class Syndesis:
    """A Syndesis instance, as far as the operator needs it.

    ``native_connections`` means that an annotation says that something reconciles its Connections. ``accept_from`` are
    the namespaces whose AddressSpaces it accepts, None for all. ``enable_new`` enables Integrations when they are
    offered.
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
    kind: ClassVar[ConsumerKind] = "Syndesis"

    @property
    def reference(self) -> ObjectReference:
        """The object that Events are about."""
        return ObjectReference(self.api_version, "Syndesis", self.ref, self.uid)
