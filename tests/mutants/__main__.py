"""Try mutants: ``python -m tests.mutants``. ``make mutants`` does this."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.mutations import Mutation, mutations_of
from tests.mutants.plugin import MUTANT, RECORD, SELECTION

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "integration_operator"
MUTATED = ("domain", "runtime", "controllers")
TESTS = ("tests/unit", "tests/fuzz", "tests/faults", *map(str, sorted(Path("tests/compat").glob("test_syndesis_*.py"))))
PYTEST = (
    sys.executable,
    "-m",
    "pytest",
    "-q",
    "-p",
    "tests.mutants.plugin",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
)

Tests = dict[str, dict[str, Any]]
"""By id: ``seconds``, and the ``functions`` that the test executes, as file and first line."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of a file; the file's path is relative to the package."""

    file: str
    mutation: Mutation

    def __str__(self) -> str:
        return f"{self.file}:{self.mutation.line} {self.mutation.text}"

    @property
    def environment(self) -> str:
        """What the plugin needs to know of it."""
        module = "integration_operator." + self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return json.dumps([module, str(PACKAGE / self.file), self.mutation.number])

    def tests(self, tests: Tests) -> list[str]:
        """Return the tests that execute it, the fastest first."""
        functions = [self.file, self.mutation.function]
        in_module = self.mutation.function == 0
        concerned = [
            name
            for name, test in tests.items()
            if (any(f[0] == self.file for f in test["functions"]) if in_module else functions in test["functions"])
        ]
        return sorted(concerned, key=lambda name: float(tests[name]["seconds"]))


def main() -> int:
    """Try a sample of mutants; return 1 if fewer are killed than asked for."""
    options = _options()
    build: Path = options.directory
    build.mkdir(parents=True, exist_ok=True)
    tests = _recorded(build / "tests.json")
    mutants = _sample(options.seed, options.mutants)
    before = json.loads(options.again.read_text())["results"] if options.again else {}
    results = {mutant: "killed" for mutant in mutants if before.get(str(mutant)) == "killed"}
    left = [mutant for mutant in mutants if mutant not in results]
    print(f"seed {options.seed}: {len(left)} of {len(mutants)} mutants, {len(tests)} tests", file=sys.stderr)
    results |= asyncio.run(_try_all(left, tests, build, options.workers))
    counts = Counter(results.values())
    share = counts["killed"] / max(1, len(results))
    survivors = [str(mutant) for mutant, result in results.items() if result != "killed"]
    (build / "result.json").write_text(
        json.dumps({"seed": options.seed, "results": {str(m): r for m, r in results.items()}})
    )
    for survivor in sorted(survivors):
        print(f"survived: {survivor}")
    print(f"{counts['killed']} of {len(results)} killed ({share:.0%})")
    return 0 if share >= options.at_least else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--at-least", type=float, default=0.9, help="Share that has to be killed.")
    parser.add_argument(
        "--again",
        type=Path,
        metavar="RESULT",
        help="Try only those that an earlier result.json, of the same code, left.",
    )
    parser.add_argument("--directory", type=Path, default=ROOT / "build" / "mutants")
    return parser.parse_args()


def _sample(seed: int, number: int) -> list[Mutant]:
    """Return a random sample of all mutants."""
    files = sorted(file for directory in MUTATED for file in (PACKAGE / directory).rglob("*.py"))
    every = [
        Mutant(str(file.relative_to(PACKAGE)), mutation)
        for file in files
        for mutation in mutations_of(file.read_text())
    ]
    return random.Random(seed).sample(every, min(number, len(every)))


def _recorded(file: Path) -> Tests:
    """Run all tests once, unchanged, and note which functions they execute; take the file if it is newer."""
    sources = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    if not file.exists() or file.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        print("noting which functions each test executes …", file=sys.stderr)
        environment = {**os.environ, RECORD: str(file)}
        os.spawnve(os.P_WAIT, sys.executable, [*PYTEST, "-m", "not faults", *_existing(TESTS)], environment)
    tests: Tests = json.loads(file.read_text())
    failed = [name for name, test in tests.items() if test.get("failed")]
    if failed:
        print(f"left out, because they fail unchanged while functions are noted: {failed}", file=sys.stderr)
    return {name: test for name, test in tests.items() if not test.get("failed") and "functions" in test}


def _existing(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if (ROOT / path).exists()]


async def _try_all(mutants: list[Mutant], tests: Tests, build: Path, workers: int) -> dict[Mutant, str]:
    results: dict[Mutant, str] = {}
    left, began = list(reversed(mutants)), time.monotonic()

    async def worker(number: int) -> None:
        while left:
            mutant = left.pop()
            results[mutant] = await _try(mutant, tests, build / f"selection-{number}.json")
            killed, seconds = sum(r == "killed" for r in results.values()), time.monotonic() - began
            rest = seconds / len(results) * len(left)
            print(f"{len(results)} of {len(mutants)}, {killed} killed, {rest:.0f} s left: {mutant}", file=sys.stderr)

    await asyncio.gather(*(worker(number) for number in range(workers)))
    return results


async def _try(mutant: Mutant, tests: Tests, selection: Path) -> str:
    """Run the tests on a mutant: ``killed``, ``survived``, or ``not executed`` if there are none."""
    chosen = mutant.tests(tests)
    if not chosen:
        return "not executed"
    selection.write_text(json.dumps(chosen))
    files = sorted({test.partition("::")[0] for test in chosen})
    limit = 60 + 5 * sum(float(tests[test]["seconds"]) for test in chosen)
    environment = {**os.environ, MUTANT: mutant.environment, SELECTION: str(selection)}
    process = await asyncio.create_subprocess_exec(
        *PYTEST, "-x", "--timeout", "60", *files,
        env=environment, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        code = await asyncio.wait_for(process.wait(), limit)
    except TimeoutError:
        process.kill()
        await process.wait()
        return "killed"
    return "survived" if code == 0 else "killed"


if __name__ == "__main__":
    sys.exit(main())
