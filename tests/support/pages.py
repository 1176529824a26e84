"""Blocks of pages that a reader copies: what is in them, what a comment before them says, and a shell that runs them.

A comment before a block is one of

* ``<!-- not run: REASON -->``: no test runs it;
* ``<!-- shown by tests/FILE.py::TEST -->``: that test does what the block does;
* ``<!-- first: COMMAND -->``: what is run before the block, and concerns no reader. There may be several.

Without one of the first two, a block is run. In a ``console`` block, a line that begins with ``$`` is a command, and
what follows is its output; ``…`` is any output, a line of it any lines. A block without such a line has commands alone.
In a ``yaml`` block are objects to apply.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.gitops import program
from tests.support.transcripts import comparable

ROOT = Path(__file__).parents[2]
LANGUAGES = ("console", "bash", "sh", "yaml")
BLOCK = re.compile(r"((?:^ *<!-- [^\n]* -->\n\n?)*)^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!-- (not run: |shown by |first: )(.+) -->")
PROGRESS = "  … "
"""What a line begins with that a command prints while it follows an Integration."""
SECONDS = 60.0


@dataclass(frozen=True)
class Command:
    """A command, and what it prints; ``output`` is None if the page does not say that."""

    text: str
    output: str | None = None


@dataclass(frozen=True)
class Block:
    """A block of a page."""

    page: str
    line: int
    language: str
    text: str
    comments: list[tuple[str, str]] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """Why it is not run, or which test shows it; empty if it is to be run."""
        return next((text for kind, text in self.comments if kind != "first: "), "")

    @property
    def commands(self) -> list[Command]:
        """What is to be run, in its order."""
        first = [Command(text) for kind, text in self.comments if kind == "first: "]
        if self.language == "yaml":
            return [*first, Command(f"kubectl apply --validate=strict -f - <<'END'\n{self.text}END")]
        return [*first, *_commands(self.text)]


def _commands(text: str) -> Iterator[Command]:
    if not re.search(r"^\$ ", text, re.MULTILINE):
        yield from map(Command, filter(None, text.replace("\\\n", " ").splitlines()))
        return
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Command(command, output)


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page, by its path in the repository."""
    text = (ROOT / page).read_text()
    return [
        Block(
            page,
            text.count("\n", 0, match.start(2)) + 1,
            match[3],
            _unindented(match[4], match[2]),
            _comments(match[1]),
        )
        for match in BLOCK.finditer(text)
        if match[3] in LANGUAGES
    ]


def _unindented(text: str, indent: str) -> str:
    return re.sub(f"^{indent}", "", text, flags=re.MULTILINE)


def _comments(text: str) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in COMMENT.finditer(text)]


class Shell:
    """A shell in a directory that looks like a checkout, with the commands of the project and kubectl on its path."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self._home, self._variables = directory / "home", directory / "variables"
        self._checkout, self._directory = directory / "checkout", directory / "directory"
        for path in (self._home, self._checkout):
            path.mkdir()
        for path in ("crds", "deploy", "templates"):
            (self._checkout / path).symlink_to(ROOT / path)
        (self._checkout / ".venv").symlink_to(Path(sys.prefix))
        programs = [Path(sys.executable).parent, Path(program("kubectl")).parent]
        path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        self._environment = {"PATH": path, "HOME": str(self._home), "LANG": "C.UTF-8", **environment}
        self._variables.touch()
        self._directory.write_text(str(self._checkout))

    def run(self, block: Block) -> None:
        """Run a block. Fail if a command fails, or prints something else than the page says."""
        for command in block.commands:
            code, output = self._run(command.text)
            where = f"{block.page}:{block.line}: {command.text}"
            assert code == 0, f"{where}\n{output}"
            if command.output is not None:
                expected = _pattern(command.output)
                assert expected.fullmatch(_one_space(output)), (
                    f"{where} printed\n{output}\nthe page has\n{command.output}"
                )

    def _run(self, command: str) -> tuple[int, str]:
        """Run one command, with the directory and the variables that the last one left."""
        script = (
            f'source {self._variables}; cd "$(cat {self._directory})"\n{command}\n'
            f"code=$?; export -p > {self._variables}; pwd > {self._directory}; exit $code"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return done.returncode, done.stdout


def _one_space(text: str) -> str:
    """Return comparable lines; the width of columns does not count."""
    return re.sub(r"(?<=\S) +", " ", comparable(text))


def _pattern(output: str) -> re.Pattern[str]:
    """Return what an output has to match; ``…`` is anything, a line of it any lines."""
    lines = []
    for line in _one_space(output).splitlines():
        if line.strip() == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            begin = PROGRESS if line.startswith(PROGRESS) else ""
            lines.append(re.escape(begin) + ".*".join(map(re.escape, line[len(begin) :].split("…"))) + r"\n")
    return re.compile("".join(lines))
