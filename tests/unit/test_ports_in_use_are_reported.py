"""A port in use or a wrong address ends the start with one line and exit code 2, before anything is asked."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        yield int(owner.getsockname()[1])


def ending(kubeconfig: Path, command: str, *flags: str) -> tuple[int, str]:
    line = [sys.executable, "-m", "integration_operator", command, "--kubeconfig", str(kubeconfig), *flags]
    done = subprocess.run(line, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, timeout=30)
    return done.returncode, done.stderr


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    file = tmp_path / "config"
    file.write_text(
        "{clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], "
        "contexts: [{name: a, context: {cluster: a}}], current-context: a}"
    )
    return file


@pytest.mark.parametrize("command", ["run", "connection-controller"])
@pytest.mark.parametrize(("flag", "other"), [("--probe-port", "--metrics-port"), ("--metrics-port", "--probe-port")])
def test_a_port_in_use(command: str, flag: str, other: str, taken: int, kubeconfig: Path) -> None:
    found = ending(kubeconfig, command, "--bind-address", "127.0.0.1", flag, str(taken), other, "0")
    assert found == (2, f"integration-operator: {flag} {taken}: address already in use\n")


def test_one_port_for_both(taken: int, kubeconfig: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    found = ending(kubeconfig, "run", "--bind-address", "127.0.0.1", "--probe-port", port, "--metrics-port", port)
    assert found == (2, f"integration-operator: --metrics-port {port}: address already in use\n")


@pytest.mark.parametrize("address", ["203.0.113.7", "no such host", "a\x1b[31m"])
def test_a_wrong_address(address: str, kubeconfig: Path) -> None:
    code, said = ending(kubeconfig, "run", "--bind-address", address)
    assert (code, len(said.splitlines())) == (2, 1), said
    assert said.startswith("integration-operator: --bind-address ")
    assert "\x1b" not in said
