"""A real AMQP broker, one for each worker process, with a certificate for each thing that can be wrong with one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from integration_operator.messaging.amqp import available
from integration_operator_sandbox.broker import Artemis, BrokerUser
from integration_operator_sandbox.errors import ToolchainMissing
from integration_operator_sandbox.localhost.certificates import KeyPair, self_signed

ADDRESS = "orders"
"""The one address of the broker."""
OTHER_HOST = "messaging.example"


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker. Its acceptors are ``plain``, and one for each of ``certificates``."""

    artemis: Artemis
    certificates: dict[str, KeyPair]

    def uri(self, acceptor: str = "good") -> str:
        """Return the address of an acceptor on localhost."""
        return f"{'amqp' if acceptor == 'plain' else 'amqps'}://localhost:{self.artemis.ports[acceptor]}"

    def ca(self, name: str = "good") -> str:
        """Return a certificate, which is its own CA."""
        return self.certificates[name].certificate


@pytest.fixture(scope="session")
def amqp() -> None:
    """Require python-qpid-proton. Without it, which needs a C compiler, tests are skipped; in CI they fail."""
    if not available():
        message = "python-qpid-proton is not installed: pip install --require-hashes -r requirements-amqp.lock"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="session")
def broker(amqp: None) -> Iterator[Broker]:
    """Run a broker. Without Java or Maven its tests are skipped; in CI they fail."""
    certificates = {
        "good": self_signed(),
        "expired": self_signed(expired=True),
        "other": self_signed(OTHER_HOST),
    }
    try:
        running = Artemis.start(certificates=certificates, addresses=[ADDRESS])
    except ToolchainMissing as error:
        if os.environ.get("CI"):
            pytest.fail(error.message)
        pytest.skip(error.message)
    with running:
        yield Broker(running, certificates)


@pytest.fixture
def broker_users(broker: Broker) -> dict[str, BrokerUser]:
    """Give the broker users who may do everything, one thing, and nothing; return them by name."""
    made = {
        "ann": BrokerUser("password of ann"),
        "sends": BrokerUser("password of sends", frozenset({"send"})),
        "receives": BrokerUser("password of receives", frozenset({"recv"})),
        "nothing": BrokerUser("password of nothing", frozenset()),
    }
    broker.artemis.set_users(made)
    return made
