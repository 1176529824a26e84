"""``integration-operator test``: each thing that can be wrong with a connection is found at its step.

The broker is a real one (Apache ActiveMQ Artemis). Nothing of Kubernetes is needed: ``--endpoint`` names the broker.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from integration_operator.cli import app
from integration_operator_sandbox.broker import BrokerUser
from integration_operator_sandbox.localhost.machine import free_port
from tests.support.broker_fixtures import ADDRESS, OTHER_HOST, Broker

STEPS = ["name", "TCP", "TLS", "log-in", "permission", "message"]

pytestmark = pytest.mark.usefixtures("broker_users")


class Result(NamedTuple):
    code: int
    steps: list[dict[str, Any]]
    error: str
    next_step: str | None

    @property
    def passed(self) -> list[str]:
        return [step["step"] for step in self.steps if step["outcome"] == "passed"]

    @property
    def failed(self) -> tuple[str, str]:
        """The step that failed, and why."""
        (last,) = [step for step in self.steps if step["outcome"] == "failed"]
        assert last is self.steps[-1], "nothing follows a failure"
        return last["step"], last["reason"]


def run(broker: Broker, uri: str, *flags: str, user: str = "ann", password: str = "", ca: str = "good") -> Result:
    """Test an endpoint as a pod does."""
    credential = {"AMQP_USERNAME": user, "AMQP_PASSWORD": password or f"password of {user}"}
    environment = {**credential, "AMQP_CA": broker.ca(ca) if ca else ""}
    arguments = ["test", "--endpoint", uri, "--within", "5", "-o", "json", *flags]
    result = CliRunner().invoke(app, arguments, env=environment)
    assert result.exit_code in (0, 7), result.output
    assert credential["AMQP_PASSWORD"] not in result.output, "no password is printed"
    answer = json.loads(result.stdout)
    assert answer["works"] is (result.exit_code == 0)
    assert [step["step"] for step in answer["steps"]] == STEPS[: len(answer["steps"])], "the steps are in order"
    return Result(result.exit_code, answer["steps"], result.stderr, answer["nextStep"])


@contextmanager
def server(answer: bytes | None) -> Iterator[int]:
    """Run a server that is no broker, and yield its port. With None it accepts connections and is silent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    channel, _ = listener.accept()
                except OSError:
                    return
                if answer is not None:
                    with channel:
                        channel.recv(1024)
                        channel.sendall(answer)
                else:
                    kept.append(channel)

        kept: list[socket.socket] = []
        Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        for channel in kept:
            channel.close()


def test_a_connection_that_works(broker: Broker) -> None:
    result = run(broker, broker.uri())
    assert (result.code, result.passed) == (0, STEPS[:4])
    assert result.steps[4]["outcome"] == "not tried"


def test_permissions_at_an_address_are_checked_without_a_message(broker: Broker) -> None:
    result = run(broker, broker.uri(), "--address", ADDRESS)
    assert (result.code, result.passed) == (0, STEPS[:5])
    assert "may send to and receive from orders" in result.steps[4]["detail"]


def test_a_message_goes_through(broker: Broker) -> None:
    result = run(broker, broker.uri(), "--address", ADDRESS, "--message")
    assert (result.code, result.passed) == (0, STEPS)


@pytest.mark.parametrize("selects", [True, False], ids=["with selectors", "without selectors"])
def test_messages_of_others_stay(broker: Broker, monkeypatch: pytest.MonkeyPatch, selects: bool) -> None:
    """The test receives its own message only, although others came first, also from a broker without selectors."""
    import proton  # an extra: the fixture skips this test, or fails it, if it is missing
    import proton.reactor
    import proton.utils

    others = {"first", "second"}
    url = f"localhost:{broker.artemis.ports['plain']}"
    login = {"user": "ann", "password": "password of ann", "allowed_mechs": "PLAIN", "allow_insecure_mechs": True}
    connection = proton.utils.BlockingConnection(url, timeout=10, **login)
    try:
        sender = connection.create_sender(ADDRESS)
        for body in sorted(others):
            sender.send(proton.Message(body=body))
        if not selects:
            monkeypatch.setattr(proton.reactor.Selector, "apply", lambda *_: None)
        assert run(broker, broker.uri(), "--address", ADDRESS, "--message").code == 0
        receiver = connection.create_receiver(ADDRESS, credit=10)
        left = [receiver.receive(timeout=10).body for _ in others]
        for _ in others:
            receiver.accept()
        assert set(left) == others
        with pytest.raises(proton.Timeout):
            receiver.receive(timeout=0.5)
    finally:
        connection.close()


def test_without_tls_that_is_said(broker: Broker) -> None:
    result = run(broker, broker.uri("plain"), "--address", ADDRESS, "--message", ca="")
    assert (result.code, result.steps[2]["outcome"]) == (0, "not tried")
    assert "plain text" in result.steps[2]["detail"]


def test_a_name_that_does_not_exist(broker: Broker) -> None:
    result = run(broker, "amqps://messaging.invalid:5671")
    assert (result.code, result.failed) == (7, ("name", "NoSuchHost"))
    assert "messaging.invalid" in result.error


