"""One running Artemis on loopback.

Its files are in a temporary directory, its messages in memory. It dies with this process, even if that is killed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from integration_operator_sandbox.broker.configuration import PLAIN, BrokerUser, write_configuration, write_users
from integration_operator_sandbox.broker.distribution import ARTEMIS, command
from integration_operator_sandbox.errors import PortTaken, StartFailed
from integration_operator_sandbox.java.programs import find_java
from integration_operator_sandbox.localhost.certificates import KeyPair
from integration_operator_sandbox.localhost.machine import LOOPBACK, OwnedDirectory, free_port
from integration_operator_sandbox.localhost.process import Process, spawn

TEMPORARY = "integration-operator-broker-"
INSTANCE = "instance"
ATTEMPTS = 3  # a port that was free a moment ago is taken now and then
START_TIMEOUT = 90.0  # seconds; 1 to 3 on two idle cores
PATIENCE = 3.0  # seconds to stop; messages are in memory only
POLL = 0.1
SHOWN_LINES = 15
AMQP_SASL = b"AMQP\x03\x01\x00\x00"
"""The header with which a client and a server begin (AMQP 1.0, part 5, section 3.2)."""


@dataclass(slots=True)
class Artemis:
    """A running broker. Created by ``start``. ``ports`` are by the name of the acceptor."""

    directory: Path
    ports: Mapping[str, int]
    _process: Process = field(repr=False)
    _owned: OwnedDirectory = field(repr=False)

    @classmethod
    def start(
        cls,
        *,
        certificates: Mapping[str, KeyPair] | None = None,
        addresses: Sequence[str] = (),
        users: Mapping[str, BrokerUser] | None = None,
    ) -> Artemis:
        """Start a broker and return when it serves. Fetch it first if it is not cached.

        It listens without TLS (``plain``), and with TLS for each of the named ``certificates``.
        """
        home = ARTEMIS.provide()
        owned = OwnedDirectory.create(TEMPORARY)
        directory = owned.path
        try:
            for attempt in range(ATTEMPTS):
                ports = {name: free_port() for name in (PLAIN, *(certificates or {}))}
                write_configuration(directory / INSTANCE, ports, certificates or {}, addresses)
                write_users(directory / INSTANCE, users or {})
                line = command(find_java("Artemis"), home, directory / INSTANCE)
                process = spawn(line, log=directory / "log", directory=directory, detached=False)
                made = cls(directory, ports, process, owned)
                try:
                    made._wait(time.monotonic() + START_TIMEOUT)
                except PortTaken:
                    process.stop(PATIENCE)
                    if attempt == ATTEMPTS - 1:
                        raise
                except BaseException:
                    process.stop(PATIENCE)
                    raise
                else:
                    return made
            raise AssertionError("unreachable: the last attempt returns or raises")
        except BaseException:
            owned.delete()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the broker and delete all its files."""
        self._process.stop(PATIENCE)
        self._owned.delete()

    def set_users(self, users: Mapping[str, BrokerUser]) -> None:
        """Replace all users. It applies to the next log-in."""
        write_users(self.directory / INSTANCE, users)

    def _wait(self, deadline: float) -> None:
        """Wait until the broker serves on its first port; it opens all of them at once."""
        while not self._serves():
            log = (self.directory / "log").read_text(errors="replace")
            if "Address already in use" in log or "Failed to bind" in log:
                raise PortTaken("a port of the broker is taken", self._last_words())
            if not self._process.runs():
                raise StartFailed(f"Artemis {self._process.ending()}", self._last_words())
            if time.monotonic() > deadline:
                raise StartFailed(f"Artemis was not ready within {START_TIMEOUT:g} s", self._last_words())
            time.sleep(POLL)

    def _serves(self) -> bool:
        for port in self.ports.values():
            with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=2) as connection:
                if port != self.ports[PLAIN]:
                    continue
                connection.sendall(AMQP_SASL)
                if connection.recv(8) == AMQP_SASL:
                    continue
            return False
        return True

    def _last_words(self) -> str:
        lines = (self.directory / "log").read_text(errors="replace").splitlines()
        return "\n".join(line[:300] for line in lines[-SHOWN_LINES:])
