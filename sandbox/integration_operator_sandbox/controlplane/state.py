"""Files of a control plane: ``state.json``, logs, certificate, and the lock that lets one process change them.

``state.json`` says which process runs on which port, and has the users' tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from integration_operator_sandbox.errors import InUse, SandboxError
from integration_operator_sandbox.localhost.machine import DirectoryLock, write_private
from integration_operator_sandbox.localhost.process import Identity, Process


@dataclass(slots=True)
class State:
    """Ports and processes by the name of the component, tokens by the name of the user."""

    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> State:
        """Return what ``write`` has written. Raises ``SandboxError`` if the file is damaged."""
        try:
            state: dict[str, Any] = json.loads(file.read_text())
            return cls(
                ports={name: int(port) for name, port in state["ports"].items()},
                processes={name: Process(Identity(**identity)) for name, identity in state["processes"].items()},
                tokens=dict(state["tokens"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SandboxError(f"{file} cannot be read: remove {file.parent}") from error

    def write(self, file: Path) -> None:
        """Replace the file in one step."""
        document = {
            "ports": self.ports,
            "processes": {name: asdict(process.identity) for name, process in self.processes.items()},
            "tokens": self.tokens,
        }
        new = file.with_suffix(".new")
        write_private(new, json.dumps(document, indent=2))
        new.replace(file)


SHOWN_LINES = 12  # of a component's log if it failed
LOG_BEGINS = "---"


class StateDirectory:
    """The directory of one control plane.

    Without ``shared``, one object holds the lock as long as the control plane runs. With ``shared``, the lock is held
    only while something changes, and others wait for it.
    """

    def __init__(self, path: Path, *, shared: bool) -> None:
        self.path = path
        self.state = State()
        self._shared = shared
        self._lock = DirectoryLock(path)

    @property
    def certificate(self) -> Path:
        """The API server's certificate with the authority that it created for it, which is what clients trust."""
        return self.path / "certificates" / "apiserver.crt"

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.path / "logs" / f"{name}.log"

    def begin_log(self, name: str) -> None:
        """Mark where the log of a new process begins."""
        self.log(name).parent.mkdir(exist_ok=True)
        with self.log(name).open("a") as log:
            log.write(f"{LOG_BEGINS} {name} on port {self.state.ports[name]}\n")

    def last_lines(self, name: str) -> str:
        """Return the last log lines of the latest process of that name."""
        try:
            lines = self.log(name).read_text(errors="replace").splitlines()
        except OSError:
            return "(none)"
        begins = max((i for i, line in enumerate(lines) if line.startswith(LOG_BEGINS)), default=-1)
        return "\n".join(line[:300] for line in lines[begins + 1 :][-SHOWN_LINES:])

    def exists(self) -> bool:
        """Return True if a control plane was started here."""
        return self._state_file.exists()

    def read(self) -> None:
        """Read the state that an earlier run has written, if any."""
        if self.exists():
            self.state = State.read(self._state_file)

    def write(self) -> None:
        """Write the state."""
        self.state.write(self._state_file)

    def lock(self) -> None:
        """Take the lock and read the state. Raises ``InUse`` if another process runs the control plane."""
        if not self._lock.acquire(wait=self._shared):
            raise InUse(f"another process runs the control plane in {self.path}")
        self.read()

    def unlock(self) -> None:
        """Release the lock."""
        self._lock.release()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock during the block, unless this object holds it already."""
        if self._lock.held or not self._shared or not self.path.exists():
            yield
            return
        self.lock()
        try:
            yield
        finally:
            self.unlock()

    @property
    def _state_file(self) -> Path:
        return self.path / "state.json"
