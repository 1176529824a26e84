"""Execute a program that dies when its parent does, even if the parent is killed.

Run as a script, ``parent_death_signal.py <pid of the parent> <program> <arguments>``, by ``process.spawn``. The kernel
sends the signal when the parent's *thread* that forked ends (prctl(2), PR_SET_PDEATHSIG), and keeps the setting across
execve. A separate script avoids running Python between fork and exec in a process that has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Set the parent-death signal, then execute the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        raise SystemExit(1)
    os.execv(program[0], program)  # noqa: S606  the caller's program, without a shell


if __name__ == "__main__":
    main()
