"""``integration-operator test`` says in one line what is wrong with its flags, or that its library is missing.

The library is an extra: nothing else of the operator loads it.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from integration_operator.cli import app
from integration_operator.messaging.uri import Server, parse_host_port, parse_uri

CREDENTIAL = {"AMQP_USERNAME": "ann", "AMQP_PASSWORD": "secret of ann"}
ENDPOINT = ["--endpoint", "amqps://127.0.0.1:1"]


def error_of(*flags: str, code: int = 2, environment: dict[str, str] = CREDENTIAL) -> str:
    """Return the one line with which a command ends."""
    result = CliRunner().invoke(app, ["test", *flags], env=environment)
    assert result.exit_code == code, result.output
    (line,) = result.stderr.splitlines()
    assert "secret of ann" not in result.output
    return line.removeprefix("integration-operator: ")


def test_without_its_library_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration_operator.cli.test.available", lambda: False)
    expected = "the test of a connection needs python-qpid-proton, which is not installed: "
    for flags in (["mine"], ENDPOINT):
        assert error_of(*flags) == f"{expected}pip install 'integration-operator[amqp]'"


@pytest.mark.usefixtures("amqp")
@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ([], "name an Integration, or give --endpoint"),
        (["mine", *ENDPOINT], "name an Integration, or give --endpoint"),
        ([*ENDPOINT, "-n", "shop"], "--endpoint tests without a cluster"),
        ([*ENDPOINT, "--from-pod"], "--endpoint tests without a cluster"),
        (["mine", "--from-pod", "--external"], "--from-pod tests the endpoint inside the cluster"),
        (["mine", "--message"], "--message needs --address"),
        (["mine", "--operations", "send"], "--operations needs --address"),
        (["mine", "--address", "a", "--operations", "view"], "--operations must be send, recv or send,recv"),
        (["mine", "--address", "a", "--message", "--operations", "recv"], "--operations must contain send"),
        (["mine", "--connect", "localhost"], "--connect: it must be HOST:PORT"),
        (["mine", "--ca", "/nope"], "/nope"),
        (["mine", "-o", "xml"], "--output must be text or json"),
        (["--endpoint", "http://localhost:80"], "--endpoint: it must begin with amqp:// or amqps://"),
        (
            ["--endpoint", "amqp://ann:secret of ann@localhost"],
            "--endpoint: it must not contain a user name or a password",
        ),
        (["--endpoint", "amqps://localhost:99999"], "--endpoint: "),
    ],
)
def test_a_wrong_flag_is_said_in_one_line(flags: list[str], why: str) -> None:
    assert why in error_of(*flags)


@pytest.mark.usefixtures("amqp")
def test_an_endpoint_needs_a_credential_in_the_environment() -> None:
    line = "--endpoint needs the credential in the variables AMQP_USERNAME and AMQP_PASSWORD"
    assert error_of(*ENDPOINT, environment={"AMQP_USERNAME": "ann", "AMQP_PASSWORD": ""}) == line


@pytest.mark.usefixtures("amqp")
def test_a_connection_that_does_not_work_has_an_exit_code_of_its_own() -> None:
    line = error_of(*ENDPOINT, code=7)
    assert line.startswith("the connection does not work: TCP: 127.0.0.1 port 1: connection refused")


@pytest.mark.parametrize(
    ("uri", "server"),
    [
        ("amqps://messaging.svc:5671?amqp.saslMechanisms=PLAIN", Server("messaging.svc", 5671, True)),
        ("amqp://10.0.0.1", Server("10.0.0.1", 5672, False)),
        ("amqps://[::1]:1234/", Server("::1", 1234, True)),
    ],
)
def test_addresses_of_clients_are_read(uri: str, server: Server) -> None:
    assert parse_uri(uri) == server
    assert parse_uri(str(server)) == server


@pytest.mark.parametrize(
    "uri", ["", "messaging:5671", "failover:(amqp://a)", "amqps://", "amqps://a:b", "amqp://a:0:1"]
)
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_uri(uri)


@pytest.mark.parametrize("text", ["", "a", ":1", "a:b", "a:1/x", "a@b:1", "a:70000"])
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_host_port(text)
    assert parse_host_port("[::1]:5671") == ("::1", 5671)


def test_the_operator_does_not_load_the_library() -> None:
    code = (
        "import sys, integration_operator.cli, integration_operator.manager, integration_operator.host;"
        "print([name for name in sys.modules if name.split('.')[0] in ('proton', 'cproton')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
