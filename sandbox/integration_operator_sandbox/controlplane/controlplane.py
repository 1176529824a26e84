"""One control plane: etcd, kube-apiserver and the controllers on loopback, started and stopped in order.

Everything it has is in one directory: data, certificates, tokens, logs, kubeconfigs and ``state.json``, which says what
runs where. Without a directory of its own it creates a temporary one and removes it again. Any number run beside each
other, and nothing listens on anything but loopback.

Unless detached, all processes die with this one, even if it is killed. A lock on the directory, which the kernel
releases with its holder, keeps two processes from running one control plane.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from integration_operator_sandbox.controlplane import binaries, flags, probe, users
from integration_operator_sandbox.controlplane.binaries import API_SERVER, CONTROLLER_MANAGER, ETCD, PROGRAMS, Binaries
from integration_operator_sandbox.controlplane.state import State, StateDirectory
from integration_operator_sandbox.controlplane.users import USERS
from integration_operator_sandbox.errors import PortTaken, SandboxError, StartFailed
from integration_operator_sandbox.localhost.machine import (
    ABANDONED,
    LOOPBACK,
    free_port,
    port_becomes_free,
    remove_abandoned,
    write_private,
)
from integration_operator_sandbox.localhost.process import Process, spawn

ATTEMPTS = 5  # a port that was free a moment ago is taken now and then; five times in a row it is something else
POLL = 0.05
PATIENCE = {CONTROLLER_MANAGER: 5.0, API_SERVER: 15.0, ETCD: 5.0}
"""Seconds that a component gets to stop; the API server finishes the requests it has."""
COMPANION_PATIENCE = 10.0
TEMPORARY = "integration-operator-plane-"


@dataclass(frozen=True, slots=True)
class Companion:
    """A process that lives as long as the control plane.

    ``command`` gets the port to serve. The process is ready when it answers ``ready`` there with a status below 500:
    a server that wants to know who asks is ready, too.
    """

    name: str
    command: Callable[[int], list[str]]
    ready: str


class ControlPlane:
    """A running control plane. Created by ``start``, or found again by ``attach``."""

    def __init__(self, directory: Path, programs: Binaries | None, *, temporary: bool, detached: bool) -> None:
        self.directory = directory
        self.audit_log = directory / "audit.log"
        self._programs = programs
        self._temporary = temporary
        self._detached = detached
        self._files = StateDirectory(directory, shared=detached)

    @classmethod
    def start(
        cls,
        directory: Path | None = None,
        *,
        detached: bool = False,
        before_controllers: Callable[[ControlPlane], None] | None = None,
        programs: Binaries | None = None,
        timeout: float = 60.0,
    ) -> ControlPlane:
        """Start all three and return once they serve. What an earlier run left in the directory is used again.

        ``before_controllers`` is called when the API server serves and the controllers do not run yet: the garbage
        collector looks for new kinds every 30 s only, but knows from its start those that are there.
        Detached ones keep running when this process ends, and need a directory to be found in. One that runs already
        is returned as it is.
        """
        if detached and directory is None:
            raise SandboxError("a detached control plane needs a directory in which it can be found again")
        programs = programs or binaries.provide()
        remove_abandoned(TEMPORARY, ABANDONED)
        place = Path(tempfile.mkdtemp(prefix=TEMPORARY)) if directory is None else directory.absolute()
        plane = cls(place, programs, temporary=directory is None, detached=detached)
        plane._files.lock()
        try:
            if detached and all(plane._runs(name) for name in PROGRAMS):
                plane._files.unlock()
                return plane
            plane._prepare()
            for attempt in range(ATTEMPTS):
                try:
                    plane._start_serving(timeout)
                    break
                except PortTaken:
                    plane._stop_all()
                    plane._state.ports.clear()
                    if attempt == ATTEMPTS - 1:
                        raise
            if before_controllers is not None:
                before_controllers(plane)
            write_private(plane.directory / "kubeconfig-controller-manager", plane._kubeconfig("controller-manager"))
            plane._start_on_a_free_port(CONTROLLER_MANAGER, lambda: plane.start_component(CONTROLLER_MANAGER, timeout))
        except BaseException:
            plane.stop()
            raise
        if detached:
            plane._files.unlock()
        return plane

    @classmethod
    def attach(cls, directory: Path) -> ControlPlane | None:
        """Return the detached control plane of a directory, whatever still runs of it; None if there is none."""
        plane = cls(directory.absolute(), None, temporary=False, detached=True)
        if not plane._files.exists():
            return None
        plane._files.read()
        return plane

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://{LOOPBACK}:{self._state.ports[API_SERVER]}"

    def port(self, name: str) -> int:
        """Return the port of a component or a companion."""
        return self._state.ports[name]

    def stop(self) -> None:
        """Stop companions, controllers, API server, then etcd, and remove a temporary directory.

        The order matters: without its etcd the API server hangs for minutes and keeps its port.
        """
        with self._files.locked():
            self._stop_all()
        self._files.unlock()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def failed(self) -> str | None:
        """Return which process has ended by itself, how, and its last log lines; None if all run that should."""
        for name, process in self._state.processes.items():
            if not process.runs():
                return f"{name} {process.ending()}; its last log lines:\n{self._files.last_lines(name)}"
        return None

    def components(self) -> dict[str, bool]:
        """Return whether each component, and each companion that was started, runs."""
        return {name: self._runs(name) for name in dict.fromkeys([*PROGRAMS, *self._state.processes])}

    def process(self, name: str) -> Process:
        """Return the process of one component."""
        return self._state.processes[name]

    def stop_component(self, name: str) -> None:
        """Stop one component or companion; ``failed`` does not report it."""
        self._state.processes.pop(name).stop(PATIENCE.get(name, COMPANION_PATIENCE))
        self._files.write()

    def start_component(self, name: str, timeout: float = 60.0) -> None:
        """Start a component on the port it had, and wait until it serves."""
        self._launch(name, [self._program(name), *self._flags(name)])
        self._wait_for(name, timeout)

    def start_companion(self, companion: Companion, timeout: float = 60.0) -> None:
        """Start a companion unless it runs, and wait until it is ready. It is stopped before the control plane."""
        name = companion.name

        def start() -> None:
            self._launch(name, companion.command(self._state.ports[name]))
            self._wait_for(name, timeout, companion.ready)

        with self._files.locked():
            if self._runs(name):
                return
            self._state.processes.pop(name, None)
            self._state.ports.setdefault(name, free_port())
            try:
                self._start_on_a_free_port(name, start)
            except StartFailed:
                self.stop_component(name)
                raise

    def restart_controller_manager(self) -> None:
        """Restart the controllers, so that the garbage collector knows at once all kinds that are there now."""
        self.stop_component(CONTROLLER_MANAGER)
        self.start_component(CONTROLLER_MANAGER)

    def token(self, user: str = "admin") -> str:
        """Return the token of one of ``USERS``."""
        if user not in USERS:
            raise SandboxError(f"there is no user {user!r} here; there are {', '.join(sorted(USERS))}")
        return self._state.tokens[user]

    def kubeconfig(self, user: str = "admin") -> Path:
        """Write a kubeconfig for one of ``USERS``, readable by this account only, and return its path."""
        path = self.directory / ("kubeconfig" if user == "admin" else f"kubeconfig-{user}")
        write_private(path, self._kubeconfig(user))
        return path

    def log(self, name: str) -> Path:
        """Return the log file of a component or a companion."""
        return self._files.log(name)

    def _kubeconfig(self, user: str) -> str:
        document = users.kubeconfig(self.server, self._files.certificate.read_bytes(), user, self.token(user))
        return str(yaml.safe_dump(document, sort_keys=False))

    @property
    def _state(self) -> State:
        return self._files.state

    def _runs(self, name: str) -> bool:
        return name in self._state.processes and self._state.processes[name].runs()

    def _prepare(self) -> None:
        """Stop what is left of an earlier run, and write the files that the components read."""
        self._stop_all()
        ports = self._state.ports
        self._state.ports = {name: port for name, port in ports.items() if port_becomes_free(port, within=1.0)}
        tokens = self._state.tokens
        self._state.tokens = {user: tokens.get(user) or secrets.token_urlsafe(24) for user in USERS}
        write_private(self.directory / "tokens.csv", users.token_file(self._state.tokens))
        write_private(self.directory / "audit-policy.yaml", yaml.safe_dump(flags.AUDIT_POLICY))

    def _start_serving(self, timeout: float) -> None:
        for name in PROGRAMS:
            self._state.ports.setdefault(name, free_port())
        self._launch(ETCD, [self._program(ETCD), *self._flags(ETCD)])
        self.start_component(API_SERVER, timeout)  # it waits for etcd itself

    def _start_on_a_free_port(self, name: str, start: Callable[[], None]) -> None:
        for attempt in range(ATTEMPTS):
            try:
                start()
            except PortTaken:
                if attempt == ATTEMPTS - 1:
                    raise
                self._state.ports[name] = free_port()
            else:
                return

    def _program(self, name: str) -> str:
        if self._programs is None:
            self._programs = binaries.provide()
        return self._programs.program(name)

    def _flags(self, name: str) -> list[str]:
        ports = self._state.ports
        if name == ETCD:
            return flags.etcd(ports[ETCD])
        if name == API_SERVER:
            # A test that reads the audit log must not lose what is before a rotation; days must not fill the disk.
            megabytes = 100 if self._detached else 100_000
            return flags.api_server(ports[ETCD], ports[API_SERVER], self._files.certificate, self.audit_log, megabytes)
        kubeconfig = self.directory / "kubeconfig-controller-manager"
        return flags.controllers(self._program(CONTROLLER_MANAGER), kubeconfig, ports[CONTROLLER_MANAGER])

    def _launch(self, name: str, command: list[str]) -> None:
        self._files.begin_log(name)
        self._state.processes[name] = spawn(
            command, log=self.log(name), directory=self.directory, detached=self._detached
        )
        self._files.write()

    def _wait_for(self, name: str, timeout: float, ready: str = "") -> None:
        """Return when a component serves; raise if it, or another one, has ended, or after the timeout."""
        deadline = time.monotonic() + timeout
        while True:
            serves = self._serves(name, ready)
            if (failure := self.failed()) is not None:  # first: a foreign process may answer on a port that was taken
                kind = PortTaken if "address already in use" in failure else StartFailed
                raise kind("the control plane did not start", failure)
            if serves:
                return
            if time.monotonic() > deadline:
                raise StartFailed(f"{name} was not ready within {timeout:g} s", self._files.last_lines(name))
            time.sleep(POLL)

    def _serves(self, name: str, ready: str) -> bool:
        port = self._state.ports[name]
        if name == CONTROLLER_MANAGER:
            return probe.serves(port, "/healthz", context=probe.unverified())
        if name != API_SERVER:
            return probe.serves(port, ready, below=500)
        context = probe.trusting(self._files.certificate)
        return context is not None and probe.serves(port, "/readyz", context=context, token=self.token())

    def _stop_all(self) -> None:
        etcd_runs = self._runs(ETCD)
        for name in reversed(self.components()):
            if (process := self._state.processes.pop(name, None)) is not None:
                # Without etcd nothing can stop in order.
                process.stop(PATIENCE.get(name, COMPANION_PATIENCE) if etcd_runs else 0.0)
        if self._files.exists():
            self._files.write()
