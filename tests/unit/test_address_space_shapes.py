"""AddressSpaces of every release are read; a malformed one is reported and stops nothing else."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_operator.api import names
from integration_operator.domain.policies.readiness import can_serve
from integration_operator.platforms.address_space import address_space
from integration_operator_sandbox.platforms.enmasse import CERTIFICATE
from tests.support.builders import space

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
    assert (verdict.passed, verdict.reason) == (False, reason)


def test_a_type_that_the_service_says_counts_more_than_a_name() -> None:
    assert can_serve(address_space(space()), "none").reason == "NoAuthenticationService"


def space_with(**status: Any) -> dict[str, Any]:
    document = space()
    document["status"] |= status
    return document


def endpoint_with(host: Any = "messaging.svc", ports: Any = PORTS, name: str = "messaging") -> list[dict[str, Any]]:
    return [{"name": name, "serviceHost": host, "servicePorts": ports}]


@pytest.mark.parametrize(
    "encoded",
    [
        "not base64!",
        42,
        ["x"],
        base64.b64encode(b"no PEM").decode(),
        base64.b64encode(b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n").decode(),
        base64.b64encode(CERTIFICATE.encode() + b"\x1b]0;owned\x07").decode(),
        base64.b64encode(CERTIFICATE.encode() * 500).decode(),
    ],
)
def test_a_bad_certificate_is_a_defect(encoded: Any) -> None:
    found = address_space(space_with(caCert=encoded))
    assert found.certificate is None
    assert found.defects == ("status.caCert is not base64 of PEM certificates",)
    assert can_serve(found, None).reason == "AddressSpaceMalformed"


@pytest.mark.parametrize(
    "host",
    [
        "a b",
        "host/path",
        "host?x=1",
        "user@host",
        "host:80",
        "-a.svc",
        "a..b",
        "a\nb",
        "x" * 64,
        "a." * 127 + "b",
        7,
        ["a"],
    ],
)
def test_a_service_host_that_is_none_is_a_defect_and_reaches_no_uri(host: Any) -> None:
    found = address_space(space_with(endpointStatuses=endpoint_with(host)))
    assert found.endpoint is None
    verdict = can_serve(found, None)
    assert verdict.reason == "AddressSpaceMalformed"
    assert str(host) not in verdict.message


@pytest.mark.parametrize("host", ["messaging-3f2a9c1.enmasse-infra.svc", "10.0.0.1", "MESSAGING", "x" * 63 + ".svc"])
def test_a_service_host_by_rfc_1123(host: str) -> None:
    endpoint = address_space(space_with(endpointStatuses=endpoint_with(host))).endpoint
    assert endpoint is not None
    assert endpoint.host == host


@pytest.mark.parametrize("bad", [{}, None, "amqp", {"name": "mqtt", "port": "x"}, {"name": "a b", "port": 1}])
def test_one_bad_port_keeps_the_good_ones(bad: Any) -> None:
    found = address_space(space_with(endpointStatuses=endpoint_with(ports=[bad, *PORTS])))
    assert found.endpoint is not None
    assert (found.endpoint.port("amqp"), found.endpoint.port("amqps")) == (5672, 5671)
    assert can_serve(found, None)


@pytest.mark.parametrize("number", [0, 65536, -1, True, "5671", None, 56.5, 10**30])
def test_a_tls_port_without_a_number_is_a_defect_and_not_a_space_without_tls(number: Any) -> None:
    ports = [{"name": "amqp", "port": 5672}, {"name": "amqps", "port": number}]
    verdict = can_serve(address_space(space_with(endpointStatuses=endpoint_with(ports=ports))), None)
    assert verdict.reason == "AddressSpaceMalformed"


def test_ports_are_bounded_in_number_and_the_two_that_matter_are_kept() -> None:
    many = [{"name": f"p{number}", "port": 1} for number in range(1000)]
    found = address_space(space_with(endpointStatuses=endpoint_with(ports=[*many, *PORTS])))
    assert found.endpoint is not None
    assert (found.endpoint.port("amqps"), len(found.endpoint.ports)) == (5671, 18)


def test_the_endpoint_is_the_one_that_the_spec_names_for_messaging() -> None:
    document = space_with(endpointStatuses=[*endpoint_with("mqtt.svc"), *endpoint_with(name="broker")])
    document["spec"]["endpoints"] = [
        {"name": "messaging", "service": "mqtt"},
        {"name": "broker", "service": "messaging"},
    ]
    endpoint = address_space(document).endpoint
    assert endpoint is not None
    assert endpoint.host == "messaging.svc"


def test_of_two_endpoints_for_messaging_the_one_of_the_usual_name() -> None:
    document = space_with(endpointStatuses=[*endpoint_with("wss.svc", name="messaging-wss"), *endpoint_with()])
    document["spec"]["endpoints"] = [{"name": n, "service": "messaging"} for n in ("messaging-wss", "messaging")]
    endpoint = address_space(document).endpoint
    assert endpoint is not None
    assert endpoint.host == "messaging.svc"


@pytest.mark.parametrize(
    "endpoints", [None, [], "x", [{"name": "c", "service": "console"}], [{"service": "messaging"}]]
)
def test_the_literal_name_where_the_spec_names_none(endpoints: Any) -> None:
    document = space()
    document["spec"]["endpoints"] = endpoints
    assert address_space(document).endpoint is not None


def test_name_and_type_of_the_authentication_service_are_both_kept() -> None:
    document = space()
    document["spec"]["authenticationService"] = {"name": "standard", "type": "none"}
    found = address_space(document)
    assert (found.authentication, found.authentication_type) == ("standard", "none")


@pytest.mark.parametrize("name", ["a/b", "..", "A B", "x" * 254, "\x1b[2J", 5, {}])
@pytest.mark.parametrize("key", ["name", "type"])
def test_an_authentication_service_that_no_object_can_be_called_is_a_defect(name: Any, key: str) -> None:
    document = space()
    document["spec"]["authenticationService"] = {key: name}
    found = address_space(document)
    assert found.authentication is None
    assert found.defects == (f"spec.authenticationService.{key} is malformed",)


@pytest.mark.parametrize("realm", ["../master", "a/b", ".", "..", "a?b", "r" * 256, "a b"])
def test_a_realm_that_could_lead_to_another_path_is_a_defect(realm: str) -> None:
    found = address_space(space(annotations={names.ENMASSE_REALM: realm}))
    assert found.realm is None
    assert can_serve(found, None).reason == "AddressSpaceMalformed"


@pytest.mark.parametrize("user", ["x" * 254, "a\x07b", "a\nb"])
def test_a_creator_that_is_no_users_name_is_a_defect(user: str) -> None:
    found = address_space(space(annotations={names.ENMASSE_CREATED_BY: user}))
    assert found.created_by is None
    assert can_serve(found, None).reason == "AddressSpaceMalformed"


@pytest.mark.parametrize("user", ["admin@example.com", "system:serviceaccount:shop:robot", "Ann Lee", "café"])
def test_creators_of_every_kind(user: str) -> None:
    assert address_space(space(annotations={names.ENMASSE_CREATED_BY: user})).created_by == user


def test_messages_are_few_short_and_on_one_line() -> None:
    found = address_space(
        space_with(isReady=False, messages=["x" * 100_000, "\x1b]0;owned\x07", 5, {}, *("y" * 900,) * 90])
    )
    verdict = can_serve(found, None)
    assert len(found.messages) == 5
    assert len(verdict.message.encode()) <= 1024
    assert verdict.message.isprintable()


@given(spec=anything, status=anything, ports=anything)
def test_nothing_raises(spec: Any, status: Any, ports: Any) -> None:
    address_space({"metadata": {"name": "x", "namespace": "y", "annotations": None}, "spec": spec, "status": status})
    document = space()
    document["status"]["endpointStatuses"][0]["servicePorts"] = ports
    address_space(document)
