"""AddressSpaces of every release, and of nobody's: a malformed one says so and stops nothing."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from builders import space
from hypothesis import given
from hypothesis import strategies as st

from integration_operator.domain.readiness import can_serve
from integration_operator.sources.enmasse import address_space

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PORTS = [{"name": "amqp", "port": 5672}, {"name": "amqps", "port": 5671}, {"name": "amqp-wss", "port": 443}]


@pytest.mark.parametrize("ports", list(itertools.permutations(PORTS)))
def test_ports_are_found_by_name_in_any_order(ports: tuple) -> None:
    endpoint = address_space(space(ports=ports)).endpoint
    assert endpoint is not None
    assert (endpoint.port("amqp"), endpoint.port("amqps"), endpoint.port("mqtt")) == (5672, 5671, None)


def test_the_endpoint_is_chosen_by_name_not_by_service() -> None:
    document = space()
    other = {"name": "messaging-wss", "service": "messaging", "serviceHost": "other.svc", "servicePorts": []}
    document["status"]["endpointStatuses"].insert(0, other)
    endpoint = address_space(document).endpoint
    assert endpoint is not None
    assert endpoint.host == "messaging.svc"


def test_v1alpha1_with_host_and_port_and_a_typed_service() -> None:
    document = space()
    document["apiVersion"] = "enmasse.io/v1alpha1"
    document["spec"]["authenticationService"] = {"type": "standard", "details": {}}
    document["status"]["endpointStatuses"][0] |= {"host": "messaging.example.com", "port": 443}
    found = address_space(document)
    assert found.api_version == "enmasse.io/v1alpha1"
    assert found.authentication == "standard"
    assert found.endpoint is not None
    assert found.endpoint.host == "messaging.svc"
    assert can_serve(found, None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": None}, "AddressSpaceNotReady"),
        ({"status": {}}, "AddressSpaceNotReady"),
        ({"status": {"isReady": "yes"}}, "AddressSpaceMalformed"),
        ({"status": "fine"}, "AddressSpaceMalformed"),
        ({"status": {"isReady": True}}, "NoMessagingEndpoint"),
        ({"status": {"isReady": True, "endpointStatuses": [{"name": "mqtt"}]}}, "NoMessagingEndpoint"),
        ({"status": {"isReady": True, "endpointStatuses": [{"name": "messaging"}]}}, "NoMessagingEndpoint"),
        ({"status": {"isReady": True, "endpointStatuses": {}}}, "AddressSpaceMalformed"),
        ({"spec": {"authenticationService": {"type": "none"}}}, "NoAuthenticationService"),
        ({"spec": {"authenticationService": {"type": "external"}}}, "NoAuthenticationService"),
        ({"metadata": {"namespace": "shop", "name": "with.dot"}}, "InvalidName"),
    ],
)
def test_what_is_missing_is_said(change: dict[str, Any], reason: str) -> None:
    verdict = can_serve(address_space({**space(), **change}), None)
    assert (verdict.allowed, verdict.reason) == (False, reason)


def test_a_type_that_the_service_says_counts_more_than_a_name() -> None:
    assert can_serve(address_space(space()), "none").reason == "NoAuthenticationService"


def test_a_bad_certificate_is_a_defect() -> None:
    document = space()
    document["status"]["caCert"] = "not base64!"
    found = address_space(document)
    assert found.certificate is None
    assert "status.caCert" in found.defects[0]


@given(spec=anything, status=anything, ports=anything)
def test_nothing_raises(spec: Any, status: Any, ports: Any) -> None:
    address_space({"metadata": {"name": "x", "namespace": "y", "annotations": None}, "spec": spec, "status": status})
    document = space()
    document["status"]["endpointStatuses"][0]["servicePorts"] = ports
    address_space(document)
