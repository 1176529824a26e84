"""The file that describes a control plane: which process runs on which port, and the users' tokens."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from integration_operator_sandbox.errors import SandboxError
from integration_operator_sandbox.localhost.machine import write_private
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
