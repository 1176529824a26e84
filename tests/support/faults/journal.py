"""The journal of a campaign: a line of JSON for each run that is done, so that it can go on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.faults.boundaries import Boundary
from tests.support.faults.plan import Spec


@dataclass(frozen=True, slots=True)
class Entry:
    """A run that is done."""

    spec: Spec
    problems: tuple[str, ...]
    reached: bool
    seconds: float
    phases: dict[str, float] = field(default_factory=dict)
    boundaries: tuple[Boundary, ...] = ()
    report: tuple[str, ...] = ()

    @property
    def result(self) -> str:
        """``good``, ``violated``, or ``unreached`` if the fault was never injected."""
        if self.problems:
            return "violated"
        return "good" if self.reached or self.spec.boundary is None else "unreached"


class Journal:
    """The entries of one campaign in a file. Its first line says what the campaign is of."""

    def __init__(self, file: Path, header: dict[str, Any]) -> None:
        """Open a journal, and read it if it has the same header; else begin a new one."""
        self.header = header
        self.entries: dict[str, Entry] = {}
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = file.read_text().splitlines() if file.exists() else []
        if not lines or json.loads(lines[0]) != header:
            file.write_text(json.dumps(header) + "\n")
            return
        for entry in _entries(lines[1:]):
            self.entries[entry.spec.key] = entry

    @staticmethod
    def seed_of(file: Path, sources: str) -> int | None:
        """Return the seed of a journal of the same sources; None if there is none."""
        if not file.exists() or not (first := file.open().readline()):
            return None
        header = json.loads(first)
        return header["seed"] if header["sources"] == sources else None

    def add(self, entry: Entry) -> None:
        """Note a run."""
        self.entries[entry.spec.key] = entry
        document = {
            **entry.spec.document(),
            "problems": entry.problems,
            "reached": entry.reached,
            "seconds": round(entry.seconds, 3),
            "phases": {name: round(seconds, 3) for name, seconds in entry.phases.items()},
            "boundaries": [[b.server, b.sort, b.what, b.number] for b in entry.boundaries],
            "report": entry.report,
        }
        with self._file.open("a") as file:
            file.write(json.dumps(document) + "\n")

    @property
    def recordings(self) -> dict[str, tuple[Boundary, ...]]:
        """The boundaries of each scenario that was recorded."""
        return {e.spec.scenario: e.boundaries for e in self.entries.values() if e.spec.boundary is None}


def _entries(lines: list[str]) -> Iterator[Entry]:
    for line in lines:
        try:
            document = json.loads(line)
        except ValueError:  # the last line, if the campaign was killed
            continue
        yield Entry(
            Spec.of(document),
            tuple(document["problems"]),
            document["reached"],
            document["seconds"],
            document["phases"],
            tuple(Boundary(*boundary) for boundary in document["boundaries"]),
            tuple(document["report"]),
        )
