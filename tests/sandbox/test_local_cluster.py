"""The control plane on this machine starts, is noticed when it breaks, and leaves nothing behind; its platforms act."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import Forbidden, NotFound, Unavailable
from typer.testing import CliRunner

from integration_operator_sandbox import controlplane
from integration_operator_sandbox.cli import app
from integration_operator_sandbox.controlplane import PROGRAMS, SERVICE_ACCOUNT, ControlPlane
from integration_operator_sandbox.errors import InUse, SandboxError, StartFailed
from integration_operator_sandbox.platforms import Login, SimulatedEnMasse, SimulatedSyndesis

Document = dict[str, Any]

NAMESPACES = "/api/v1/namespaces"


def processes_in(directory: Path) -> list[psutil.Process]:
    """The processes that run in a directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(directory) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(what: str, true: Callable[[], object], within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.02)


async def eventually(what: str, answer: Callable[[], Awaitable[Any]], within: float = 5.0) -> Any:
    deadline = time.monotonic() + within
    while not (found := await answer()):
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        await asyncio.sleep(0.02)
    return found


@pytest.fixture
async def person(control_plane: ControlPlane) -> AsyncIterator[Client]:
    async with Client.from_kubeconfig(control_plane.kubeconfig("user")) as client:
        yield client


@pytest.fixture
async def namespace(person: Client) -> AsyncIterator[str]:
    name = f"local-{uuid.uuid4().hex[:8]}"
    await person.post(NAMESPACES, {"metadata": {"name": name}})
    yield name
    await person.delete(f"{NAMESPACES}/{name}")


