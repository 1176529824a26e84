"""Build the Go programs of the tests: `make test` does it first, so that no test waits for a compiler.

Usage: python -m tests.support.programs
"""

from __future__ import annotations

from tests.support import actionlint, gitops, helm, kustomize, olm, promtool

if __name__ == "__main__":
    for name in gitops.PROGRAMS:
        print(gitops.program(name))
    for module in (kustomize, helm, olm, promtool, actionlint):
        print(module.program())
