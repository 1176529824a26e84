"""The end-to-end tests in a kind cluster: build and load the image, install the chart, run the tests.

Usage: python -m tests.support.kind

It needs a container engine (docker or podman); kind and Helm are built from their Go modules. Exit code 1: there is no
engine, or a step failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from integration_operator_sandbox.platforms.crd import install_crds, platform_crds
from tests.support import go_programs, helm
from tests.support.cluster import KUBECONFIG

ROOT = Path(__file__).parents[2]
PACKAGE = "sigs.k8s.io/kind"
VERSION = "v0.33.0"
CLUSTER = "integration-operator-e2e"
RELEASE = (helm.NAME, "--namespace", helm.NAME)
SUITE = "tests/deploy/test_end_to_end.py"


def engine() -> str | None:
    """Return the name of a container engine that answers, None if there is none."""
    for name in ("docker", "podman"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True).returncode == 0:
            return name
    return None


def main() -> int:
    """Run all steps; return the exit code."""
    container_engine = engine()
    if container_engine is None:
        print("make e2e-kind needs a container engine: install docker or podman, start it, and try again.")
        print("Without one, `make test` runs the same tests on the local control plane.")
        return 1
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    image = f"integration-operator:{version}"
    kind = str(go_programs.installed(PACKAGE, VERSION, go="1.25") / "kind")
    with tempfile.TemporaryDirectory() as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "KIND_EXPERIMENTAL_PROVIDER": container_engine}

        def step(*command: str) -> None:
            print("$", *command, flush=True)
            subprocess.run(command, cwd=ROOT, env=environment, check=True)

        step(container_engine, "build", "-f", "deploy/Dockerfile", "-t", image, ".")
        try:
            configuration = "deploy/kind/cluster.yaml"
            step(kind, "create", "cluster", "--name", CLUSTER, "--config", configuration, "--wait", "180s")
            step(kind, "load", "docker-image", image, "--name", CLUSTER)
            install_crds(kubeconfig, platform_crds())
            step(
                helm.program(),
                "install",
                *RELEASE,
                str(helm.CHART),
                "--create-namespace",
                "--wait",
                "--timeout",
                "180s",
            )
            environment[KUBECONFIG] = str(kubeconfig)
            step(sys.executable, "-m", "pytest", SUITE)
        except subprocess.CalledProcessError as error:
            print(f"failed with exit code {error.returncode}")
            return 1
        finally:
            subprocess.run([kind, "delete", "cluster", "--name", CLUSTER], env=environment, check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
