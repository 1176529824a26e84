"""The real broker of the demo, in place of EnMasse's own: each simulated login becomes a user of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from integration_operator.messaging.amqp import available
from integration_operator_sandbox.broker import PLAIN, Artemis, BrokerUser
from integration_operator_sandbox.errors import ToolchainMissing
from integration_operator_sandbox.localhost.certificates import self_signed
from integration_operator_sandbox.platforms import Login, Messaging

ADDRESS = "orders"
HOST, MOVED = "localhost", "127.0.0.1"
"""Two names of the broker: its certificate is valid for both, so that the demo can move the endpoint."""


@contextmanager
def running_broker() -> Iterator[Messaging]:
    """Run a broker. Raises ``ToolchainMissing`` if it cannot be run, or not be tested."""
    if not available():
        raise ToolchainMissing(
            "--broker needs python-qpid-proton: install a C compiler, and pip install 'integration-operator[amqp]'"
        )
    pair = self_signed()
    with Artemis.start(certificates={"tls": pair}, addresses=[ADDRESS]) as artemis:

        def keep(logins: Mapping[Login, str]) -> None:
            artemis.set_users({login.username: BrokerUser(password) for login, password in logins.items()})

        ports = {"amqps": artemis.ports["tls"], "amqp": artemis.ports[PLAIN]}
        yield Messaging(HOST, ports, pair.certificate, keep)
