"""AddressSpace and Syndesis, normalised: one shape for every release and every way of reading them."""

from __future__ import annotations

from dataclasses import dataclass, field

from integration_operator.domain.pair import Ref


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
    ``defects`` are facts that are there but unusable.
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
    allowed_namespaces: tuple[str, ...] = ()
    enable_new: bool = False
    messages: tuple[str, ...] = ()
    defects: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Syndesis:
    """What the operator needs to know of a Syndesis instance.

    ``native_connections`` is True where it is annotated that something reconciles Connections for it.
    """

    ref: Ref
    uid: str
    api_version: str
    deleting: bool = False
    phase: str = ""
    status_reason: str = ""
    created_by: str | None = None
    native_connections: bool = False
