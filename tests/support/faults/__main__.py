"""Run a campaign: ``python -m tests.support.faults``. ``make faults`` does this."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import random
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tests.support.faults.campaign import Campaign
from tests.support.faults.faults import FAULTS
from tests.support.faults.journal import Journal
from tests.support.faults.plan import Spec, uncovered
from tests.support.faults.progress import Progress
from tests.support.faults.report import write_report
from tests.support.faults.scenarios import SCENARIOS

ROOT = Path(__file__).parents[3]
SOURCES = ("operator", "sandbox", "templates", "crds", "tests/support")


def main() -> int:
    """Run, or go on with, a campaign; return 1 if an invariant was violated, or a boundary not covered or reached."""
    options = _options()
    journal = _journal(options)
    seed = journal.header["seed"]
    print(f"seed {seed}, journal {options.journal}; the same command goes on with it", file=sys.stderr)
    progress = Progress()
    scenarios = options.scenarios or list(SCENARIOS)

    def choose(spec: Spec) -> bool:
        return (not options.faults or spec.fault in options.faults) and options.matching in spec.key

    began = time.monotonic()
    campaign = Campaign(
        journal,
        scenarios,
        seed,
        options.workers,
        limit=options.runs,
        quiet_at_rest=options.quiet,
        choose=choose,
        show=progress.show,
    )
    asyncio.run(campaign.execute())
    print(f"\n{time.monotonic() - began:.0f} s", file=sys.stderr)
    if options.report:
        write_report(options.report, journal)
    complete = not (options.runs or options.faults or options.scenarios or options.matching)
    missing = uncovered(journal.recordings, (e.spec for e in journal.entries.values())) if complete else []
    for spec in missing:
        print(f"not covered: {spec.key}", file=sys.stderr)
    failed = [e for e in journal.entries.values() if e.result == "violated"]
    failed += [e for e in journal.entries.values() if e.result == "unreached" and not _may_be_absent(e.spec)]
    for entry in failed:
        print(f"{entry.result}: {entry.spec.key}", file=sys.stderr)
    return 1 if failed or missing else 0


def _may_be_absent(spec: Spec) -> bool:
    return spec.boundary is not None and spec.boundary.may_merge


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="Order of the runs. Default: the journal's, or a random one.")
    parser.add_argument("--workers", type=int, default=max(2, (os.cpu_count() or 2) * 3 // 2))
    parser.add_argument("--runs", type=int, default=0, help="The most runs. Default: all.")
    parser.add_argument("--scenarios", nargs="*", choices=list(SCENARIOS))
    parser.add_argument("--faults", nargs="*", choices=list(FAULTS))
    parser.add_argument("--matching", default="", help="Only runs with this text in their key, as a violation has it.")
    parser.add_argument("--quiet", type=float, default=60.0, help="Seconds without a request, once for each scenario.")
    parser.add_argument("--journal", type=Path, default=ROOT / "build" / "faults" / "journal.jsonl")
    parser.add_argument("--report", type=Path, help="Write the page with the results here.")
    return parser.parse_args()


def _journal(options: argparse.Namespace) -> Journal:
    """Open the journal of these sources; one of other sources is begun anew."""
    header = {"sources": _fingerprint(_files(ROOT / source for source in SOURCES)), "seed": options.seed}
    if options.seed is None:
        header["seed"] = Journal.seed_of(options.journal, header["sources"]) or random.randrange(1, 1_000_000)
    return Journal(options.journal, header)


def _files(directories: Iterable[Path]) -> list[Path]:
    return sorted(
        file for d in directories for file in d.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    )


def _fingerprint(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
