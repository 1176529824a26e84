"""Whatever stands in an object that a tenant writes: it is read, and what is said of it is bounded and safe to show."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from integration_operator.api import names
from integration_operator.domain.model.platforms import AddressSpace, Syndesis
from integration_operator.domain.policies.readiness import (
    Transport,
    can_connect,
    can_serve,
    connection_ready,
    transport,
    user_ready,
)
from integration_operator.platforms.address_space import (
    HOST,
    MAX_MESSAGES,
    MAX_PORTS,
    address_space,
    authentication_type,
)
from integration_operator.platforms.config_map import address_space_document
from integration_operator.platforms.syndesis import syndesis
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.enmasse import CERTIFICATE
from tests.support.random_documents import is_safe, mutated, texts, values

NAME = (("metadata", "name"), ("metadata", "namespace"))
"""What the API server has checked."""

PORTS = [{"name": "amqp", "port": 5672}, {"name": "amqps", "port": 5671}]
SPACE: dict[str, Any] = {
    "apiVersion": "enmasse.io/v1beta1",
    "kind": "AddressSpace",
    "metadata": {
        "name": "orders",
        "namespace": "shop",
        "uid": "u",
        "annotations": {
            names.ENMASSE_REALM: "shop-orders",
            names.ENMASSE_CREATED_BY: "ann",
            names.ALLOWED_NAMESPACES: "fuse,team-*",
            names.ENABLE_NEW: "true",
        },
    },
    "spec": {
        "type": "standard",
        "plan": "standard-small",
        "authenticationService": {"name": "standard", "type": "standard"},
        "endpoints": [{"name": "messaging", "service": "messaging"}, {"name": "wss", "service": "messaging"}],
    },
    "status": {
        "isReady": True,
        "messages": ["all is well"],
        "caCert": base64.b64encode(CERTIFICATE.encode()).decode(),
        "endpointStatuses": [
            {"name": "messaging", "serviceHost": "messaging.svc", "servicePorts": [*map(dict, PORTS)]},
            {"name": "wss", "serviceHost": "messaging.svc", "servicePorts": [*map(dict, PORTS)]},
        ],
    },
}
SYNDESIS: dict[str, Any] = {
    "apiVersion": "syndesis.io/v1beta3",
    "metadata": {"name": "app", "namespace": "fuse", "annotations": {names.SYNDESIS_CREATED_BY: "ann"}},
    "status": {"phase": "Installed", "reason": "", "version": "1.13.2"},
}
USER: dict[str, Any] = {
    "metadata": {"name": "orders.a", "namespace": "shop", "generation": 2},
    "spec": {"username": "a", "authentication": {"type": "password"}},
    "status": {"phase": "Active", "generation": 2, "message": "well"},
}
CONNECTION: dict[str, Any] = {
    "metadata": {"name": "c", "namespace": "fuse", "generation": 2},
    "spec": {"connectorId": "amqp"},
    "status": {
        "phase": "Error",
        "connectionId": "enm-1",
        "observedGeneration": 2,
        "conditions": [{"type": "Ready", "status": "False", "message": "no"}],
    },
}


def check(space: AddressSpace) -> None:
    assert is_safe(can_serve(space, None).message)
    assert len(space.messages) <= MAX_MESSAGES
    assert all(is_safe(text) for text in (*space.messages, *space.defects))
    for text in (space.realm, space.created_by, space.authentication, space.authentication_type):
        assert text is None or (len(text) <= 255 and text.isprintable())
    if space.endpoint is not None:
        assert HOST.fullmatch(space.endpoint.host)
        assert len(space.endpoint.ports) <= MAX_PORTS + 2
    for tls in ("auto", "required", "disabled"):
        way = transport(space, tls)  # type: ignore[arg-type]
        if isinstance(way, Transport):
            assert way.uri.isprintable()
            assert len(way.uri) < 400
        else:
            assert is_safe(way.message)


@given(mutated(SPACE, NAME))
def test_address_spaces(document: dict[str, Any]) -> None:
    check(address_space(document))


@given(mutated(SPACE["status"]["endpointStatuses"][0]), st.lists(texts, max_size=3))
def test_endpoints(entry: Any, given_names: list[str]) -> None:
    status = {**SPACE["status"], "endpointStatuses": [entry]}
    spec = {**SPACE["spec"], "endpoints": [{"name": name, "service": "messaging"} for name in given_names]}
    check(address_space({**SPACE, "spec": spec, "status": status}))


@given(mutated(SPACE), mutated({"type": "address-space", "namespace": "shop"}), values)
def test_address_spaces_in_config_maps(config: Any, labels: Any, anything: Any) -> None:
    for inside in (config, anything):
        metadata = {"name": "shop.orders", "namespace": "enmasse", "uid": "u", "labels": labels}
        found = address_space_document({"metadata": metadata, "data": {"config.json": json.dumps(inside)}})
        assert found is not None
        space = address_space(found, can_own=False)
        assert isinstance(space.ref, Ref)
        assert all(len(part) <= 253 and part.isprintable() for part in space.ref)
        check(space)


@given(st.text() | st.binary().map(repr), st.sampled_from(["shop.orders", "a.b.c", "nothing"]))
def test_config_maps_of_any_text(text: str, name: str) -> None:
    found = address_space_document({"metadata": {"name": name, "namespace": "enmasse"}, "data": {"config.json": text}})
    if found is not None:
        check(address_space(found, can_own=False))


@given(mutated(SYNDESIS, NAME))
def test_syndesis(document: dict[str, Any]) -> None:
    found: Syndesis = syndesis(document)
    assert is_safe(can_connect(found).message)
    assert found.created_by is None or len(found.created_by) <= 253


@given(mutated(USER, NAME))
def test_messaging_users(document: dict[str, Any]) -> None:
    assert is_safe(user_ready(document).message)


@given(mutated(CONNECTION, NAME), st.booleans())
def test_connections(document: dict[str, Any], reconciled: bool) -> None:
    assert is_safe(connection_ready(document, reconciled=reconciled).message)


@given(mutated({"metadata": {"name": "standard"}, "spec": {"type": "standard"}}))
def test_authentication_services(document: dict[str, Any]) -> None:
    assert isinstance(authentication_type(document), str)
