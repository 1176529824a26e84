"""A real API server takes both kinds, stores what the proof of concept stored, and refuses nonsense in plain words."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from integration_operator.api import connection, integration, names, schema
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import Invalid
from integration_operator_sandbox.controlplane import ControlPlane
from tests.support.documents import Document

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"

SPACE = {"namespace": "shop", "name": "orders"}
PROOF_OF_CONCEPT = {"serviceProvider": "fuse", "integrationType": "amqp", "client": "syndesis", "enabled": False}


class Resource:
    """The objects of one kind in a namespace of this test."""

    def __init__(self, client: Client, namespace: str, definition: schema.Definition) -> None:
        self.client = client
        self.api_version = f"{definition.group}/{definition.version}"
        self.kind = definition.kind
        self.path = f"/apis/{self.api_version}/namespaces/{namespace}/{definition.plural}"

    async def create(self, spec: Document | None, name: str = "one") -> Document:
        document: Document = {"apiVersion": self.api_version, "kind": self.kind, "metadata": {"name": name}}
        if spec is not None:
            document["spec"] = spec
        return await self.client.post(self.path, document, {"fieldValidation": "Strict"})

    async def change(self, patch: Document, *, under: str = "", name: str = "one") -> Document:
        return await self.client.patch(f"{self.path}/{name}{under}", patch)

    async def apply(self, spec: Document, manager: str, name: str = "one") -> Document:
        document = {"apiVersion": self.api_version, "kind": self.kind, "metadata": {"name": name}, "spec": spec}
        return await self.client.apply(f"{self.path}/{name}", document, manager=manager, force=False)


@pytest.fixture
async def client(control_plane: ControlPlane) -> AsyncIterator[Client]:
    async with Client.from_kubeconfig(control_plane.kubeconfig("admin")) as client:
        for document in schema.custom_resource_definitions():
            path = f"{CRDS}/{document['metadata']['name']}"
            query = {"fieldManager": names.FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
            await client.patch(path, document, query, content_type=APPLY)
            while _conditions(await client.get(path)).get("Established") != "True":
                await asyncio.sleep(0.05)
        yield client


@pytest.fixture
async def namespace(client: Client) -> AsyncIterator[str]:
    name = f"nonsense-{uuid.uuid4().hex[:8]}"
    await client.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    await client.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def integrations(client: Client, namespace: str) -> Resource:
    return Resource(client, namespace, schema.DEFINITIONS[0])


@pytest.fixture
def connections(client: Client, namespace: str) -> Resource:
    return Resource(client, namespace, schema.DEFINITIONS[1])


def _conditions(document: Document) -> dict[str, str]:
    return {c["type"]: c["status"] for c in document.get("status", {}).get("conditions", ())}


async def test_server_finds_nothing_wrong_with_the_schemas(client: Client) -> None:
    for document in schema.custom_resource_definitions():
        stored = await client.get(f"{CRDS}/{document['metadata']['name']}")
        assert _conditions(stored) == {"NamesAccepted": "True", "Established": "True"}


async def test_what_the_proof_of_concept_stored_is_stored_unchanged(integrations: Resource) -> None:
    name = "enmasse-orders-to-fuse"
    spec = {**PROOF_OF_CONCEPT, "service": "enmasse"}
    for status in (
        {"phase": "", "statusMessage": "", "metaData": None},
        {"phase": "complete", "statusMessage": "", "metaData": {"msgHost": "h", "realm": "r", "connectionID": "i"}},
    ):
        created = await integrations.create(spec, name)
        replaced = {**created, "status": status}
        await integrations.client.put(f"{integrations.path}/{name}/status", replaced)
        stored = await integrations.client.get(f"{integrations.path}/{name}")
        assert stored["spec"] == spec
        assert stored["status"] == status
        await integrations.client.delete(f"{integrations.path}/{name}")


async def test_an_empty_integration_is_accepted(integrations: Resource) -> None:
    assert "spec" not in await integrations.create(None)


async def test_null_is_a_field_left_out(integrations: Resource) -> None:
    stored = await integrations.create({"client": None, "enabled": True, "addressSpaceRef": None})
    assert stored["spec"] == {"enabled": True}


async def test_everything_that_the_spec_knows_is_accepted(integrations: Resource) -> None:
    spec = {
        **PROOF_OF_CONCEPT,
        "addressSpaceRef": SPACE,
        "delivery": {"user": "native", "connection": "auto"},
        "tls": "required",
        "authorization": [
            {"operations": ["send", "recv"], "addresses": ["orders/*", "returns"]},
            {"operations": ["manage", "view"]},
        ],
        "credentialsSecretRef": {"name": "mine", "usernameKey": "user", "passwordKey": "pass.word"},
        "rotation": {"every": "720h", "overlap": "1h30m"},
        "deletionPolicy": "Retain",
        "suspend": True,
    }
    assert (await integrations.create(spec))["spec"] == spec


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"serviceProvider": "smoke"}, 'supported values: "fuse"'),
        ({"integrationType": "http"}, 'supported values: "amqp"'),
        ({"client": "Not A Name"}, "spec.client"),
        ({"enabled": "yes"}, "spec.enabled"),
        ({"addressSpaceRef": {"name": "orders"}}, "spec.addressSpaceRef.namespace"),
        ({"addressSpaceRef": {"namespace": "shop/x", "name": "orders"}}, "spec.addressSpaceRef.namespace"),
        ({"delivery": {"user": "rest"}}, "spec.delivery.user"),
        ({"delivery": {"connection": "keycloak"}}, "spec.delivery.connection"),
        ({"tls": True}, "spec.tls"),
        ({"authorization": [{"operations": []}]}, "spec.authorization[0].operations"),
        ({"authorization": [{"operations": ["view", "view"]}]}, "Duplicate value"),
        ({"authorization": [{"operations": ["send"]}]}, integration.ADDRESSES_MISSING),
        ({"authorization": [{"operations": ["recv"], "addresses": []}]}, integration.ADDRESSES_MISSING),
        ({"credentialsSecretRef": {}}, "spec.credentialsSecretRef.name"),
        ({"rotation": {"every": "30d"}}, "spec.rotation.every"),
        ({"rotation": {"every": "0s"}}, integration.PERIOD_EMPTY),
        ({"rotation": {"every": "1h", "overlap": "60m"}}, integration.OVERLAP_TOO_LONG),
        ({"deletionPolicy": "Orphan"}, "spec.deletionPolicy"),
        ({"enabeld": True}, "unknown field"),
        ({"consumer": "camel"}, 'supported values: "syndesis", "binding"'),
        ({"consumer": "binding", "client": "syndesis"}, integration.BINDING_ALONE),
        ({"consumer": "binding", "serviceProvider": "fuse"}, integration.BINDING_ALONE),
        ({"consumer": "binding", "credentialsSecretRef": {"name": "own"}}, integration.BINDING_ALONE),
        ({"consumer": "binding", "delivery": {"connection": "auto"}}, integration.BINDING_ALONE),
    ],
    ids=str,
)
async def test_nonsense_is_refused_with_a_reason(integrations: Resource, spec: Document, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        await integrations.create(spec)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"spec": {"addressSpaceRef": {"name": "other"}}}, integration.ADDRESS_SPACE_FIXED),
        ({"spec": {"addressSpaceRef": None}}, integration.ADDRESS_SPACE_KEPT),
        ({"spec": {"client": "other"}}, integration.CLIENT_FIXED),
        ({"spec": {"client": None}}, integration.CLIENT_KEPT),
        ({"spec": {"client": ""}}, integration.CLIENT_KEPT),
        ({"spec": {"consumer": "binding"}}, integration.CONSUMER_FIXED),
    ],
    ids=str,
)
async def test_the_pair_of_an_integration_cannot_be_changed(
    integrations: Resource, patch: Document, message: str
) -> None:
    await integrations.create({**PROOF_OF_CONCEPT, "addressSpaceRef": SPACE})
    with pytest.raises(Invalid) as refused:
        await integrations.change(patch)
    assert message in str(refused.value)
    assert refused.value.status == 422


async def test_the_pair_of_an_integration_cannot_be_removed_with_its_spec(integrations: Resource) -> None:
    await integrations.create({**PROOF_OF_CONCEPT, "addressSpaceRef": SPACE})
    with pytest.raises(Invalid) as refused:
        await integrations.change({"spec": None})
    assert integration.SPEC_KEPT in str(refused.value)


async def test_the_consumer_of_an_integration_cannot_be_changed(integrations: Resource) -> None:
    spec = {"consumer": "binding", "client": "", "integrationType": "amqp", "delivery": {"user": "keycloak"}}
    await integrations.create(spec)
    for patch, message in (
        ({"spec": {"consumer": "syndesis"}}, integration.CONSUMER_FIXED),
        ({"spec": {"consumer": None}}, integration.CONSUMER_FIXED),
        ({"spec": None}, integration.SPEC_KEPT),
    ):
        with pytest.raises(Invalid) as refused:
            await integrations.change(patch)
        assert message in str(refused.value)
    await integrations.change({"spec": {"addressSpaceRef": SPACE, "enabled": True}})
    await integrations.create({"client": "syndesis"}, "default")
    await integrations.change({"spec": {"consumer": "syndesis"}}, name="default")


async def test_what_a_person_left_out_can_be_filled_in(integrations: Resource) -> None:
    await integrations.create({"client": "", "enabled": True})
    await integrations.apply({"addressSpaceRef": SPACE, "serviceProvider": "fuse"}, names.FIELD_MANAGER)
    changed = await integrations.change({"spec": {"client": "syndesis"}})
    assert changed["spec"] == {
        "addressSpaceRef": SPACE,
        "client": "syndesis",
        "enabled": True,
        "serviceProvider": "fuse",
    }


async def test_a_persons_apply_does_not_take_back_what_the_operator_filled_in(integrations: Resource) -> None:
    await integrations.apply({"enabled": False}, "kubectl")
    await integrations.apply({"addressSpaceRef": SPACE}, names.FIELD_MANAGER)
    stored = await integrations.apply({"enabled": True}, "kubectl")
    assert stored["spec"] == {"addressSpaceRef": SPACE, "enabled": True}


async def test_the_rest_of_a_settled_pair_can_be_changed(integrations: Resource) -> None:
    await integrations.create({**PROOF_OF_CONCEPT, "addressSpaceRef": SPACE})
    changed = await integrations.change({"spec": {"enabled": True, "tls": "auto", "suspend": False}})
    assert changed["spec"]["enabled"] is True


async def test_status_is_a_subresource(integrations: Resource) -> None:
    created = await integrations.create(PROOF_OF_CONCEPT)
    condition = {
        "type": "Disabled",
        "status": "True",
        "reason": "NotEnabled",
        "message": "spec.enabled is not true",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    status = {
        "phase": "accepted",
        "reason": "NotEnabled",
        "statusMessage": "spec.enabled is not true",
        "observedGeneration": 1,
        "conditions": [condition],
        "delivered": {
            "user": {"delivery": "native", "namespace": "shop", "name": "orders.u", "username": "u"},
            "connection": {"delivery": "rest", "name": "c", "id": "i", "uri": "amqp://h:5672"},
            "secretName": "s",
        },
    }
    assert (await integrations.change({"status": status}))["status"] == {"observedGeneration": -1}
    changed = await integrations.change({"status": status}, under="/status")
    assert changed["status"] == status
    assert changed["metadata"]["generation"] == created["metadata"]["generation"]
    with pytest.raises(Invalid):
        await integrations.change({"status": {"phase": "finished"}}, under="/status")
    with pytest.raises(Invalid):
        await integrations.change(
            {"status": {"conditions": [{**condition, "reason": "not one word"}]}}, under="/status"
        )


async def test_kubectl_get_shows_the_pair_and_how_it_is(integrations: Resource) -> None:
    await integrations.create({**PROOF_OF_CONCEPT, "addressSpaceRef": SPACE})
    condition = {"type": "Ready", "status": "False", "reason": "UserPending", "message": "m"}
    condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    status = {"phase": "integrating", "reason": "UserPending", "statusMessage": "m", "conditions": [condition]}
    status["delivered"] = {"user": {"delivery": "native"}, "connection": {"delivery": "rest"}}
    status["binding"] = {"name": "shop.orders.syndesis-credentials"}
    await integrations.change({"status": status}, under="/status")
    table = await integrations.client.get(integrations.path, accept=TABLE)
    shown = [column["name"] for column in table["columnDefinitions"] if column["priority"] == 0]
    assert shown == ["Name", "Space-NS", "AddressSpace", "Syndesis", "Enabled", "Phase", "Ready", "Reason", "Age"]
    wide = [column["name"] for column in table["columnDefinitions"] if column["priority"] == 1]
    assert wide == ["User", "Connection", "Binding", "Message"]
    cells = table["rows"][0]["cells"]
    assert cells[:8] == ["one", "shop", "orders", "syndesis", False, "integrating", "False", "UserPending"]
    assert cells[9:] == ["native", "rest", "shop.orders.syndesis-credentials", "m"]


async def test_a_connection_as_the_operator_writes_it_is_accepted(connections: Resource) -> None:
    spec = {
        "connectorId": "amqp",
        "connectionId": "i-Lc6RAo-APqmk3FKvmODz",
        "name": "EnMasse orders (shop)",
        "description": "Messaging of AddressSpace shop/orders",
        "tags": ["enmasse"],
        "configuredProperties": {"connectionUri": "amqp://h:5672", "skipCertificateCheck": "false"},
        "configuredPropertiesFrom": [
            {"property": "username", "secretKeyRef": {"name": "s", "key": "username"}},
            {"property": "password", "secretKeyRef": {"name": "s", "key": "password", "optional": False}},
            {"property": "brokerCertificate", "configMapKeyRef": {"name": "c", "key": "ca.crt"}},
        ],
    }
    assert (await connections.create(spec))["spec"] == spec
    status = {"phase": "Ready", "connectionId": "i-Lc6RAo-APqmk3FKvmODz", "observedGeneration": 1}
    assert (await connections.change({"status": status}, under="/status"))["status"] == status


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (None, "spec"),
        ({"name": "x"}, "spec.connectorId"),
        ({"connectorId": "amqp", "connectionId": "../../integrations/1"}, "spec.connectionId"),
        (
            {"connectorId": "amqp", "configuredPropertiesFrom": [{"property": "password"}]},
            connection.ONE_SOURCE,
        ),
        (
            {
                "connectorId": "amqp",
                "configuredProperties": {"password": "x"},
                "configuredPropertiesFrom": [{"property": "password", "secretKeyRef": {"name": "s", "key": "k"}}],
            },
            connection.ONE_VALUE,
        ),
        ({"connectorId": "amqp", "password": "in the open"}, "unknown field"),
    ],
    ids=str,
)
async def test_a_connection_that_makes_no_sense_is_refused(
    connections: Resource, spec: Document | None, message: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await connections.create(spec)
    assert message in str(refused.value)


async def test_the_connector_of_a_connection_cannot_be_changed(connections: Resource) -> None:
    await connections.create({"connectorId": "amqp"})
    with pytest.raises(Invalid) as refused:
        await connections.change({"spec": {"connectorId": "http4"}})
    assert connection.CONNECTOR_FIXED in str(refused.value)