def test_a_closed_port(broker: Broker) -> None:
    port = free_port()
    result = run(broker, f"amqps://localhost:{port}")
    assert result.failed == ("TCP", "ConnectionRefused")
    assert f"port {port}" in result.error


def test_a_ca_that_is_not_the_brokers(broker: Broker) -> None:
    assert run(broker, broker.uri(), ca="other").failed == ("TLS", "CertificateNotTrusted")
    assert run(broker, broker.uri(), ca="").failed == ("TLS", "CertificateNotTrusted"), "nor is it public"


def test_an_expired_certificate(broker: Broker) -> None:
    result = run(broker, broker.uri("expired"), ca="expired")
    assert result.failed == ("TLS", "CertificateExpired")
    assert "must renew the certificate" in str(result.next_step)


def test_a_certificate_of_another_host(broker: Broker) -> None:
    result = run(broker, broker.uri("other"), ca="other")
    assert result.failed == ("TLS", "CertificateOfAnotherHost")
    assert "not valid for localhost" in result.error


def test_a_forwarded_port_keeps_the_name_of_the_host(broker: Broker) -> None:
    """``--connect`` replaces the way to the broker, not the name that its certificate must have."""
    via = ("--connect", f"localhost:{broker.artemis.ports['other']}")
    assert run(broker, f"amqps://{OTHER_HOST}:5671", *via, ca="other").code == 0
    via = ("--connect", f"localhost:{broker.artemis.ports['good']}")
    assert run(broker, f"amqps://{OTHER_HOST}:5671", *via).failed == ("TLS", "CertificateOfAnotherHost")


def test_a_wrong_password_and_an_unknown_user(broker: Broker) -> None:
    for wrong in ({"password": "wrong password"}, {"user": "unknown"}):
        result = run(broker, broker.uri(), **wrong)
        assert result.failed == ("log-in", "CredentialRefused")
        assert "UserReady" in str(result.next_step)


def test_a_changed_password_applies_to_the_next_log_in(broker: Broker, broker_users: dict[str, BrokerUser]) -> None:
    broker.artemis.set_users({**broker_users, "ann": BrokerUser("another password")})
    assert run(broker, broker.uri()).failed == ("log-in", "CredentialRefused")
    assert run(broker, broker.uri(), password="another password").code == 0


@pytest.mark.parametrize(
    ("user", "operations", "refused"),
    [
        ("nothing", "send,recv", "sending to orders"),
        ("sends", "send,recv", "receiving from orders"),
        ("sends", "send", None),
        ("receives", "send,recv", "sending to orders"),
        ("receives", "recv", None),
    ],
)
def test_a_missing_permission(broker: Broker, user: str, operations: str, refused: str | None) -> None:
    result = run(broker, broker.uri(), "--address", ADDRESS, "--operations", operations, user=user)
    if refused is None:
        assert result.code == 0, result
    else:
        assert result.failed == ("permission", "NotPermitted")
        assert f"{refused} is not permitted" in result.error
        assert "spec.authorization" in result.error


def test_an_address_that_does_not_exist(broker: Broker) -> None:
    result = run(broker, broker.uri(), "--address", "nowhere", "--message")
    assert result.failed == ("permission", "NoSuchAddress")
    assert "nowhere" in result.error


@pytest.mark.parametrize(("scheme", "step"), [("amqp", "log-in"), ("amqps", "TLS")])
def test_a_server_that_is_no_broker(broker: Broker, scheme: str, step: str) -> None:
    with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        result = run(broker, f"{scheme}://localhost:{port}")
    assert result.failed == (step, "NoAMQP" if scheme == "amqp" else "NoTLSPort")


@pytest.mark.parametrize(("scheme", "step"), [("amqp", "log-in"), ("amqps", "TLS")])
def test_a_server_that_is_silent(broker: Broker, scheme: str, step: str) -> None:
    began = time.monotonic()
    with server(None) as port:
        result = run(broker, f"{scheme}://localhost:{port}", "--within", "0.5")
    assert result.failed == (step, "NoAnswer")
    assert time.monotonic() - began < 10


def test_a_text_of_the_server_is_safe_to_print(broker: Broker) -> None:
    """A broker that closes the connection says why: in at most 1 KiB, without escape sequences."""
    result = run(broker, broker.uri(), "--address", "nowhere\x1b[31m" + "x" * 5000)
    assert result.failed[0] == "permission"
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", result.error)
    assert len(result.error) < 4200


def test_of_a_process_output_is_lines_and_the_exit_code_7(broker: Broker) -> None:
    environment = {**os.environ, "AMQP_USERNAME": "ann", "AMQP_PASSWORD": "wrong", "AMQP_CA": broker.ca()}
    command = [sys.executable, "-m", "integration_operator", "test", "--endpoint", broker.uri()]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 7
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["  ✓ name", "  ✓ TCP", "  ✓ TLS", "  ✗ log-in"]
    (line,) = done.stderr.splitlines()
    assert line.startswith("integration-operator: the connection does not work: log-in: the broker refuses user 'ann'")


def test_a_file_with_the_ca(broker: Broker, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(broker.ca())
    assert run(broker, broker.uri(), "--ca", str(file), ca="other").code == 0, "the flag wins"
    file.write_text("no certificate")
    assert run(broker, broker.uri(), "--ca", str(file)).failed == ("TLS", "CAMalformed")
