"""The steps of the demo: each is caused, waited for, and reported.

The operator runs as it is deployed: a process of its own, with the permissions of deploy/ only. EnMasse and Syndesis
are simulated in this process, and the output says so.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress

from integration_operator.api import names
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import ApiError, NotFound
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.demo.broker import ADDRESS, MOVED
from integration_operator_sandbox.demo.delivery import Mode, stored
from integration_operator_sandbox.demo.existing_cluster import ExistingCluster
from integration_operator_sandbox.demo.objects import (
    CHILDREN,
    INTEGRATION,
    OBJECTS,
    Document,
    document_of,
    name_of,
    part,
    ready_reason,
    secret_text,
    state_of,
)
from integration_operator_sandbox.demo.screen import Row, Screen
from integration_operator_sandbox.deployment import operator_command
from integration_operator_sandbox.examples import NAMESPACE
from integration_operator_sandbox.localhost.process import Process, spawn
from integration_operator_sandbox.platforms import Login, Messaging, SimulatedEnMasse, SimulatedSyndesis
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer

Check = Callable[[], Awaitable[bool]]

IN_TIME, COLLECTED = 30.0, 60.0
"""Seconds for a step, and for one that the garbage collector does."""
LAST_LINES = 15


class StepFailed(Exception):
    """A step did not happen in time. The message names it."""


class Demo:
    """One run of the demo, from the first object to the last."""

    def __init__(
        self, plane: ControlPlane | ExistingCluster, screen: Screen, mode: Mode, messaging: Messaging | None = None
    ) -> None:
        self._plane = plane
        self._screen = screen
        self._mode = mode
        self._messaging = messaging
        self._moved_host = MOVED if messaging is not None else "messaging-moved.enmasse-infra.svc"
        self._server: SyndesisServer | None = None
        self._controller: Process | None = None
        self._children = CHILDREN if mode.resource else CHILDREN[:-1]
        self._stack = AsyncExitStack()
        self._operator: Process | None = None
        self._step = 0

    async def run(self, *, keep: bool) -> None:
        """Run all steps. Raises ``StepFailed`` for the first one that does not happen in time."""
        async with self._stack:
            await self._start()
            showing = asyncio.create_task(self._refresh_forever())
            try:
                await self._run_steps()
                await self._refresh()
                if keep or self._messaging is not None:
                    await self._deliver_once_more()
                if self._messaging is not None:
                    message = "a message goes through the broker with the delivered credential"
                    await self._wait_for(message, self._connection_works)
                if keep:
                    await self._keep_running()
            except ApiError as error:
                raise StepFailed(f"after step {self._step}: {self._plane.failed() or error}") from None
            finally:
                showing.cancel()
                self._stop_operator()
                if self._controller is not None:
                    self._controller.stop(30.0)

    async def _start(self) -> None:
        stack, plane = self._stack, self._plane
        self._user = await stack.enter_async_context(
            Client.from_kubeconfig(plane.kubeconfig("user"), user_agent="kubectl")
        )
        enmasse = await stack.enter_async_context(Client.from_kubeconfig(plane.kubeconfig("enmasse")))
        syndesis = await stack.enter_async_context(Client.from_kubeconfig(plane.kubeconfig("syndesis")))
        self._enmasse = SimulatedEnMasse(enmasse, ready_after=1.0, messaging=self._messaging)
        stop = asyncio.Event()
        stack.callback(stop.set)
        simulated_syndesis = SimulatedSyndesis(syndesis, ready_after=0.5, reconciles_connections=not self._mode.server)
        if self._mode.server:
            self._server = await stack.enter_async_context(SyndesisServer.running())
            self._server.verifier_answer = [{"status": "OK", "scope": "CONNECTIVITY"}]
        for platform in (self._enmasse, simulated_syndesis):
            task = asyncio.create_task(platform.run(stop))
            stack.push_async_callback(_end, task, stop)
        self._start_operator()
        if self._mode.controller:
            self._controller = self._spawn("connection-controller", "connection-controller")
        self._screen.say("EnMasse and Syndesis are SIMULATED here; API server, etcd and garbage collector are real.")
        self._screen.say(f"Here {self._mode.description}.")
        if self._messaging is not None:
            self._screen.say("The broker is real (Apache ActiveMQ Artemis); the simulated EnMasse gives it its logins.")

    async def _run_steps(self) -> None:
        user, say = self._user, self._screen.say
        await user.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        annotations = {names.CONNECTION_DELIVERY: "native"} if self._mode.resource else {}
        await user.post(
            f"/apis/syndesis.io/v1beta3/namespaces/{NAMESPACE}/syndesises",
            document_of("syndesis.io/v1beta3", "Syndesis", "syndesis", {}, annotations),
        )
        await self._make_space()
        await self._wait_for(
            "AddressSpace shop/orders is created, and the simulated EnMasse makes it ready", self._space_ready
        )
        await self._wait_for("the operator offers the pair as a disabled Integration", self._reason_is("NotEnabled"))
        await self._patch({"spec": {"enabled": True}})
        delivered = "Connection" if self._mode.resource else "connection in Syndesis"
        await self._wait_for(f"enabled: Secret, MessagingUser and {delivered} are created", self._all_exist)
        await self._wait_for("both platforms report success: the Integration is Ready", self._reason_is("Ready"))
        await self._wait_for("the user can log in with the password of the Secret", self._can_log_in)
        await self._move_endpoint()
        await self._wait_for(f"the endpoint of the AddressSpace changes, and the {delivered} follows", self._followed)
        login = await self._login()
        await self._patch({"spec": {"enabled": False}})
        await self._wait_for(f"disabled: {delivered}, MessagingUser and Secret are deleted", self._none_exist)
        await self._wait_for("the login does not work any more", lambda: _returning(login not in self._enmasse.logins))
        await self._patch({"spec": {"enabled": True}})
        await self._wait_for("enabled again: Ready", self._reason_is("Ready"))
        last_step = "AddressSpace deleted: the garbage collector deletes everything, without the operator"
        if not self._mode.resource:
            last_step = (
                "AddressSpace deleted: the operator deletes the connection, and everything else goes with its owner"
            )
        else:
            self._stop_operator()
            say("   the operator is stopped")
        say(f"   $ kubectl delete addressspace orders -n {NAMESPACE} {self._kubeconfig_flag}")
        await user.delete(OBJECTS["AddressSpace"])
        await self._wait_for(last_step, self._nothing_exists, within=COLLECTED)

    async def _deliver_once_more(self) -> None:
        """Create the AddressSpace again, and take the pair to Ready."""
        if self._operator is None:
            self._start_operator()
        await self._make_space()
        await self._wait_for("once more: the operator offers the pair", self._reason_is("NotEnabled"))
        await self._patch({"spec": {"enabled": True}})
        await self._wait_for("enabled: Ready", self._reason_is("Ready"))

    async def _keep_running(self) -> None:
        """Keep everything running until Ctrl-C."""
        self._screen.say("\nEverything keeps running until Ctrl-C, the operator too. In another terminal:")
        self._screen.say(f"  export KUBECONFIG={self._plane.kubeconfig('user')}")
        self._screen.say(f"  kubectl get addressspaces,integrations,messagingusers,connections -n {NAMESPACE}")
        if self._server is not None:
            self._screen.say(f"  Simulated Syndesis server: {self._server.url}/api/v1/connections")
        await asyncio.Event().wait()

    async def _make_space(self) -> None:
        spec = {"type": "standard", "plan": "standard-small", "authenticationService": {"name": "standard-authservice"}}
        document = document_of("enmasse.io/v1beta1", "AddressSpace", "orders", spec)
        await self._user.post(OBJECTS["AddressSpace"].rpartition("/")[0], document)

    async def _wait_for(self, what: str, check: Check, *, within: float = IN_TIME) -> None:
        """Wait until a step has happened, and print it."""
        self._step += 1
        self._screen.doing(what)
        began = time.monotonic()
        while not await check():
            if failed := self._plane.failed():
                raise StepFailed(f"step {self._step}, {what}: {failed}")
            if self._operator is not None and not self._operator.runs():
                ended = f"the operator {self._operator.ending()}"
                raise StepFailed(f"step {self._step}, {what}: {ended}\n{self._last_lines()}")
            if time.monotonic() - began > within:
                raise StepFailed(
                    f"step {self._step} did not happen within {within:.0f} s: {what}\n{self._last_lines()}"
                )
            await asyncio.sleep(0.05)
        self._screen.doing("")
        self._screen.say(f"{self._step:>2} {what} ({time.monotonic() - began:.1f} s)")

    @property
    def _kubeconfig_flag(self) -> str:
        """The flag that keeps a copied command from going to another cluster."""
        return shlex.join([f"--kubeconfig={self._plane.kubeconfig('user')}"])

    async def _patch(self, body: Document) -> None:
        """Patch the Integration with kubectl if it is installed, otherwise with the same request."""
        command = [
            "kubectl",
            "patch",
            "integration",
            INTEGRATION,
            "-n",
            NAMESPACE,
            "--type=merge",
            "-p",
            json.dumps(body),
        ]
        self._screen.say(f"   $ {shlex.join(command)} {self._kubeconfig_flag}")
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            await self._user.patch(OBJECTS["Integration"], body)
            return
        process = await asyncio.create_subprocess_exec(
            kubectl,
            *command[1:],
            self._kubeconfig_flag,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        if process.returncode:
            raise StepFailed(f"kubectl: {self._plane.failed() or errors.decode().strip()}")

    async def _move_endpoint(self) -> None:
        space = await self._get("AddressSpace") or {}
        endpoints = space["status"]["endpointStatuses"]
        for endpoint in endpoints:
            endpoint["serviceHost"] = self._moved_host
        await self._user.patch(OBJECTS["AddressSpace"], {"status": {"endpointStatuses": endpoints}})

    # Checks

    async def _space_ready(self) -> bool:
        return bool((part(await self._get("AddressSpace"), "status")).get("isReady"))

    def _reason_is(self, reason: str) -> Check:
        async def has_reason() -> bool:
            integration = await self._get("Integration")
            generation = (integration or {"metadata": {}})["metadata"].get("generation")
            return (
                ready_reason(integration) == reason and part(integration, "status")["observedGeneration"] == generation
            )

        return has_reason

    async def _all_exist(self) -> bool:
        on_server = self._server is None or stored(self._server) is not None
        return on_server and all([await self._get(kind) for kind in self._children])

    async def _none_exist(self) -> bool:
        return stored(self._server) is None and not any([await self._get(kind) for kind in CHILDREN])

    async def _nothing_exists(self) -> bool:
        return stored(self._server) is None and not any([await self._get(kind) for kind in OBJECTS])

    async def _followed(self) -> bool:
        if self._server is not None:
            found = stored(self._server)
            return found is not None and self._moved_host in found["configuredProperties"]["connectionUri"]
        properties = part(await self._get("Connection"), "spec").get("configuredProperties") or {}
        return self._moved_host in properties.get("connectionUri", "")

    async def _can_log_in(self) -> bool:
        secret = await self._get("Secret")
        return secret is not None and self._enmasse.logins.get(await self._login()) == secret_text(secret, "password")

    async def _connection_works(self) -> bool:
        """Send a message with the command that users have for it, and print what it prints."""
        arguments = ["test", INTEGRATION, "-n", NAMESPACE, "--address", ADDRESS, "--message"]
        self._screen.say(f"   $ integration-operator {shlex.join(arguments)} {self._kubeconfig_flag}")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "integration_operator", *arguments),
            f"--kubeconfig={self._plane.kubeconfig('user')}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        for line in output.decode().splitlines():
            self._screen.say(f"     {line}")
        if process.returncode:
            raise StepFailed(f"step {self._step}: {errors.decode().strip()}")
        return True

    async def _login(self) -> Login:
        secret = await self._get("Secret") or {"data": {}}
        return Login(NAMESPACE, "orders", secret_text(secret, "username"))

    async def _get(self, kind: str) -> Document | None:
        try:
            return await self._user.get(OBJECTS[kind])
        except NotFound:
            return None

    # Table and processes

    async def _refresh_forever(self) -> None:
        while True:
            with suppress(ApiError):  # the step that meets it reports it
                await self._refresh()
            await asyncio.sleep(0.25)

    async def _refresh(self) -> None:
        objects = {kind: await self._get(kind) for kind in OBJECTS}
        rows = [
            Row(kind, name_of(found), state_of(kind, found))
            for kind, found in objects.items()
            if kind != "Connection" or self._mode.resource
        ]
        if self._server is not None:
            found = stored(self._server)
            uri = found["configuredProperties"]["connectionUri"] if found else ""
            rows.append(Row("in Syndesis", str(found["name"]) if found else "–", uri))
        self._screen.show(rows)

    def _start_operator(self) -> None:
        self._operator = self._spawn("run", "operator")

    def _spawn(self, command: str, user: str) -> Process:
        """Start a process of the operator, with the permissions that it is deployed with."""
        syndesis_url = self._server.url if self._server is not None else ""
        line = operator_command(command, self._plane.kubeconfig(user), syndesis_url=syndesis_url)
        directory = self._plane.directory
        return spawn(line, log=directory / f"{user}.log", directory=directory, detached=False)

    def _stop_operator(self) -> None:
        if self._operator is not None:
            self._operator.stop(30.0)
            self._operator = None

    def _last_lines(self) -> str:
        log = self._plane.directory / "operator.log"
        lines = log.read_text().splitlines()[-LAST_LINES:] if log.exists() else []
        return "\n".join(["last log lines of the operator:", *lines])


async def _end(task: asyncio.Task[None], stop: asyncio.Event) -> None:
    stop.set()
    await asyncio.wait([task], timeout=5)


async def _returning(value: bool) -> bool:
    return value
