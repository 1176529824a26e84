"""One control plane: etcd, kube-apiserver and kube-controller-manager on loopback, started and stopped in order.

Everything it has is in one directory: data, certificates, tokens, logs, kubeconfigs and ``state.json``, which says what
runs where. Without a directory of its own it makes a temporary one and removes it again. Any number run beside each
other, and nothing listens on anything but loopback.

Unless detached, the three die with this process, even where it is killed; a lock on the directory, which the kernel
lets go of with its holder, keeps two processes from running one control plane.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import secrets
import shutil
import socket
import ssl
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

import yaml

from integration_operator_sandbox import binaries
from integration_operator_sandbox.binaries import API_SERVER, CONTROLLER_MANAGER, ETCD, PROGRAMS, Binaries
from integration_operator_sandbox.errors import InUse, LocalClusterError, PortTaken, StartFailed
from integration_operator_sandbox.machine import LOOPBACK, free_port, remove_abandoned, write_private
from integration_operator_sandbox.process import Identity, Process, spawn

ATTEMPTS = 5  # a port that was free a moment ago is taken now and then; five times in a row it is something else
POLL = 0.05
SHOWN_LINES = 12  # of a component's log, when it failed
LOG_BEGINS = "---"
PATIENCE = {CONTROLLER_MANAGER: 5.0, API_SERVER: 15.0, ETCD: 5.0}
"""Seconds to end in; the API server answers what it is answering first."""
TEMPORARY = "integration-operator-plane-"
ABANDONED = 60.0  # seconds after which a temporary directory that nobody has locked is certainly nobody's

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],  # one line a request, when it has been answered
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True, slots=True)
class User:
    """Somebody the API server knows by a token."""

    name: str
    groups: tuple[str, ...] = ("system:masters",)


SERVICE_ACCOUNT = "system:serviceaccount:integration-operator:integration-operator"
USERS = {
    "admin": User("admin"),
    "person": User("person"),
    "bench": User("bench"),
    "enmasse": User("enmasse"),
    "syndesis": User("syndesis"),
    "controller-manager": User("system:kube-controller-manager"),
    "operator": User(
        SERVICE_ACCOUNT,
        ("system:serviceaccounts", "system:serviceaccounts:integration-operator", "system:authenticated"),
    ),
    "connection-controller": User(
        "system:serviceaccount:integration-operator:connection-controller",
        ("system:serviceaccounts", "system:serviceaccounts:integration-operator", "system:authenticated"),
    ),
}
"""By the name to ask for. Each acts under its own, so that the audit log tells them apart; the operator and the
connection controller have nothing but what RBAC grants the service accounts they are deployed with."""


class ControlPlane:
    """A running control plane. Made by ``start``, or found again by ``attach``."""

    def __init__(self, directory: Path, programs: Binaries | None, *, temporary: bool, detached: bool) -> None:
        self.directory = directory
        self.audit_log = directory / "audit.log"
        self._programs = programs
        self._temporary = temporary
        self._detached = detached
        self._ports: dict[str, int] = {}
        self._processes: dict[str, Process] = {}
        self._tokens: dict[str, str] = {}
        self._lock: IO[str] | None = None

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
        """Start all three, and return once they serve; what an earlier run left in the directory is used again.

        ``before_controllers`` is called when the API server serves and the controllers do not run yet: the garbage
        collector looks for new kinds every 30 s only, but knows at once what is there when it starts.
        ``detached`` ones live on when this process ends, and need a directory to be found in; one that runs already
        is returned as it is.
        """
        if detached and directory is None:
            raise LocalClusterError("a detached control plane needs a directory, or nobody could find it again")
        programs = programs or binaries.provide()
        remove_abandoned(TEMPORARY, ABANDONED)
        place = Path(tempfile.mkdtemp(prefix=TEMPORARY)) if directory is None else directory.absolute()
        plane = cls(place, programs, temporary=directory is None, detached=detached)
        plane._take_directory()
        try:
            if detached and plane._all_run():
                plane._unlock()
                return plane
            plane._prepare()
            for attempt in range(ATTEMPTS):
                try:
                    plane._start_serving(timeout)
                    break
                except PortTaken:
                    plane._stop_all()
                    plane._ports.clear()
                    if attempt == ATTEMPTS - 1:
                        raise
            if before_controllers is not None:
                before_controllers(plane)
            plane._start_controllers(timeout)
        except BaseException:
            plane.stop()
            raise
        if detached:
            plane._unlock()
        return plane

    @classmethod
    def attach(cls, directory: Path) -> ControlPlane | None:
        """The detached control plane that was started in a directory, whatever still runs of it; None without one."""
        plane = cls(directory.absolute(), None, temporary=False, detached=True)
        if not plane._state_file.exists():
            return None
        plane._read_state()
        return plane

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def server(self) -> str:
        """The address of the API server."""
        return f"https://{LOOPBACK}:{self._ports[API_SERVER]}"

    def stop(self) -> None:
        """Stop the controllers, the API server, then etcd, and remove a temporary directory.

        The order matters: without its etcd the API server hangs for minutes and keeps its port.
        """
        if self._lock is None and self._detached and self.directory.exists():
            self._take_directory()  # whoever starts it at this moment is waited for
        self._stop_all()
        self._unlock()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def failed(self) -> str | None:
        """Which component has ended by itself, how, and its last words; None while all that should run does."""
        for name, process in self._processes.items():
            if not process.runs():
                return f"{name} {process.ending()}; its last words:\n{self._last_words(name)}"
        return None

    def components(self) -> dict[str, bool]:
        """Each component, and whether it runs."""
        return {name: name in self._processes and self._processes[name].runs() for name in PROGRAMS}

    def process(self, name: str) -> Process:
        """The process of one component."""
        return self._processes[name]

    def stop_component(self, name: str) -> None:
        """Stop one component; ``failed`` does not count it as such."""
        self._processes.pop(name).stop(PATIENCE[name])
        self._write_state()

    def start_component(self, name: str, timeout: float = 60.0) -> None:
        """Start a component that was stopped, on the port it had, and wait until it serves."""
        self._launch(name)
        self._wait_for(name, timeout)

    def restart_controller_manager(self) -> None:
        """Make the controllers begin anew: the garbage collector learns of all kinds that are there now."""
        self.stop_component(CONTROLLER_MANAGER)
        self.start_component(CONTROLLER_MANAGER)

    def token(self, user: str = "admin") -> str:
        """The token of one of ``USERS``."""
        if user not in USERS:
            raise LocalClusterError(f"there is no user {user!r} here; there are {', '.join(sorted(USERS))}")
        return self._tokens[user]

    def kubeconfig(self, user: str = "admin") -> Path:
        """A kubeconfig for one of ``USERS``, readable by this account only."""
        path = self.directory / ("kubeconfig" if user == "admin" else f"kubeconfig-{user}")
        name = "integration-operator-local"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {
                        "server": self.server,
                        "certificate-authority-data": b64encode(self._certificate.read_bytes()).decode(),
                    },
                }
            ],
            "users": [{"name": user, "user": {"token": self.token(user)}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
        }
        write_private(path, yaml.safe_dump(document, sort_keys=False))
        return path

    @property
    def _certificate(self) -> Path:
        """The API server's own certificate and the authority that it made for it, which is what clients trust."""
        return self.directory / "certificates" / "apiserver.crt"

    @property
    def _state_file(self) -> Path:
        return self.directory / "state.json"

    def _log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def _all_run(self) -> bool:
        return all(self.components().values())

    def _take_directory(self) -> None:
        """Make the directory ours, and read what an earlier run wrote there.

        A detached control plane is locked only while it is started or stopped, and that is waited for.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.directory.chmod(0o700)
            self._lock = (self.directory / "lock").open("w")
        except OSError as error:
            raise LocalClusterError(f"cannot use {self.directory}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | (0 if self._detached else fcntl.LOCK_NB))
        except BlockingIOError:
            self._unlock()
            raise InUse(f"another process runs the control plane in {self.directory}") from None
        if self._state_file.exists():
            self._read_state()

    def _prepare(self) -> None:
        """End what is left of an earlier run, and write the files that the components read."""
        self._stop_all()
        self._ports = {name: port for name, port in self._ports.items() if _becomes_free(port, within=1.0)}
        (self.directory / "logs").mkdir(exist_ok=True)
        self._tokens = {user: self._tokens.get(user) or secrets.token_urlsafe(24) for user in USERS}
        rows = (
            f'{token},{USERS[user].name},{user},"{",".join(USERS[user].groups)}"'
            for user, token in self._tokens.items()
        )
        write_private(self.directory / "tokens.csv", "\n".join(rows) + "\n")
        write_private(self.directory / "audit-policy.yaml", yaml.safe_dump(AUDIT_POLICY))

    def _start_serving(self, timeout: float) -> None:
        for name in PROGRAMS:
            self._ports.setdefault(name, free_port())
        self._launch(ETCD)
        self._launch(API_SERVER)  # it waits for etcd itself
        self._wait_for(API_SERVER, timeout)

    def _start_controllers(self, timeout: float) -> None:
        self.kubeconfig("controller-manager")
        for attempt in range(ATTEMPTS):
            self._launch(CONTROLLER_MANAGER)
            try:
                self._wait_for(CONTROLLER_MANAGER, timeout)
            except PortTaken:
                if attempt == ATTEMPTS - 1:
                    raise
                self._ports[CONTROLLER_MANAGER] = free_port()
            else:
                return

    def _launch(self, name: str) -> None:
        if self._programs is None:
            self._programs = binaries.provide()
        command = [self._programs.program(name), *self._flags(name)]
        with self._log(name).open("a") as log:
            log.write(f"{LOG_BEGINS} {name} on port {self._ports[name]}\n")
        self._processes[name] = spawn(command, log=self._log(name), directory=self.directory, detached=self._detached)
        self._write_state()

    def _wait_for(self, name: str, timeout: float) -> None:
        """Return when the component serves; raise once it, or another, has ended, or the time is over."""
        deadline = time.monotonic() + timeout
        while True:
            serves = self._serves(name)
            if (failure := self.failed()) is not None:  # first, because a stranger may answer on a port that was taken
                kind = PortTaken if "address already in use" in failure else StartFailed
                raise kind("the control plane did not start", failure)
            if serves:
                return
            if time.monotonic() > deadline:
                raise StartFailed(f"{name} was not ready within {timeout:g} s", self._last_words(name))
            time.sleep(POLL)

    def _serves(self, name: str) -> bool:
        if name == CONTROLLER_MANAGER:  # its certificate is made up at each start and written nowhere
            context, path = ssl._create_unverified_context(), "/healthz"  # noqa: S323
        elif name == API_SERVER and self._certificate.exists():
            try:
                context, path = ssl.create_default_context(cafile=str(self._certificate)), "/readyz"
            except ssl.SSLError:  # half written
                return False
        else:
            return False
        connection = http.client.HTTPSConnection(LOOPBACK, self._ports[name], timeout=5, context=context)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self._tokens['admin']}"})
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _flags(self, name: str) -> list[str]:
        etcd = f"http://{LOOPBACK}:{self._ports[ETCD]}"
        key = self._certificate.with_suffix(".key")
        if name == ETCD:
            peer = f"http://{LOOPBACK}:2380"  # of a member without peers, so never dialled
            return [
                "--data-dir=etcd",
                "--unsafe-no-fsync",  # what a crash of the machine would lose is not worth the time
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls=http://{LOOPBACK}:0",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--quota-backend-bytes=8589934592",  # the most that etcd suggests; a benchmark outgrows the default
                "--log-level=warn",
            ]
        if name == API_SERVER:
            return [
                f"--etcd-servers={etcd}",
                f"--bind-address={LOOPBACK}",
                f"--secure-port={self._ports[API_SERVER]}",
                f"--advertise-address={LOOPBACK}",
                "--endpoint-reconciler-type=none",  # a Service may not point at loopback, and nobody needs this one
                f"--cert-dir={self._certificate.parent}",
                "--token-auth-file=tokens.csv",
                "--authorization-mode=RBAC",
                "--service-account-issuer=https://kubernetes.default.svc",
                # It makes this key before it reads it, so no tool for making keys is needed.
                f"--service-account-signing-key-file={key}",
                f"--service-account-key-file={key}",
                "--disable-admission-plugins=ServiceAccount",  # there are no pods for it to look after
                "--service-cluster-ip-range=10.0.0.0/24",
                "--audit-policy-file=audit-policy.yaml",
                f"--audit-log-path={self.audit_log}",
                "--audit-log-mode=blocking",  # who has an answer finds it in the log
                # In megabytes: who reads along must not lose what is before a rotation; what runs for days must end.
                f"--audit-log-maxsize={100 if self._detached else 100_000}",
                "--audit-log-maxbackup=1",
                "--max-requests-inflight=2000",
                "--max-mutating-requests-inflight=1000",
            ]
        return [
            f"--kubeconfig={self.directory / 'kubeconfig-controller-manager'}",
            "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller",
            "--leader-elect=false",
            "--use-service-account-credentials=false",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={self._ports[CONTROLLER_MANAGER]}",
            # Thousands of objects are collected as fast as the API server can, not at the default 20 a second.
            "--kube-api-qps=2000",
            "--kube-api-burst=4000",
            "--concurrent-gc-syncs=40",
        ]

    def _stop_all(self) -> None:
        etcd_runs = self.components()[ETCD]
        for name in reversed(PROGRAMS):
            if (process := self._processes.pop(name, None)) is not None:
                process.stop(PATIENCE[name] if etcd_runs else 0.0)  # without etcd, nothing is left to end in order
        if self._state_file.exists():
            self._write_state()

    def _last_words(self, name: str) -> str:
        try:
            lines = self._log(name).read_text(errors="replace").splitlines()
        except OSError:
            return "(none)"
        begins = max((i for i, line in enumerate(lines) if line.startswith(LOG_BEGINS)), default=-1)
        return "\n".join(line[:300] for line in lines[begins + 1 :][-SHOWN_LINES:])

    def _write_state(self) -> None:
        state = {
            "ports": self._ports,
            "processes": {name: asdict(process.identity) for name, process in self._processes.items()},
            "tokens": self._tokens,
        }
        new = self._state_file.with_suffix(".new")
        write_private(new, json.dumps(state, indent=2))
        new.replace(self._state_file)

    def _read_state(self) -> None:
        try:
            state: dict[str, Any] = json.loads(self._state_file.read_text())
            self._ports = {name: int(port) for name, port in state["ports"].items()}
            self._processes = {name: Process(Identity(**found)) for name, found in state["processes"].items()}
            self._tokens = dict(state["tokens"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LocalClusterError(f"{self._state_file} cannot be read: remove {self.directory}") from error

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _becomes_free(port: int, within: float) -> bool:
    """Whether a port can be had again; what was killed a moment ago may not have let go of it yet."""
    deadline = time.monotonic() + within
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the components do: TIME_WAIT is no owner
            probe.bind((LOOPBACK, port))
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
