"""What was delivered for an Integration, read with a user's own rights: endpoint, CA and credential."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from integration_operator.api import names
from integration_operator.api.connection import ConnectionSpec
from integration_operator.cli.failure import NO_CLUSTER, NO_PAIR, fail
from integration_operator.cli.following import described_summary
from integration_operator.domain.model import naming
from integration_operator.domain.model.credential import Credential, credential_of_secret, decode
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.policies.integrations import parse_integration, specified_pair
from integration_operator.messaging import Operation
from integration_operator.messaging.uri import Server, parse_uri
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref

if TYPE_CHECKING:
    from integration_operator.runtime.client import Client
    from integration_operator.runtime.resources import Resource

Document = dict[str, Any]

NO_CA = "the CAs of this machine"


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """The Secret with the credential, and its keys."""

    ref: Ref
    username: str = names.USERNAME_KEY
    password: str = names.PASSWORD_KEY


@dataclass(frozen=True, slots=True)
class Delivery:
    """The connection of an Integration as it was delivered. ``ca`` is PEM; ``ca_source`` says which object it is of."""

    integration: Integration
    server: Server
    secret: SecretKeys
    ca: str | None = None
    ca_source: str = NO_CA

    def operations(self, address: str) -> tuple[Operation, ...]:
        """Return what ``spec.authorization`` allows at an address: send, receive, or both without such rules."""
        rules = self.integration.spec.authorization
        granted = {o for rule in rules or () if _covers(rule.addresses or (), address) for o in rule.operations}
        chosen = [operation for operation in ("send", "recv") if operation in granted]
        return cast(tuple[Operation, ...], tuple(chosen) or ("send", "recv"))


def _covers(patterns: tuple[str, ...], address: str) -> bool:
    """Check if EnMasse's patterns cover an address: an exact name, or a beginning before ``*`` or ``#``."""
    return any(p == address or (p[-1:] in "*#" and address.startswith(p[:-1])) for p in patterns)


async def read_delivery(client: Client, ref: Ref, *, external: bool = False) -> Delivery:
    """Return what was delivered for an Integration; end the command if that cannot be found out.

    ``external`` chooses the endpoint for clients outside the cluster, which only the AddressSpace shows.
    """
    from integration_operator import resources
    from integration_operator.cli.reading import served_integrations

    await served_integrations(client)
    document, why = await _get(client, resources.INTEGRATION, ref)
    if document is None and why:
        fail(f"you may not read Integration {ref}: ask for the right to get it", NO_CLUSTER)
    if document is None:
        fail(f'no Integration "{ref.name}" in namespace {ref.namespace}', NO_PAIR)
    integration = parse_integration(document)
    if integration.is_binding:
        delivery = await _read_binding(client, integration)
        return await _external(client, delivery) if external else delivery
    spec = await _connection_spec(client, integration)
    properties = (spec.configured_properties if spec else None) or {}
    uri = properties.get("connectionUri") or integration.delivered_uri
    server = _server(integration, uri, "connection")
    delivery = Delivery(integration, server, _secret_keys(integration, spec))
    if certificate := properties.get("brokerCertificate"):
        delivery = replace(delivery, ca=certificate, ca_source=f"Connection {_connection_ref(integration)}")
    if external:
        return await _external(client, delivery)
    if spec is None and server.tls:
        return await _with_ca_of_space(client, delivery)
    return delivery


def _server(integration: Integration, uri: str | None, what: str) -> Server:
    """Return the broker that a URI names; end the command if there is none. ``what`` is where the URI is."""
    if not uri:
        state = described_summary(integration) if integration.enabled else "it is not enabled"
        fail(f"Integration {integration.ref} has no {what} yet: {state}", NO_PAIR)
    try:
        return parse_uri(uri)
    except ValueError as error:
        fail(f"the address in the {what} of Integration {integration.ref} cannot be tested: {error}", NO_PAIR)


async def _read_binding(client: Client, integration: Integration) -> Delivery:
    """Return what was delivered for a binding: URI and CA are those in its Secret, if the user may read it.

    Whoever writes the status must not choose which Secret is used: its name follows from the pair.
    """
    from integration_operator import resources

    pair = specified_pair(integration)
    if pair is None:
        fail(f"Integration {integration.ref} has no credential yet", NO_PAIR)
    ref = naming.secret_ref(pair)
    document, why = await _get(client, resources.SECRET, ref)
    data = (document or {}).get("data") or {}
    uri = integration.delivered_uri if why else decode(data.get("uri"))
    delivery = Delivery(integration, _server(integration, uri, "Secret"), SecretKeys(ref))
    if certificates := decode(data.get("certificates")):
        return replace(delivery, ca=certificates, ca_source=f"Secret {ref}")
    return await _with_ca_of_space(client, delivery) if why and delivery.server.tls else delivery


