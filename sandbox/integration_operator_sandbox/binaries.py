"""Where the three programs of the control plane are, and how they come there.

``KUBEBUILDER_ASSETS`` names a directory that has them (the layout of controller-runtime's envtest); otherwise they are
built once from their own Go modules and kept in the user's cache directory, one entry for each set of versions.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from integration_operator_sandbox import building
from integration_operator_sandbox.errors import BinariesMissing, LocalClusterError
from integration_operator_sandbox.toolchain import find_go

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
PROGRAMS = (ETCD, API_SERVER, CONTROLLER_MANAGER)

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory that holds the three programs."""

    directory: Path

    def program(self, name: str) -> str:
        """The path of one of ``PROGRAMS``."""
        return str(self.directory / name)

    def missing(self) -> list[str]:
        """The programs that are not there, or cannot be run."""
        return [name for name in PROGRAMS if not os.access(self.directory / name, os.X_OK)]


def provide(environ: Mapping[str, str] = os.environ) -> Binaries:
    """The programs; built first where they are neither given nor cached."""
    if (found := locate(environ)) is not None:
        return found
    entry = cache_entry(environ)
    go = find_go(go_version(), environ)
    building.build(building.Plan(entry, go, module(), kubernetes_version(), PROGRAMS), environ)
    return Binaries(entry)


def locate(environ: Mapping[str, str] = os.environ) -> Binaries | None:
    """The programs as ``KUBEBUILDER_ASSETS`` gives them, or as an earlier build left them; None where one is needed."""
    if assets := environ.get("KUBEBUILDER_ASSETS"):
        given = Binaries(Path(assets))
        if missing := given.missing():
            raise BinariesMissing(
                f"KUBEBUILDER_ASSETS is {assets}, which lacks {' and '.join(missing)}: add what is missing, "
                "or unset the variable to have all three built"
            )
        return given
    cached = Binaries(cache_entry(environ))
    return None if cached.missing() else cached


def module() -> Path:
    """The Go module that names the versions."""
    return Path(str(resources.files(__package__) / "components"))


def go_version() -> str:
    """The oldest Go that can build the module."""
    return _line(r"^go (\S+)$")


def kubernetes_version() -> str:
    """The Kubernetes release that the module requires, such as ``v1.36.3``."""
    return _line(r"^\s+k8s\.io/kubernetes (\S+)$")


def cache_entry(environ: Mapping[str, str] = os.environ) -> Path:
    """The directory in the user's cache for exactly these versions on this kind of machine."""
    root = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".cache")
    target = f"{sys.platform}-{_architecture()}"
    digest = hashlib.sha256(target.encode())
    for name in ("go.mod", "go.sum"):
        digest.update((module() / name).read_bytes())
    key = f"{kubernetes_version()}-{target}-{digest.hexdigest()[:12]}"
    return Path(root) / "integration-operator" / "controlplane" / key


def _architecture() -> str:
    machine = platform.machine().lower()
    if not sys.platform.startswith("linux") or machine not in ARCHITECTURES:
        raise LocalClusterError(
            f"the local control plane runs on Linux (amd64, arm64), this is {sys.platform} on {machine}: "
            "use the kubeconfig of another cluster"
        )
    return ARCHITECTURES[machine]


def _line(pattern: str) -> str:
    found = re.search(pattern, (module() / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise LocalClusterError(f"{module() / 'go.mod'} has no line {pattern}: the installation is damaged")
    return found[1]
