"""The control plane's programs are found where they are, or built once, whatever interrupts it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from integration_operator_sandbox.controlplane.binaries import PROGRAMS
from rich.console import Console

from integration_operator_sandbox.controlplane import binaries, toolchain
from integration_operator_sandbox.controlplane import build as building
from integration_operator_sandbox.errors import BinariesMissing, BuildFailed, SandboxError, ToolchainMissing

BUILDS = """
    for argument; do [ "$previous" = -o ] && into=$argument; previous=$argument; done
    echo "$@" >> "$HOME/builds"
    echo "go: downloading k8s.io/api v0.36.3" >&2
    echo k8s.io/api/core/v1 >&2
    for name in server kube-apiserver kube-controller-manager; do
        printf '#!/bin/sh\\n' > "$into$name"; chmod +x "$into$name"
    done
"""
FAILS = """
    echo k8s.io/api/core/v1 >&2
    echo "# k8s.io/kubernetes/cmd/kube-apiserver" >&2
    echo "no space left on device" >&2
    exit 1
"""
HANGS = 'echo started >> "$HOME/builds"; exec sleep 60'

Go = Callable[..., dict[str, str]]


@pytest.fixture
def go(tmp_path: Path) -> Go:
    """An environment whose ``go`` is of a version, and does what is told instead of building."""

    def make(build: str = BUILDS, version: str = "go1.99.0") -> dict[str, str]:
        script = tmp_path / "bin" / "go"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f'#!/bin/sh\nif [ "$1" = env ]; then echo {version}; exit; fi\n{textwrap.dedent(build)}\n')
        script.chmod(0o755)
        (tmp_path / "home").mkdir(exist_ok=True)
        return {
            "PATH": f"{script.parent}:{os.defpath}",
            "HOME": str(tmp_path / "home"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }

    return make


@pytest.fixture(autouse=True)
def _no_other_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The Go that may be installed beside this Python is not what these tests are about."""
    monkeypatch.setattr(toolchain, "sys", SimpleNamespace(executable=str(tmp_path / "nowhere" / "python")))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / "nowhere"))


def builds(environ: dict[str, str]) -> list[str]:
    """The builds that the ``go`` of an environment was asked for."""
    record = Path(environ["HOME"]) / "builds"
    return record.read_text().splitlines() if record.exists() else []


def programs_in(directory: Path, *names: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).touch(mode=0o755)
    return directory


def test_given_programs_are_taken(tmp_path: Path) -> None:
    given = programs_in(tmp_path / "assets", *PROGRAMS)
    found = binaries.provide({"KUBEBUILDER_ASSETS": str(given)})
    assert found.program("etcd") == str(given / "etcd")


def test_given_directory_that_lacks_one_says_which(tmp_path: Path) -> None:
    given = programs_in(tmp_path / "assets", "etcd", "kube-apiserver", "kubectl")
    with pytest.raises(BinariesMissing, match="lacks kube-controller-manager") as refused:
        binaries.provide({"KUBEBUILDER_ASSETS": str(given)})
    assert str(given) in refused.value.message


def test_built_once_and_cached(go: Go) -> None:
    environ = go()
    assert binaries.locate(environ) is None
    first = binaries.provide(environ)
    assert not first.missing()
    assert binaries.provide(environ) == first
    assert len(builds(environ)) == 1
    assert first.directory.is_relative_to(environ["XDG_CACHE_HOME"])
    assert [path.name for path in first.directory.parent.iterdir() if path.is_dir()] == [first.directory.name]


def test_build_is_told_the_version_and_takes_only_pinned_modules(go: Go) -> None:
    environ = go()
    binaries.provide(environ)
    (command,) = builds(environ)
    assert "-trimpath" in command
    assert f"gitVersion={binaries.kubernetes_version()}" in command
    assert f"-C {binaries.module()}" in command
    settings = toolchain.environment(environ)
    assert (settings["GOFLAGS"], settings["GOTOOLCHAIN"], settings["CGO_ENABLED"]) == ("-mod=readonly", "local", "0")


def test_other_versions_have_another_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = binaries.cache_entry({"HOME": "/home/somebody"})
    assert before.is_relative_to("/home/somebody/.cache/integration-operator/controlplane")
    changed = tmp_path / "module"
    changed.mkdir()
    for name in ("go.mod", "go.sum"):
        (changed / name).write_bytes((binaries.module() / name).read_bytes())
    with (changed / "go.sum").open("a") as sums:
        sums.write("example.org/new v1.0.0 h1:AAA=\n")
    monkeypatch.setattr(binaries, "module", lambda: changed)
    assert binaries.cache_entry({"HOME": "/home/somebody"}) != before


def test_failed_build_shows_what_go_said_and_leaves_nothing(go: Go) -> None:
    environ = go(FAILS)
    with pytest.raises(BuildFailed, match="exit code 1") as failed:
        binaries.provide(environ)
    assert failed.value.detail.endswith("no space left on device")
    assert "k8s.io/api/core/v1" not in failed.value.detail
    assert "\n" not in failed.value.message
    assert binaries.locate(environ) is None
    assert [path for path in binaries.cache_entry(environ).parent.iterdir() if path.is_dir()] == []
    assert not binaries.provide(go(BUILDS)).missing()


