"""The commands as users run them: in a process, with its output in a pipe or on a terminal of 80 columns."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import NamedTuple

COLUMNS = 80
SECONDS = 60.0


class Answer(NamedTuple):
    """What a command printed; ``err`` is empty on a terminal, which shows both."""

    code: int
    out: str
    err: str
    seconds: float


async def piped(kubeconfig: Path | None, *arguments: str, text: str = "", **environment: str) -> Answer:
    """Run a command with its output in pipes, and ``text`` as its input."""
    began = time.monotonic()
    done = await asyncio.to_thread(
        subprocess.run,
        _command(arguments),
        input=text,
        capture_output=True,
        text=True,
        env=_environment(kubeconfig, environment),
        timeout=SECONDS,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Answer(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


async def on_terminal(
    kubeconfig: Path | None, *arguments: str, columns: int = COLUMNS, text: str = "", **environment: str
) -> Answer:
    """Run a command on a terminal of so many columns, with ``text`` typed on it."""
    return await asyncio.to_thread(_on_terminal, kubeconfig, arguments, columns, text, environment)


def _on_terminal(
    kubeconfig: Path | None, arguments: tuple[str, ...], columns: int, text: str, environment: dict[str, str]
) -> Answer:
    began = time.monotonic()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        _command(arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=_environment(kubeconfig, {"TERM": "xterm", **environment}),
    )
    os.close(theirs)
    os.write(ours, text.encode())
    read = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the last process has closed the terminal
            break
        if not part:
            break
        read += part
    code = process.wait(SECONDS)
    os.close(ours)
    return Answer(code, read.decode().replace("\r\n", "\n"), "", time.monotonic() - began)


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "integration_operator", *arguments]


def _environment(kubeconfig: Path | None, more: dict[str, str]) -> dict[str, str]:
    found = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **more}
    if "PYTHONPATH" in os.environ:
        found["PYTHONPATH"] = os.environ["PYTHONPATH"]
    return found if kubeconfig is None else {**found, "KUBECONFIG": str(kubeconfig)}
