"""How Syndesis reaches the broker: by TLS if the AddressSpace offers it and no setting forbids it."""

from __future__ import annotations

import pytest

from integration_operator.domain.policies.readiness import Transport, transport
from integration_operator.platforms.address_space import address_space
from tests.support.builders import space

AMQP, AMQPS = {"name": "amqp", "port": 5672}, {"name": "amqps", "port": 5671}


@pytest.mark.parametrize(
    ("tls", "ports", "ca", "expected"),
    [
        ("auto", (AMQP, AMQPS), True, "amqps with CA"),
        ("auto", (AMQP, AMQPS), False, "amqp"),
        ("auto", (AMQP,), True, "amqp"),
        ("auto", (AMQPS,), True, "amqps with CA"),
        ("auto", (AMQPS,), False, "NoPort"),
        ("auto", (), True, "NoPort"),
        ("required", (AMQP, AMQPS), True, "amqps with CA"),
        ("required", (AMQP, AMQPS), False, "amqps"),
        ("required", (AMQP,), True, "NoTLSPort"),
        ("disabled", (AMQP, AMQPS), True, "amqp"),
        ("disabled", (AMQPS,), True, "NoPort"),
    ],
)
def test_choice(tls: str, ports: tuple, ca: bool, expected: str) -> None:
    found = transport(address_space(space(ports=ports, ca=ca)), tls)  # type: ignore[arg-type]
    if isinstance(found, Transport):
        assert found.scheme + (" with CA" if found.certificate else "") == expected
        port = {"amqp": 5672, "amqps": 5671}[found.scheme]
        assert found.uri == f"{found.scheme}://messaging.svc:{port}?amqp.saslMechanisms=PLAIN"
    else:
        assert found.reason == expected