async def read_credential(client: Client, delivery: Delivery) -> Credential:
    """Return the credential in the Secret; end the command if the user may not read it."""
    from integration_operator import resources

    secret = delivery.secret
    document, why = await _get(client, resources.SECRET, secret.ref)
    if document is None and why:
        fail(
            f"you may not read Secret {secret.ref}: ask for the right to get it, or use --from-pod instead",
            NO_CLUSTER,
        )
    if document is None:
        fail(f"Secret {secret.ref} does not exist; the operator creates it again if it runs", NO_PAIR)
    live = LiveObject.of(document, names.FIELD_MANAGER)
    if names.INTEGRATION_LABEL not in live.labels:
        fail(
            f"Secret {secret.ref} lacks the label {names.INTEGRATION_LABEL}, without which it is not used; label it",
            NO_PAIR,
        )
    credential = credential_of_secret(live, username_key=secret.username, password_key=secret.password)
    if credential is None:
        fail(f"Secret {secret.ref} has no text under {secret.username} or {secret.password}", NO_PAIR)
    return credential


def _connection_ref(integration: Integration) -> Ref | None:
    """Return the Connection that was delivered; None over REST."""
    name = integration.delivered_side("connection").get("name")
    return Ref(integration.ref.namespace, str(name)) if name else None


async def _connection_spec(client: Client, integration: Integration) -> ConnectionSpec | None:
    """Return the spec of the delivered Connection; None if there is none, or the user may not read it."""
    from integration_operator import resources

    ref = _connection_ref(integration)
    document, _ = await _get(client, resources.CONNECTION, ref) if ref else (None, "")
    if document is None:
        return None
    try:
        return ConnectionSpec.model_validate(document.get("spec") or {})
    except ValidationError as error:
        first = error.errors()[0]
        fail(f"Connection {ref} is malformed: spec.{'.'.join(map(str, first['loc']))}: {first['msg']}", NO_PAIR)


def _secret_keys(integration: Integration, spec: ConnectionSpec | None) -> SecretKeys:
    """Return where the credential is. End the command if the Connection takes it from another Secret.

    Who may write a Connection, and no Secret, must not have another Secret's values sent to a host.
    """
    namespace = integration.ref.namespace
    keys = SecretKeys(Ref(namespace, str(integration.delivered.get("secretName") or "")))
    if (own := integration.spec.credentials_secret_ref) is not None:
        keys = SecretKeys(
            Ref(namespace, own.name), own.username_key or keys.username, own.password_key or keys.password
        )
    if not keys.ref.name:
        fail(f"Integration {integration.ref} has no credential yet", NO_PAIR)
    sources = {p.property: p.secret_key_ref for p in (spec.configured_properties_from if spec else None) or ()}
    username, password = sources.get("username"), sources.get("password")
    if username is None or password is None:
        return keys
    if others := {username.name, password.name} - {keys.ref.name}:
        fail(
            f"the Connection of Integration {integration.ref} takes its credential from Secret {min(others)}, and not "
            f"from {keys.ref.name}; wait until the operator has corrected it",
            NO_PAIR,
        )
    return SecretKeys(keys.ref, username.key, password.key)


async def _with_ca_of_space(client: Client, delivery: Delivery) -> Delivery:
    """Return the delivery with the CA that the AddressSpace shows: no object has the one that went to Syndesis."""
    from integration_operator.platforms.address_space import address_space

    document, why = await _address_space(client, delivery.integration)
    space = address_space(document) if document is not None else None
    if space is None or not space.certificate:
        return replace(
            delivery, ca_source=f"{NO_CA} ({why if space is None else f'AddressSpace {space.ref} has none'})"
        )
    return replace(delivery, ca=space.certificate, ca_source=f"AddressSpace {space.ref}")


async def _external(client: Client, delivery: Delivery) -> Delivery:
    from integration_operator.platforms.address_space import address_space, external_endpoint

    document, why = await _address_space(client, delivery.integration)
    if document is None:
        fail(f"--external needs the AddressSpace, and it was not read ({why}); use --from-pod or --connect", NO_CLUSTER)
    space, endpoint, tls = address_space(document), external_endpoint(document), delivery.server.tls
    port = endpoint.port("amqps" if tls else "amqp") if endpoint else None
    if endpoint is None or port is None:
        fail(
            f"AddressSpace {space.ref} shows no endpoint for clients outside the cluster; use --from-pod or --connect",
            NO_PAIR,
        )
    found = replace(delivery, server=Server(endpoint.host, port, tls))
    if found.ca is None and space.certificate:
        return replace(found, ca=space.certificate, ca_source=f"AddressSpace {space.ref}")
    return found


async def _address_space(client: Client, integration: Integration) -> tuple[Document | None, str]:
    """Return the AddressSpace that the spec names; None and why it was not read."""
    from integration_operator import resources

    reference = integration.spec.address_space_ref
    if reference is None:
        return None, "spec.addressSpaceRef is not set"
    ref = Ref(reference.namespace, reference.name)
    document, why = await _get(client, resources.ADDRESS_SPACE, ref)
    return document, why or f"AddressSpace {ref} was not found"


async def _get(client: Client, resource: Resource, ref: Ref) -> tuple[Document | None, str]:
    """Return an object. None if there is none, or it may not be read; the text says so in the second case."""
    from integration_operator.runtime.errors import Forbidden, NotFound
    from integration_operator.runtime.resources import discover

    served = await discover(client, resource)
    if served is None:
        return None, ""
    try:
        return await client.get(served.item(*ref)), ""
    except NotFound:
        return None, ""
    except Forbidden:
        return None, f"{resource.kind} {ref}: Forbidden"
