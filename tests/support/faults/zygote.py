"""Fork the operator from a process that has its modules loaded already.

A process of the operator needs more than a second of CPU to import its libraries, and a run of the harness starts two
or three. This program imports them once. Each line on its standard input asks for one process::

    {"arguments": ["run", "--kubeconfig", "..."], "log": "/path", "request_seconds": 0}

It answers with a line each: ``{"started": pid}`` and, when the process ends, ``{"ended": pid, "code": n}``. A forked
process is one like any other: it has a pid and a memory of its own, and dies of SIGKILL at once. It dies with its
parent.

Run as a script, so that it loads nothing of the tests.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Answer requests until standard input ends."""
    import_operator()
    gc.freeze()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    answer({"ready": True})
    rest = b""
    while True:
        ready, _, _ = select.select([0, reading], [], [])
        if reading in ready:
            os.read(reading, 4096)
            report_ended()
        if 0 in ready:
            if not (data := os.read(0, 65536)):
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                start(json.loads(line))


def import_operator() -> None:
    """Import what ``integration-operator run`` imports; nothing of it runs yet."""
    import cryptography.x509
    import keycloak

    import integration_operator.cli
    import integration_operator.host
    import integration_operator.manager

    assert cryptography.x509
    assert keycloak
    assert integration_operator.cli
    assert integration_operator.host
    assert integration_operator.manager


def start(request: dict[str, Any]) -> None:
    """Fork a process of the operator and answer with its pid."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        run(request, parent)
    answer({"started": pid})


def run(request: dict[str, Any], parent: int) -> None:
    """Become the operator; never return."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, target)
        if request["request_seconds"]:
            limit_requests(request["request_seconds"])
        from integration_operator.cli import app

        app(request["arguments"])
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def limit_requests(seconds: float) -> None:
    """Shorten the time limit of requests to the API server, which is no setting: half a minute is a long run."""
    from integration_operator.runtime.client import Client

    defaults = Client.__init__.__kwdefaults__
    assert defaults is not None
    assert "timeout" in defaults
    defaults["timeout"] = seconds


def report_ended() -> None:
    """Answer for each process that has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        answer({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def answer(document: dict[str, Any]) -> None:
    """Write one line."""
    os.write(1, json.dumps(document).encode() + b"\n")


if __name__ == "__main__":
    main()