def test_go_that_builds_nothing_is_noticed(go: Go) -> None:
    with pytest.raises(BuildFailed, match="did not build etcd and kube-apiserver"):
        binaries.provide(go("true"))


def test_cache_that_cannot_be_written_is_named(go: Go, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxError, match=r"cannot keep .*/file/"):
        binaries.provide({**go(), "XDG_CACHE_HOME": str(tmp_path / "file")})


@pytest.mark.parametrize(
    ("version", "answer"),
    [("go1.21.13", "is go1.21.13"), ("go1.25.9", "is go1.25.9"), (None, "none that is new enough: ")],
    ids=["much too old", "too old", "none"],
)
def test_missing_toolchain_says_what_to_install(go: Go, tmp_path: Path, version: str | None, answer: str) -> None:
    environ = go(version=version or "")
    if version is None:
        environ["PATH"] = str(tmp_path / "nowhere")
    with pytest.raises(ToolchainMissing) as missing:
        binaries.provide(environ)
    assert answer in missing.value.message
    assert f"install Go >= {binaries.go_version()}" in missing.value.message
    assert "pip install 'integration-operator-sandbox[go]'" in missing.value.message


@pytest.mark.parametrize("version", ["go1.26", "go1.26.8", "go1.27rc1", "devel go1.28-0a1b2c3 Mon Jan 1"])
def test_new_enough_go_is_taken(go: Go, version: str) -> None:
    environ = go(version=f"'{version}'")
    assert str(toolchain.find_go("1.26.0", environ)).startswith(environ["PATH"].split(":")[0])


def test_go_beside_python_stands_in_for_one_too_old(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = go(version="go1.20")
    beside = tmp_path / "venv" / "bin" / "go"
    beside.parent.mkdir(parents=True)
    beside.write_text("#!/bin/sh\necho go1.99.0\n")
    beside.chmod(0o755)
    monkeypatch.setattr(toolchain, "sys", SimpleNamespace(executable=str(beside.with_name("python"))))
    assert toolchain.find_go("1.26.0", environ) == beside


def build_elsewhere(environ: dict[str, str]) -> subprocess.Popen[str]:
    """Build in another process."""
    code = "from integration_operator_sandbox import binaries; print(binaries.provide().directory)"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_interrupted_build_is_begun_again(go: Go, how: signal.Signals) -> None:
    environ = go(HANGS)
    interrupted = build_elsewhere(environ)
    wait_until(lambda: builds(environ))
    interrupted.send_signal(how)
    interrupted.communicate()
    assert binaries.locate(environ) is None
    left = list(binaries.cache_entry(environ).parent.glob("*.building-*"))
    assert len(left) == (how == signal.SIGKILL)  # nobody can clean up after being killed
    built = binaries.provide(go(BUILDS))
    assert not built.missing()
    assert list(built.directory.parent.glob("*.building-*")) == []


def test_second_builder_waits_and_says_so(go: Go) -> None:
    environ = go("sleep 1.5\n" + BUILDS)
    both = [build_elsewhere(environ) for _ in range(2)]
    ends = [builder.communicate(timeout=60) for builder in both]
    assert len(builds(environ)) == 1
    assert ends[0][0] == ends[1][0] == f"{binaries.cache_entry(environ)}\n"
    assert sum("waiting for it" in said for _, said in ends) == 1


def test_progress_without_a_terminal_is_a_line_now_and_then(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "QUIET_PERIOD", 0.0)
    environ = go()
    entry = binaries.cache_entry(environ)
    said = io.StringIO()
    plan = building.Plan(entry, Path(environ["PATH"].split(":")[0]) / "go", binaries.module(), "v1.36.3", PROGRAMS)
    building.build(plan, environ, Console(file=said))
    lines = said.getvalue().splitlines()
    assert lines[0].startswith("Building etcd and Kubernetes v1.36.3")
    assert "1 modules downloaded, now k8s.io/api v0.36.3 (0:00)" in lines
    assert "1 packages compiled, now k8s.io/api/core/v1 (0:00)" in lines
    assert lines[-1] == f"Built; kept in {entry}."


def test_progress_on_a_terminal_shows_the_packages(go: Go) -> None:
    environ = go("echo k8s.io/api/core/v1 >&2; sleep 0.5\n" + BUILDS)
    entry = binaries.cache_entry(environ)
    said = io.StringIO()
    plan = building.Plan(entry, Path(environ["PATH"].split(":")[0]) / "go", binaries.module(), "v1.36.3", PROGRAMS)
    building.build(plan, environ, Console(file=said, force_terminal=True, width=120))
    assert "1 packages compiled, now k8s.io/api/core/v1" in said.getvalue()
