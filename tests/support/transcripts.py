"""Golden transcripts: what a command printed, with what differs between two runs replaced.

``UPDATE_TRANSCRIPTS=1`` writes them anew; the difference in the repository is then what a reviewer reads.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.support.command_line import Answer

DIRECTORY = Path(__file__).parent / "transcripts"

UID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
HASH = re.compile(r"-[0-9a-f]{8}\b")
AGE = re.compile(r"(?<![\w.])(\d+m)?\d+s(?=\s|$)", re.MULTILINE)
VERSION = re.compile(r"(resourceVersion\"?: )(['\"])\d+(['\"])")
CONNECTION = re.compile(r"\bi-[0-9a-f]{20}\b")
EVENT = re.compile(r"(?<=\.syndesis\.)[a-z0-9]{5}\b")
ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
REPLACED = (
    (UID, "UID"),
    (TIME, "TIME"),
    (HASH, "-hhhhhhhh"),
    (CONNECTION, "i-hhhhhhhhhhhhhhhhhhhh"),
    (EVENT, "eeeee"),
    (ADDRESS, "127.0.0.1:PORT"),
)
PASSED = re.compile(r"(^  … .*\n)+(?=^  … )", re.MULTILINE)
"""States that a command that follows an Integration saw on the way: which ones depends on the speed."""
TAG = "xxxxxx"


def matches(name: str, tag: str, *answers: tuple[str, Answer]) -> None:
    """Compare what commands printed with the transcript of this name; ``tag`` is that of the test's namespaces."""
    text = comparable("\n".join(_shown(command, answer) for command, answer in answers).replace(tag, TAG))
    file = DIRECTORY / f"{name}.txt"
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        file.write_text(text)
    assert text == file.read_text(), f"{file}: run the test with UPDATE_TRANSCRIPTS=1, and read what changes"


def comparable(text: str) -> str:
    """Return what a command printed without what differs between two runs."""
    for pattern, replacement in REPLACED:
        text = pattern.sub(replacement, text)
    text = AGE.sub(lambda age: "Ns".ljust(len(age[0])), VERSION.sub(r"\1\2N\3", text))
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    return PASSED.sub("", text)


def _shown(command: str, answer: Answer) -> str:
    lines = [f"$ {command}", answer.out.rstrip("\n")]
    if answer.err:
        lines += [*(f"! {line}" for line in answer.err.rstrip("\n").splitlines())]
    if answer.code:
        lines += [f"[exit code {answer.code}]"]
    return "\n".join(filter(None, lines)) + "\n"