class TestComponents:
    """Starting, stopping, and what is noticed."""

    async def test_serves_with_its_certificate_verified_and_on_loopback_only(
        self, control_plane: ControlPlane, person: Client
    ) -> None:
        assert (await person.get("/version"))["gitVersion"].startswith("v1.")
        for process in processes_in(control_plane.directory):
            listening = [c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
            assert set(listening) == {"127.0.0.1"}

    async def test_each_user_acts_under_its_name_and_the_log_tells(self, control_plane: ControlPlane) -> None:
        async with Client.from_kubeconfig(control_plane.kubeconfig("operator")) as operator:
            with pytest.raises(Forbidden, match=re.escape(SERVICE_ACCOUNT)):
                await operator.delete(f"{NAMESPACES}/not-mine")
        entries = [json.loads(line) for line in control_plane.audit_log.read_text().splitlines()]
        (entry,) = [e for e in entries if e["verb"] == "delete" and e["objectRef"].get("name") == "not-mine"]
        assert entry["user"]["username"] == SERVICE_ACCOUNT
        assert (entry["stage"], entry["responseStatus"]["code"]) == ("ResponseComplete", 403)
        assert "RequestReceived" not in {e["stage"] for e in entries}

    def test_files_that_hold_tokens_are_private(self, control_plane: ControlPlane) -> None:
        assert control_plane.directory.stat().st_mode & 0o077 == 0
        token = control_plane.token("operator")
        holders = {p for p in control_plane.directory.glob("*") if p.is_file() and token in p.read_text()}
        assert control_plane.kubeconfig("operator") in holders
        assert {oct(p.stat().st_mode & 0o777) for p in holders} == {"0o600"}

    def test_unknown_user_is_refused(self, control_plane: ControlPlane) -> None:
        with pytest.raises(SandboxError, match="there is no user 'nobody'"):
            control_plane.kubeconfig("nobody")

    async def test_orphan_of_a_custom_kind_is_collected(self, person: Client, namespace: str) -> None:
        path = f"/apis/enmasse.io/v1beta1/namespaces/{namespace}/addressspaces"
        space = {"apiVersion": "enmasse.io/v1beta1", "kind": "AddressSpace", "metadata": {"name": "orders"}}
        owner = await person.post(path, {**space, "spec": {"type": "standard", "plan": "small"}})
        reference = {"apiVersion": "enmasse.io/v1beta1", "kind": "AddressSpace", "name": "orders"}
        metadata = {"name": "owned", "ownerReferences": [{**reference, "uid": owner["metadata"]["uid"]}]}
        await person.post(f"{NAMESPACES}/{namespace}/configmaps", {"metadata": metadata})
        await person.delete(f"{path}/orders")

        async def gone() -> bool:
            try:
                await person.get(f"{NAMESPACES}/{namespace}/configmaps/owned")
            except NotFound:
                return True
            return False

        await eventually("the collector takes the orphan", gone)

    async def test_another_beside_it_crashes_is_repaired_and_leaves_nothing(
        self, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order: list[str] = []
        free_port, chosen = controlplane.free_port, iter([control_plane._ports["etcd"]])  # somebody took it meanwhile
        monkeypatch.setattr(controlplane, "free_port", lambda: next(chosen, None) or free_port())
        with ControlPlane.start(before_controllers=lambda plane: order.append(plane.server)) as plane:
            directory = plane.directory
            assert order == [plane.server] != [control_plane.server]
            assert plane._ports["etcd"] != control_plane._ports["etcd"]
            assert plane.failed() is None
            with pytest.raises(InUse, match="another process runs"):
                ControlPlane.start(directory)

            plane.restart_controller_manager()
            crashed = plane.process("controller-manager").identity.pid
            os.kill(crashed, signal.SIGKILL)
            wait_until("the crash is noticed", plane.failed)
            assert (plane.failed() or "").startswith("kube-controller-manager was ended by SIGKILL; its last words:\n")
            assert plane.components() == {"etcd": True, "kube-apiserver": True, "kube-controller-manager": False}
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

    def test_component_that_ends_at_once_says_why(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        flags, wrong = ControlPlane._flags, {"kube-apiserver": ["--no-such-flag"]}
        monkeypatch.setattr(ControlPlane, "_flags", lambda plane, name: [*flags(plane, name), *wrong.get(name, [])])
        with pytest.raises(StartFailed) as failed:
            ControlPlane.start(tmp_path / "plane")
        assert failed.value.message == "the control plane did not start"
        assert re.match(r"kube-apiserver has ended with exit code \d; its last words:\n", failed.value.detail)
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


def test_up_status_and_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    directory = tmp_path / "integration-operator" / "local" / "trial"

    def local(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, result.output

    assert local("status", "--name", "trial") == (3, "The control plane 'trial' is not there.\n")
    assert local("down", "--name", "trial")[0] == 0
    assert local("up", "--name", "No Name")[0] == 2
    try:
        code, said = local("up", "--name", "trial")
        assert code == 0
        assert f"export KUBECONFIG={directory}/kubeconfig\n" in said
        before = {process.pid for process in processes_in(directory)}
        assert len(before) == len(PROGRAMS)
        assert local("up", "--name", "trial") == (code, said)
        assert {process.pid for process in processes_in(directory)} == before
        code, said = local("status", "--name", "trial")
        assert code == 0
        assert [line.split() for line in said.splitlines()[:3]] == [[name, "running"] for name in PROGRAMS]

        plane = ControlPlane.attach(directory)
        assert plane is not None
        os.kill(plane.process("etcd").identity.pid, signal.SIGKILL)
        wait_until("etcd is gone", lambda: len(processes_in(directory)) < len(PROGRAMS))
        code, said = local("status", "--name", "trial")
        assert code == 3
        assert said.splitlines()[0].split() == ["etcd", "dead"]
        assert local("up", "--name", "trial")[0] == 0
        assert local("status", "--name", "trial")[0] == 0
    finally:
        assert local("down", "--name", "trial", "--delete")[0] == 0
    assert processes_in(directory) == []
    assert not directory.exists()


class Simulation:
    """Both simulated platforms, and a person who writes to a namespace."""

    def __init__(self, person: Client, namespace: str, enmasse: SimulatedEnMasse, syndesis: SimulatedSyndesis) -> None:
        self.person, self.namespace, self.enmasse, self.syndesis = person, namespace, enmasse, syndesis

    def path(self, group: str, plural: str, name: str = "") -> str:
        root = f"/apis/{group}" if "/" in group else f"/api/{group}"
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    async def space(self, **rest: Any) -> None:
        spec = {"type": "standard", "plan": "small", "authenticationService": {"name": "standard-authservice"}}
        document = {"apiVersion": "enmasse.io/v1beta1", "kind": "AddressSpace", "metadata": {"name": "orders"}}
        await self.person.post(self.path("enmasse.io/v1beta1", "addressspaces"), {**document, "spec": spec, **rest})

    async def user(self, password: str = "hunter2", name: str = "alice") -> str:
        secret = base64.b64encode(password.encode()).decode()
        spec = {"username": name, "authentication": {"type": "password", "password": secret}}
        document = {"apiVersion": "user.enmasse.io/v1beta1", "kind": "MessagingUser", "spec": spec}
        collection = self.path("user.enmasse.io/v1beta1", "messagingusers")
        await self.person.post(collection, {**document, "metadata": {"name": f"orders.{name}"}})
        return f"{collection}/orders.{name}"

    async def status(self, path: str, **wanted: Any) -> Document:
        """Wait until the status of an object says what is wanted, and return all of it."""

        async def said() -> Document | None:
            status = (await self.person.get(path)).get("status") or {}
            return status if all(status.get(name) == value for name, value in wanted.items()) else None

        return await eventually(f"{path} has status {wanted}", said)  # type: ignore[no-any-return]

    async def gone(self, path: str) -> None:
        async def is_gone() -> bool:
            try:
                await self.person.get(path)
            except NotFound:
                return True
            return False

        await eventually(f"{path} is gone", is_gone)

    def login(self, name: str = "alice") -> str | None:
        return self.enmasse.logins.get(Login(self.namespace, "orders", name))


@asynccontextmanager
async def simulated(control_plane: ControlPlane, person: Client, namespace: str) -> AsyncIterator[Simulation]:
    stop = asyncio.Event()
    async with (
        Client.from_kubeconfig(control_plane.kubeconfig("enmasse")) as one,
        Client.from_kubeconfig(control_plane.kubeconfig("syndesis")) as other,
    ):
        simulation = Simulation(person, namespace, SimulatedEnMasse(one), SimulatedSyndesis(other))
        running = asyncio.gather(simulation.enmasse.run(stop), simulation.syndesis.run(stop))
        try:
            yield simulation
        finally:
            stop.set()
            await running


@pytest.fixture
async def simulation(control_plane: ControlPlane, person: Client, namespace: str) -> AsyncIterator[Simulation]:
    async with simulated(control_plane, person, namespace) as made:
        yield made


class TestSimulatedEnMasse:
    """What was seen of EnMasse's own controllers."""

    async def test_space_becomes_ready(self, simulation: Simulation) -> None:
        await simulation.space()
        path = simulation.path("enmasse.io/v1beta1", "addressspaces", "orders")
        status = await simulation.status(path, isReady=True, phase="Active")
        ports = {e["name"]: {p["name"]: p["port"] for p in e["servicePorts"]} for e in status["endpointStatuses"]}
        assert ports["messaging"] == {"amqp": 5672, "amqps": 5671, "amqp-wss": 443}
        annotations = (await simulation.person.get(path))["metadata"]["annotations"]
        assert annotations["enmasse.io/realm-name"] == f"{simulation.namespace}-orders"

    async def test_status_that_somebody_wrote_is_left_alone(self, simulation: Simulation) -> None:
        await simulation.space(status={"isReady": False, "phase": "Failed"})
        await asyncio.sleep(0.5)
        path = simulation.path("enmasse.io/v1beta1", "addressspaces", "orders")
        assert (await simulation.person.get(path))["status"] == {"isReady": False, "phase": "Failed"}

    async def test_user_goes_through_its_states(self, simulation: Simulation) -> None:
        await simulation.space()
        path = simulation.path("user.enmasse.io/v1beta1", "messagingusers")
        version = (await simulation.person.get(path))["metadata"]["resourceVersion"]
        await simulation.user()
        seen: list[tuple[bool, Any, Any]] = []
        query = {"resourceVersion": version, "timeoutSeconds": "20"}
        async for event in simulation.person.watch(path, query):
            user = event["object"]
            status = user.get("status") or {}
            seen.append(("finalizers" in user["metadata"], status.get("phase"), status.get("generation")))
            if status.get("phase") == "Active" and "generation" in status:
                break
        states = [state for number, state in enumerate(seen) if state not in seen[:number]]
        active = states[-2:]
        assert active == [(True, "Active", None), (True, "Active", 1)] or active[1] == (True, "Active", 1)
        phases = [phase for _, phase, _ in states]
        assert phases[:3] == [None, None, "Pending"]
        assert phases.index("Pending") < phases.index("Configuring") < phases.index("Active")
        assert simulation.login() == "hunter2"

    async def test_changed_password_is_applied_and_phase_stays(self, simulation: Simulation) -> None:
        await simulation.space()
        path = await simulation.user()
        await simulation.status(path, phase="Active", generation=1)
        secret = base64.b64encode(b"correct horse").decode()
        await simulation.person.patch(path, {"spec": {"authentication": {"password": secret}}})
        assert (await simulation.status(path, generation=2))["phase"] == "Active"
        assert simulation.login() == "correct horse"

    async def test_deleted_user_cannot_log_in(self, simulation: Simulation) -> None:
        await simulation.space()
        path = await simulation.user()
        await simulation.status(path, phase="Active", generation=1)
        await simulation.person.delete(path)
        await simulation.gone(path)
        assert simulation.login() is None

    async def test_user_outlives_its_space_until_the_realm_goes(self, simulation: Simulation) -> None:
        await simulation.space()
        path = await simulation.user()
        await simulation.status(path, phase="Active", generation=1)
        await simulation.person.delete(simulation.path("enmasse.io/v1beta1", "addressspaces", "orders"))
        await simulation.person.delete(path)
        await simulation.gone(path)

        async def realm_gone() -> bool:
            return simulation.login() is None

        await eventually("the realm goes, and the login with it", realm_gone)

    async def test_user_without_its_space_waits_for_it(self, simulation: Simulation) -> None:
        path = await simulation.user()
        status = await simulation.status(path, generation=1)
        assert status == {"phase": "Pending", "generation": 1}
        await simulation.space()
        await simulation.status(path, phase="Active")

    async def test_user_of_a_space_without_authentication_hangs_until_the_space_goes(
        self, simulation: Simulation
    ) -> None:
        await simulation.space(spec={"type": "brokered", "plan": "small", "authenticationService": {"name": "none"}})
        path = await simulation.user()
        assert await simulation.status(path, generation=1) == {"phase": "Pending", "generation": 1}
        await simulation.person.delete(path)
        await simulation.status(path, phase="Terminating")
        await asyncio.sleep(0.3)
        await simulation.status(path, phase="Terminating")
        await simulation.person.delete(simulation.path("enmasse.io/v1beta1", "addressspaces", "orders"))
        await simulation.gone(path)

    async def test_one_password_that_is_not_base64_stops_all(self, simulation: Simulation) -> None:
        await simulation.space()
        bad = await simulation.user(name="bad")
        await simulation.status(bad, phase="Active")
        await simulation.person.patch(bad, {"spec": {"authentication": {"password": "not base64!"}}})
        await asyncio.sleep(0.2)
        good = await simulation.user()
        await asyncio.sleep(0.4)
        assert "status" not in await simulation.person.get(good)
        await simulation.person.patch(bad, {"spec": {"authentication": {"password": "Z29vZA=="}}})
        await simulation.status(good, phase="Active")


class TestSimulatedSyndesis:
    """What Syndesis issue 3692 asks of a Syndesis."""

    async def instance(self, simulation: Simulation, name: str) -> str:
        path = simulation.path("syndesis.io/v1beta3", "syndesises")
        document = {"apiVersion": "syndesis.io/v1beta3", "kind": "Syndesis", "metadata": {"name": name}, "spec": {}}
        await simulation.person.post(path, document)
        return f"{path}/{name}"

    async def test_one_is_installed_in_a_namespace_until_it_goes(self, simulation: Simulation) -> None:
        first = await self.instance(simulation, "first")
        await simulation.status(first, phase="Installed")
        second = await self.instance(simulation, "second")
        await simulation.status(second, phase="NotInstalled", reason="Duplicate")
        await simulation.person.delete(first)
        await simulation.status(second, phase="Installed", reason="")

    async def test_connection_is_ready_once_its_secret_is_there_and_follows_it(self, simulation: Simulation) -> None:
        await simulation.status(await self.instance(simulation, "syndesis"), phase="Installed")
        sources = [
            {"property": key, "secretKeyRef": {"name": "credential", "key": key}} for key in ("username", "password")
        ]
        path = simulation.path("syndesis.io/v1alpha1", "connections")
        document = {"apiVersion": "syndesis.io/v1alpha1", "kind": "Connection", "metadata": {"name": "orders"}}
        spec = {
            "connectorId": "amqp",
            "connectionId": "enm-1",
            "configuredProperties": {"connectionUri": "amqp://broker:5672"},
            "configuredPropertiesFrom": sources,
        }
        await simulation.person.post(path, {**document, "spec": spec})
        status = await simulation.status(f"{path}/orders", phase="Pending")
        assert status["conditions"][0]["message"] == "no value for username, password"
        data = {"username": "alice", "password": "hunter2"}
        secrets = simulation.path("v1", "secrets")
        await simulation.person.post(secrets, {"metadata": {"name": "credential"}, "stringData": data})
        await simulation.status(f"{path}/orders", phase="Ready", connectionId="enm-1", observedGeneration=1)
        key = (simulation.namespace, "orders")
        assert simulation.syndesis.connections[key].properties == {"connectionUri": "amqp://broker:5672", **data}

        await simulation.person.patch(f"{secrets}/credential", {"stringData": {"password": "changed"}})

        async def followed() -> bool:
            return simulation.syndesis.connections[key].properties["password"] == "changed"

        await eventually("the changed Secret is followed", followed)
        await simulation.person.patch(f"{path}/orders", {"spec": {"description": "new"}})
        await simulation.status(f"{path}/orders", phase="Ready", observedGeneration=2)
        await simulation.person.delete(f"{path}/orders")
        await eventually("the connection goes", lambda: _is(key not in simulation.syndesis.connections))


async def _is(fact: bool) -> bool:
    return fact
