"""The product's wheel has nothing of the sandbox, the product never loads it, and the sandbox's wheel is complete."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
SANDBOX = TOP / "sandbox"
PACKAGE = "integration_operator_sandbox"


def wheel(project: Path, directory: Path) -> zipfile.ZipFile:
    """Build the wheel of a project with the installed hatchling."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = directory.glob("*.whl")
    return zipfile.ZipFile(file)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return wheel(TOP, tmp_path_factory.mktemp("product"))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return wheel(SANDBOX, tmp_path_factory.mktemp("sandbox"))


def metadata(built: zipfile.ZipFile, file: str) -> str:
    (name,) = [name for name in built.namelist() if name.endswith(f".dist-info/{file}")]
    return built.read(name).decode()


def test_the_products_wheel_has_nothing_of_the_sandbox(product: zipfile.ZipFile) -> None:
    names = product.namelist()
    assert "integration_operator/cli/__init__.py" in names
    assert "integration_operator/templates/secret.yaml.j2" in names
    assert [name for name in names if "sandbox" in name or "localcluster" in name or "demo" in name] == []
    assert [name for name in names if not name.startswith(("integration_operator/", "integration_operator-"))] == []
    sources = [name for name in names if name.endswith(".py")]
    assert [name for name in sources if PACKAGE.encode() in product.read(name)] == []
    assert "sandbox" not in metadata(product, "entry_points.txt")
    requires = [line for line in metadata(product, "METADATA").splitlines() if line.startswith("Requires-Dist")]
    assert [line for line in requires if "sandbox" in line] == []


def test_the_sandboxs_wheel_has_all_files_of_the_package(sandbox: zipfile.ZipFile) -> None:
    names = set(sandbox.namelist())
    files = [path for path in (SANDBOX / PACKAGE).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {str(path.relative_to(SANDBOX)) for path in files} == {name for name in names if ".dist-info/" not in name}
    components = f"{PACKAGE}/controlplane/components"
    for file in ("go.mod", "go.sum", "tools.go", "controllermanager/main.go"):
        assert f"{components}/{file}" in names
    crds = {Path(name).name for name in names if name.startswith(f"{PACKAGE}/platforms/crds/")}
    assert {"addressspaces.enmasse.io.yaml", "syndesises.syndesis.io.yaml"} < crds
    assert f"{PACKAGE}/py.typed" in names


def test_the_sandboxs_wheel_has_readme_license_and_command(sandbox: zipfile.ZipFile) -> None:
    assert metadata(sandbox, "licenses/LICENSE") == (TOP / "LICENSE").read_text()
    described = metadata(sandbox, "METADATA")
    assert (SANDBOX / "README.md").read_text().strip() in described
    assert "License-Expression: Apache-2.0" in described
    assert "integration-operator-sandbox = integration_operator_sandbox.cli:app" in metadata(
        sandbox, "entry_points.txt"
    )


def test_the_sandbox_needs_exactly_this_version_of_the_product() -> None:
    versions = [tomllib.loads((top / "pyproject.toml").read_text())["project"] for top in (TOP, SANDBOX)]
    assert f"integration-operator=={versions[0]['version']}" in versions[1]["dependencies"]
    assert versions[0]["version"] == versions[1]["version"]


@pytest.mark.parametrize("command", ["run", "connection-controller", "explain", "migrate", "render", "test", "crds"])
def test_no_command_of_the_product_loads_the_sandbox(command: str) -> None:
    code = f"""
        import sys
        from integration_operator.cli import app
        try:
            app(["{command}", "--help"])
        except SystemExit:
            pass
        loaded = [name for name in sys.modules if name.startswith("{PACKAGE}")]
        assert not loaded, loaded
        print("checked")
    """
    program = "\n".join(line[8:] for line in code.splitlines())
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.endswith("checked\n"), done.stderr
