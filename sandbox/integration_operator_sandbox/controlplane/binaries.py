"""Where the three programs of the control plane are, and how they come there.

``KUBEBUILDER_ASSETS`` names a directory that has them (the layout of controller-runtime's envtest). envtest has no
controllers: if the directory has no kube-controller-manager, the sandbox's own program is built and used instead.
Without the variable all three are built once from their Go modules and kept in the user's cache directory, one entry
for each set of versions.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from integration_operator_sandbox.controlplane import build
from integration_operator_sandbox.controlplane.toolchain import find_go
from integration_operator_sandbox.errors import BinariesMissing, SandboxError

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "controller-manager"
PROGRAMS = (ETCD, API_SERVER, CONTROLLER_MANAGER)

KUBE_CONTROLLER_MANAGER = "kube-controller-manager"
"""Kubernetes' own program with these controllers, used only if ``KUBEBUILDER_ASSETS`` has it."""

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Binaries:
    """Paths of the three programs."""

    paths: Mapping[str, Path]

    @classmethod
    def inside(cls, directory: Path) -> Binaries:
        """Return the programs of a directory that has all three."""
        return cls({name: directory / name for name in PROGRAMS})

    @property
    def directory(self) -> Path:
        """Directory of etcd and kube-apiserver."""
        return self.paths[API_SERVER].parent

    def program(self, name: str) -> str:
        """Return the path of one of ``PROGRAMS``."""
        return str(self.paths[name])

    def missing(self) -> list[str]:
        """Return the programs that do not exist or cannot be executed."""
        return [name for name, path in self.paths.items() if not os.access(path, os.X_OK)]


def provide(environ: Mapping[str, str] = os.environ) -> Binaries:
    """Return the programs. Build first what is neither given nor cached."""
    if (located := locate(environ)) is not None:
        return located
    given = environ.get("KUBEBUILDER_ASSETS")
    programs = (CONTROLLER_MANAGER,) if given else PROGRAMS
    entry = cache_entry(environ, programs)
    go = find_go(go_version(), environ)
    build.build(build.Plan(entry, go, module(), kubernetes_version(), programs), environ)
    return _given(Path(given), entry) if given else Binaries.inside(entry)


def locate(environ: Mapping[str, str] = os.environ) -> Binaries | None:
    """Return the programs if nothing needs to be built: from ``KUBEBUILDER_ASSETS`` and from earlier builds.

    Raises ``BinariesMissing`` if ``KUBEBUILDER_ASSETS`` lacks etcd or kube-apiserver.
    """
    built = Binaries.inside(cache_entry(environ))
    if assets := environ.get("KUBEBUILDER_ASSETS"):
        alone = cache_entry(environ, (CONTROLLER_MANAGER,))
        found = _given(Path(assets), built.directory if not built.missing() else alone)
        missing = found.missing()
        if given := [name for name in missing if name != CONTROLLER_MANAGER]:
            raise BinariesMissing(
                f"KUBEBUILDER_ASSETS is {assets}, which lacks {' and '.join(given)}: add what is missing, "
                "or unset the variable to build all three"
            )
    else:
        found, missing = built, built.missing()
    return None if missing else found


def _given(assets: Path, built: Path) -> Binaries:
    """Return the programs of ``KUBEBUILDER_ASSETS``, with the controllers of a build if it has none."""
    controllers = assets / KUBE_CONTROLLER_MANAGER
    if not os.access(controllers, os.X_OK):
        controllers = built / CONTROLLER_MANAGER
    return Binaries({ETCD: assets / ETCD, API_SERVER: assets / API_SERVER, CONTROLLER_MANAGER: controllers})


def module() -> Path:
    """Return the directory of the Go module that pins the versions."""
    return Path(str(resources.files(__package__) / "components"))


def go_version() -> str:
    """Return the oldest version of Go that can build the module."""
    return _line(r"^go (\S+)$")


def kubernetes_version() -> str:
    """Return the Kubernetes release that the module requires, such as ``v1.36.3``."""
    return _line(r"^\s+k8s\.io/kubernetes (\S+)$")


def cache_entry(environ: Mapping[str, str] = os.environ, programs: Sequence[str] = PROGRAMS) -> Path:
    """Return the directory in the user's cache for these programs, from exactly these sources, on this platform."""
    root = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".cache")
    target = f"{sys.platform}-{_architecture()}"
    digest = hashlib.sha256(" ".join((target, *programs)).encode())
    for file in ("go.mod", "go.sum", "controllermanager/main.go"):
        digest.update((module() / file).read_bytes())
    key = f"{kubernetes_version()}-{target}-{digest.hexdigest()[:12]}"
    return Path(root) / "integration-operator" / "controlplane" / key


def _architecture() -> str:
    machine = platform.machine().lower()
    if not sys.platform.startswith("linux") or machine not in ARCHITECTURES:
        raise SandboxError(
            f"the local control plane runs on Linux (amd64, arm64), this is {sys.platform} on {machine}: "
            "use the kubeconfig of another cluster"
        )
    return ARCHITECTURES[machine]


def _line(pattern: str) -> str:
    found = re.search(pattern, (module() / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SandboxError(f"{module() / 'go.mod'} has no line {pattern}: the installation is damaged")
    return found[1]
