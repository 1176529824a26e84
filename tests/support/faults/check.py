"""Check that fault runs find defects: ``python -m tests.support.faults.check``. ``make faults-check`` does this.

Each defect of ``planted.py`` is put into a copy of the operator, and runs are tried until one of them violates an
invariant. The page that is written names that run.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.faults.campaign import WorkerProcess
from tests.support.faults.journal import Entry
from tests.support.faults.plan import Spec, all_runs, shuffled
from tests.support.faults.planted import DEFECTS, Defect

MOST_RUNS = 40
"""Runs that are tried for one defect."""
QUIET_AT_REST = 3.0

INTRODUCTION = """\
# Do fault runs find defects?

`make faults-check` writes this page. It puts one defect at a time into a copy of the operator and plays a scenario,
first undisturbed, then with faults, until an invariant is violated ([reliability](reliability.md)). Each defect must be
found.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one defect: the run that found it, None if none did, and how many runs were tried."""

    title: str
    defect: Defect
    found_by: Entry | None
    runs: int


def main() -> int:
    """Try each defect; return 1 if one is not found."""
    parser = argparse.ArgumentParser(prog="faults-check", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="Order of the runs.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--matching", default="", help="Only defects whose title has a match of this pattern.")
    parser.add_argument("--report", type=Path, help="Write the page with the results here.")
    options = parser.parse_args()
    chosen = [title for title in DEFECTS if re.search(options.matching, title)]
    findings = asyncio.run(_try_all(chosen, options.seed, options.workers))
    if options.report:
        options.report.write_text("\n".join(_page(findings)) + "\n")
    return 0 if all(finding.found_by for finding in findings) else 1


async def _try_all(titles: list[str], seed: int, workers: int) -> list[Finding]:
    findings: dict[str, Finding] = {}
    left = list(reversed(titles))

    async def work() -> None:
        while left:
            title = left.pop()
            finding = findings[title] = await _try(title, seed)
            found = f"found by {finding.found_by.spec.key}" if finding.found_by else "NOT FOUND"
            print(f"{len(findings)}/{len(titles)} {title}: {found}, run {finding.runs}", file=sys.stderr, flush=True)

    await asyncio.gather(*(work() for _ in range(workers)))
    return [findings[title] for title in titles]


async def _try(title: str, seed: int) -> Finding:
    """Play the scenario of a defect until an invariant is violated."""
    defect = DEFECTS[title]
    with tempfile.TemporaryDirectory(prefix="integration-operator-defect-") as directory:
        worker = await WorkerProcess.start(defect.plant(Path(directory)))
        try:
            tried = 0
            recorded = await worker.execute(Spec(defect.scenario), QUIET_AT_REST)
            runs = _runs(defect, recorded, seed)
            entry = recorded
            while entry is not None and not entry.problems and tried < len(runs):
                entry = await worker.execute(runs[tried], QUIET_AT_REST)
                tried += 1
            assert entry is not None, f"the worker ended or hung: {title}"
            return Finding(title, defect, entry if entry.problems else None, tried + 1)
        finally:
            await worker.stop()


def _runs(defect: Defect, recorded: Entry | None, seed: int) -> list[Spec]:
    if recorded is None or not defect.faults:
        return []
    runs = all_runs({defect.scenario: recorded.boundaries})
    chosen = [run for run in runs if run.fault in defect.faults and defect.matching in run.key]
    return shuffled(chosen, seed)[:MOST_RUNS]


def _page(findings: list[Finding]) -> Iterator[str]:
    found = [finding for finding in findings if finding.found_by]
    yield INTRODUCTION
    yield f"**{len(findings)} defects, {len(found)} found.**\n"
    yield "| defect | found by | run | violated |"
    yield "| --- | --- | --- | --- |"
    for finding in findings:
        entry = finding.found_by
        if entry is None:
            yield f"| {finding.title} | **not found** | {finding.runs} | |"
            continue
        spec = entry.spec
        run = f"{spec.scenario}, {spec.fault} at `{_general(str(spec.boundary))}`" if spec.boundary else spec.scenario
        problem = _general(entry.problems[0]).replace("|", "\\|")
        yield f"| {finding.title} | {run} | {finding.runs} | {problem[:200]} |"


def _general(text: str) -> str:
    """Return a text without what differs from run to run."""
    return re.sub(r"\b[0-9a-f]{8}\b", "*", " ".join(text.split()))


if __name__ == "__main__":
    sys.exit(main())
