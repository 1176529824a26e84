"""Which runs there are: each boundary of each scenario with each fault that concerns it, in an order from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.support.faults.boundaries import Boundary
from tests.support.faults.faults import FAULTS, faults_at


@dataclass(frozen=True, slots=True)
class Spec:
    """One run: a scenario, and a fault at a boundary; without one it is played undisturbed, and recorded."""

    scenario: str
    fault: str = ""
    boundary: Boundary | None = None

    @property
    def key(self) -> str:
        """What identifies the run in a journal."""
        return f"{self.scenario} | {self.fault} | {self.boundary}" if self.boundary else self.scenario

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"scenario": self.scenario, "fault": self.fault, "boundary": _document(self.boundary)}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Spec:
        """Return the run that a document describes."""
        boundary = document["boundary"]
        return cls(document["scenario"], document["fault"], Boundary(**boundary) if boundary else None)


Recordings = Mapping[str, Sequence[Boundary]]
"""The boundaries of each scenario."""


def all_runs(recordings: Recordings) -> list[Spec]:
    """Return every run that the recordings ask for."""
    return [
        Spec(scenario, fault.name, boundary)
        for scenario, boundaries in recordings.items()
        for boundary in boundaries
        for fault in faults_at(boundary)
    ]


def uncovered(recordings: Recordings, runs: Iterable[Spec]) -> list[Spec]:
    """Return the runs that are missing for each boundary to meet each fault that concerns it."""
    there = {run.key for run in runs}
    return [run for run in all_runs(recordings) if run.key not in there]


def shuffled(runs: Iterable[Spec], seed: int) -> list[Spec]:
    """Return the runs in an order from a seed, so that a part of them is a sample of all."""
    order = sorted(runs, key=lambda run: run.key)
    random.Random(seed).shuffle(order)
    return order


def shares(scenarios: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Deal all faults out to scenarios: each scenario gets one or more, each fault goes to one scenario or more."""
    chance = random.Random(seed)
    faults, order = list(FAULTS), list(scenarios)
    chance.shuffle(faults)
    chance.shuffle(order)
    rounds = max(len(faults), len(order))
    dealt: dict[str, list[str]] = {scenario: [] for scenario in scenarios}
    for number in range(rounds):
        dealt[order[number % len(order)]].append(faults[number % len(faults)])
    return dealt


def pick(boundaries: Sequence[Boundary], fault: str, chance: random.Random) -> Boundary:
    """Return a boundary that a fault concerns, one that every run has if there is one."""
    concerned = [boundary for boundary in boundaries if FAULTS[fault].concerns(boundary)]
    certain = [boundary for boundary in concerned if not boundary.may_merge]
    return chance.choice(certain or concerned)


def _document(boundary: Boundary | None) -> dict[str, Any] | None:
    return asdict(boundary) if boundary is not None else None
