"""The page that a campaign ends in: what was disturbed, how often, and what came of it."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from integration_operator import __version__
from integration_operator_sandbox.controlplane.binaries import kubernetes_version
from integration_operator_sandbox.platforms.keycloak.distribution import VERSION as KEYCLOAK
from tests.support.faults.boundaries import Sort
from tests.support.faults.faults import FAULTS
from tests.support.faults.journal import Entry, Journal
from tests.support.faults.plan import uncovered
from tests.support.faults.scenarios import SCENARIOS

INTRODUCTION = """\
# Reliability

`make faults` writes this page. It plays each scenario below once undisturbed, with a proxy between the operator and
every server, and records the *boundaries*: the writes, the LISTs of a start, and the events of watches. Then it plays
the scenario again for each boundary and each fault that concerns it. The operator is a process, which is killed with
SIGKILL and started again. After each run, code that shares nothing with the operator's decisions checks from outside:

1. There is exactly one user, Secret and connection for each pair that is delivered, and none for another.
2. The credential in EnMasse or Keycloak, in the Secret and in the connection is one, and never changes unasked, not
   even for a moment. A password is in the Secret before it is in a MessagingUser.
3. Nothing of others changes, and no user is deleted that is still wanted.
4. Nothing is being deleted for ever, and no finalizer is left without state over REST.
5. The operator is quiet: no request but watches for a second in each run, and for a minute once for each scenario. A
   restart at rest writes nothing.
6. No password or token is in any log, Event, status or metric.
7. Of several processes only the one that holds the Lease writes.
"""

SORTS: tuple[Sort, ...] = ("write", "event", "list")
MOST_LINES = 50


def write_report(file: Path, journal: Journal) -> None:
    """Write the page."""
    file.write_text("\n".join(_page(journal)) + "\n")


def _page(journal: Journal) -> Iterator[str]:
    entries = list(journal.entries.values())
    results = Counter(entry.result for entry in entries)
    boundaries = {(name, b) for name, recorded in journal.recordings.items() for b in recorded}
    missing = uncovered(journal.recordings, (entry.spec for entry in entries))
    yield INTRODUCTION
    yield "## Result\n"
    yield (
        f"**{len(boundaries)} boundaries in {len(journal.recordings)} scenarios, {len(FAULTS)} faults: "
        f"{len(entries)} runs, {results['good']} good, {results['violated']} violated, "
        f"{results['unreached']} unreached, {len(missing)} not done.**\n"
    )
    yield (
        "A run is unreached if its boundary did not appear in three tries: two reports of a status, or two events, may "
        "be one.\n"
    )
    yield "| | |\n| --- | --- |"
    for name, value in _circumstances(journal, entries):
        yield f"| {name} | {value} |"
    yield "\n## Scenarios\n"
    yield from _scenarios(journal, entries)
    yield "\n## Faults\n"
    yield "| fault | at | what happens | runs | violated |\n| --- | --- | --- | --- | --- |"
    for fault in FAULTS.values():
        runs = [entry for entry in entries if entry.spec.fault == fault.name]
        yield f"| {fault.name} | {fault.sort} | {fault.text} | {len(runs)} | {_violated(runs)} |"
    yield from _list("Violated", "violated", entries)
    yield from _list("Unreached", "unreached", entries)


def _circumstances(journal: Journal, entries: list[Entry]) -> Iterator[tuple[str, object]]:
    seconds = sum(entry.seconds for entry in entries)
    yield "date", f"{datetime.now(UTC):%Y-%m-%d}"
    yield "seed", journal.header["seed"]
    yield "operator", f"{__version__}, sources {journal.header['sources']}"
    yield "Kubernetes", kubernetes_version()
    yield "Keycloak", KEYCLOAK
    yield "EnMasse, Syndesis", "simulated by the sandbox"
    yield "Python", platform.python_version()
    yield "seconds for a run", f"{seconds / max(len(entries), 1):.1f} on average"


def _scenarios(journal: Journal, entries: list[Entry]) -> Iterator[str]:
    yield "| scenario | what happens | writes | events | LISTs | runs | violated |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, recorded in journal.recordings.items():
        text = (SCENARIOS[name].__doc__ or "").splitlines()[0].rstrip(".")
        counts = Counter(boundary.sort for boundary in recorded)
        runs = [entry for entry in entries if entry.spec.scenario == name]
        shown = " | ".join(str(counts[sort]) for sort in SORTS)
        yield f"| {name} | {text} | {shown} | {len(runs)} | {_violated(runs)} |"


def _list(title: str, result: str, entries: list[Entry]) -> Iterator[str]:
    lines = sorted({line for entry in entries if entry.result == result for line in _lines(entry)})
    if not lines:
        return
    yield f"\n## {title}\n"
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"* and {len(lines) - MOST_LINES} more"


def _lines(entry: Entry) -> Iterable[str]:
    spec = entry.spec
    at = f"`{spec.boundary}`" if spec.boundary else "undisturbed"
    problem = f": {entry.problems[0]}" if entry.problems else ""
    yield f"* {spec.scenario}, {spec.fault} at {at}{problem}"


def _violated(runs: list[Entry]) -> int:
    return sum(entry.result == "violated" for entry in runs)
