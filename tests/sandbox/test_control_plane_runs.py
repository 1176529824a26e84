"""A control plane serves, notices when a component ends, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import Forbidden, Unavailable
from integration_operator_sandbox.controlplane import PROGRAMS, SERVICE_ACCOUNT, ControlPlane
from integration_operator_sandbox.controlplane import controlplane as module
from integration_operator_sandbox.errors import InUse, SandboxError, StartFailed
from tests.support.processes import processes_in, wait_until

NAMESPACES = "/api/v1/namespaces"


async def test_serves_with_its_certificate_verified_and_on_loopback_only(
    control_plane: ControlPlane, client: Client
) -> None:
    assert (await client.get("/version"))["gitVersion"].startswith("v1.")
    for process in processes_in(control_plane.directory):
        listening = [c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert set(listening) == {"127.0.0.1"}


async def test_each_user_acts_under_its_name_and_the_log_tells(control_plane: ControlPlane) -> None:
    async with Client.from_kubeconfig(control_plane.kubeconfig("operator")) as operator:
        with pytest.raises(Forbidden, match=re.escape(SERVICE_ACCOUNT)):
            await operator.delete(f"{NAMESPACES}/not-mine")
    entries = [json.loads(line) for line in control_plane.audit_log.read_text().splitlines()]
    (entry,) = [e for e in entries if e["verb"] == "delete" and e["objectRef"].get("name") == "not-mine"]
    assert entry["user"]["username"] == SERVICE_ACCOUNT
    assert (entry["stage"], entry["responseStatus"]["code"]) == ("ResponseComplete", 403)
    assert "RequestReceived" not in {e["stage"] for e in entries}


def test_files_that_hold_tokens_are_private(control_plane: ControlPlane) -> None:
    assert control_plane.directory.stat().st_mode & 0o077 == 0
    token, kubeconfig = control_plane.token("operator"), control_plane.kubeconfig("operator")
    holders = {p for p in control_plane.directory.glob("*") if p.is_file() and token in p.read_text()}
    assert kubeconfig in holders
    assert {oct(p.stat().st_mode & 0o777) for p in holders} == {"0o600"}


def test_unknown_user_is_refused(control_plane: ControlPlane) -> None:
    with pytest.raises(SandboxError, match="there is no user 'nobody'"):
        control_plane.kubeconfig("nobody")


async def test_another_beside_it_crashes_is_repaired_and_leaves_nothing(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    free_port, chosen = module.free_port, iter([control_plane.port("etcd")])  # taken meanwhile
    monkeypatch.setattr(module, "free_port", lambda: next(chosen, None) or free_port())
    with ControlPlane.start(before_controllers=lambda plane: order.append(plane.server)) as plane:
        directory = plane.directory
        assert order == [plane.server] != [control_plane.server]
        assert plane.port("etcd") != control_plane.port("etcd")
        assert plane.failed() is None
        with pytest.raises(InUse, match="another process runs"):
            ControlPlane.start(directory)

        plane.restart_controller_manager()
        crashed = plane.process("controller-manager").identity.pid
        os.kill(crashed, signal.SIGKILL)
        wait_until("the crash is noticed", plane.failed)
        assert (plane.failed() or "").startswith("controller-manager was ended by SIGKILL; its last log lines:\n")
        assert plane.components() == {"etcd": True, "kube-apiserver": True, "controller-manager": False}
        plane.stop_component("controller-manager")

        server = plane.server
        plane.stop_component("kube-apiserver")
        assert plane.failed() is None
        async with Client.from_kubeconfig(plane.kubeconfig()) as client:
            with pytest.raises(Unavailable):
                await client.get("/version")
            plane.start_component("kube-apiserver")
            assert plane.server == server
            await client.get("/version")
    assert not directory.exists()
    assert processes_in(directory) == []
    assert control_plane.failed() is None


def test_component_that_ends_at_once_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    flags, wrong = ControlPlane._flags, {"kube-apiserver": ["--no-such-flag"]}
    monkeypatch.setattr(ControlPlane, "_flags", lambda plane, name: [*flags(plane, name), *wrong.get(name, [])])
    with pytest.raises(StartFailed) as failed:
        ControlPlane.start(tmp_path / "plane")
    assert failed.value.message == "the control plane did not start"
    assert re.match(r"kube-apiserver has ended with exit code \d; its last log lines:\n", failed.value.detail)
    assert "no-such-flag" in failed.value.detail
    assert processes_in(tmp_path / "plane") == []


OWNER = """
    import signal, sys, threading
    from pathlib import Path
    from integration_operator_sandbox.controlplane import ControlPlane

    planes = []
    starter = threading.Thread(target=lambda: planes.append(ControlPlane.start(Path(sys.argv[1]))))
    starter.start()
    starter.join()  # what it has started must not end with it
    print(planes[0].server, planes[0].token(), flush=True)
    signal.pause()
"""


def test_killed_owner_leaves_no_process_and_its_directory_can_be_used_again(tmp_path: Path) -> None:
    directory = tmp_path / "plane"
    program = [sys.executable, "-c", textwrap.dedent(OWNER), str(directory)]
    owner = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    server, token = owner.stdout.readline().split()
    time.sleep(0.3)
    assert len(processes_in(directory)) == len(PROGRAMS)
    owner.kill()
    owner.communicate()
    wait_until("all components are gone", lambda: not processes_in(directory))
    with ControlPlane.start(directory) as again:
        assert (again.server, again.token()) == (server, token)
    assert directory.exists()
