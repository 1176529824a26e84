"""The life of a pair, told as it happens on a real control plane with simulated platforms, and checked step by step.

The operator runs as it is deployed: a process of its own, with the permissions of deploy/ and no more. EnMasse and
Syndesis are simulated in this process, and said to be.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import signal
import sys
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import ApiError, NotFound
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.demo_delivery import WAYS, Name, Way, stored
from integration_operator_sandbox.demo_screen import Row, Screen
from integration_operator_sandbox.existing import ExistingCluster
from integration_operator_sandbox.installation import install_all
from integration_operator_sandbox.platforms import Login, SimulatedEnMasse, SimulatedSyndesis
from integration_operator_sandbox.process import Process, spawn
from integration_operator_sandbox.syndesis_server import SyndesisServer

Document = dict[str, Any]
Check = Callable[[], Awaitable[bool]]

NAMESPACE = "shop"
PAIR = Pair(Ref(NAMESPACE, "orders"), Ref(NAMESPACE, "syndesis"))
INTEGRATION = naming.integration_name(PAIR)
USERS = f"/apis/user.enmasse.io/v1beta1/namespaces/{NAMESPACE}/messagingusers"
OBJECTS = {
    "AddressSpace": f"/apis/enmasse.io/v1beta1/namespaces/{NAMESPACE}/addressspaces/orders",
    "Integration": f"/apis/integreatly.org/v1alpha1/namespaces/{NAMESPACE}/integrations/{INTEGRATION}",
    "Secret": f"/api/v1/namespaces/{NAMESPACE}/secrets/{naming.secret_name(PAIR)}",
    "MessagingUser": f"{USERS}/{naming.user_ref(PAIR).name}",
    "Connection": f"/apis/syndesis.io/v1alpha1/namespaces/{NAMESPACE}/connections/{INTEGRATION}",
}
CHILDREN = ("Secret", "MessagingUser", "Connection")

IN_TIME, COLLECTED = 30.0, 60.0
"""Seconds for a step, and for one that the garbage collector does."""
LAST_LINES = 15


class StepFailed(Exception):
    """A step did not happen in time; the message says which."""


class Demo:
    """The story, from the first object to the last."""

    def __init__(self, plane: ControlPlane | ExistingCluster, screen: Screen, way: Way) -> None:
        self._plane = plane
        self._screen = screen
        self._way = way
        self._server: SyndesisServer | None = None
        self._controller: Process | None = None
        self._children = CHILDREN if way.resource else CHILDREN[:-1]
        self._stack = AsyncExitStack()
        self._operator: Process | None = None
        self._step = 0

    async def run(self, *, keep: bool) -> None:
        """Tell the story. Raises ``StepFailed`` for the first step that does not happen."""
        async with self._stack:
            await self._start()
            showing = asyncio.create_task(self._keep_showing())
            try:
                await self._tell()
                await self._look()
                if keep:
                    await self._stay()
            except ApiError as error:
                raise StepFailed(f"after step {self._step}: {self._plane.failed() or error}") from None
            finally:
                showing.cancel()
                self._stop_operator()
                if self._controller is not None:
                    self._controller.stop(30.0)

    async def _start(self) -> None:
        stack, plane = self._stack, self._plane
        self._person = await stack.enter_async_context(
            Client.from_kubeconfig(plane.kubeconfig("person"), user_agent="kubectl")
        )
        enmasse = await stack.enter_async_context(Client.from_kubeconfig(plane.kubeconfig("enmasse")))
        syndesis = await stack.enter_async_context(Client.from_kubeconfig(plane.kubeconfig("syndesis")))
        self._enmasse = SimulatedEnMasse(enmasse, ready_after=1.0)
        stop = asyncio.Event()
        stack.callback(stop.set)
        playing_syndesis = SimulatedSyndesis(syndesis, ready_after=0.5, reconciles_connections=not self._way.server)
        if self._way.server:
            self._server = await stack.enter_async_context(SyndesisServer.running())
            self._server.verifier_answer = [{"status": "OK", "scope": "CONNECTIVITY"}]
        for platform in (self._enmasse, playing_syndesis):
            task = asyncio.create_task(platform.run(stop))
            stack.push_async_callback(_ended, task, stop)
        self._start_operator()
        if self._way.controller:
            self._controller = self._spawn("connection-controller", "connection-controller")
        self._screen.say("EnMasse and Syndesis are SIMULATED here; API server, etcd and garbage collector are real.")
        self._screen.say(f"Here {self._way.told}.")

    async def _tell(self) -> None:
        person, say = self._person, self._screen.say
        await person.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        reconciled = {names.CONNECTION_DELIVERY: "native"} if self._way.resource else {}
        await person.post(
            f"/apis/syndesis.io/v1beta3/namespaces/{NAMESPACE}/syndesises",
            _document("syndesis.io/v1beta3", "Syndesis", "syndesis", {}, reconciled),
        )
        await self._make_space()
        await self._happens(
            "AddressSpace shop/orders appears, and (simulated) EnMasse makes it ready", self._space_ready
        )
        await self._happens("the operator offers the pair as an Integration, disabled", self._reason_is("NotEnabled"))
        await self._patch({"spec": {"enabled": True}})
        made = "Connection" if self._way.resource else "connection in Syndesis"
        await self._happens(f"enabled: Secret, MessagingUser and {made} appear", self._all_there)
        await self._happens("both platforms say yes: the Integration is Ready", self._reason_is("Ready"))
        await self._happens("the user can log in with exactly the Secret's password", self._can_log_in)
        await self._move_endpoint()
        await self._happens(f"the AddressSpace's endpoint moves, and the {made} follows", self._followed)
        login = await self._login()
        await self._patch({"spec": {"enabled": False}})
        await self._happens(f"disabled: {made}, MessagingUser and Secret are gone", self._none_there)
        await self._happens("the login opens nothing any more", lambda: _answer(login not in self._enmasse.logins))
        await self._patch({"spec": {"enabled": True}})
        await self._happens("enabled again: Ready", self._reason_is("Ready"))
        everything = "AddressSpace deleted: the garbage collector alone removes all that was made"
        if not self._way.resource:
            everything = "AddressSpace deleted: the operator takes the connection back, and all that was made is gone"
        else:
            self._stop_operator()
            say("   the operator is stopped")
        say(f"   $ kubectl delete addressspace orders -n {NAMESPACE} {self._kubeconfig_flag}")
        await person.delete(OBJECTS["AddressSpace"])
        await self._happens(everything, self._nothing_left, within=COLLECTED)

    async def _stay(self) -> None:
        """Leave everything running, with the operator back, until Ctrl-C."""
        if self._operator is None:
            self._start_operator()
        await self._make_space()
        await self._happens("once more, to look at: the pair is offered", self._reason_is("NotEnabled"))
        await self._patch({"spec": {"enabled": True}})
        await self._happens("and Ready", self._reason_is("Ready"))
        self._screen.say("\nEverything keeps running, the operator too, until Ctrl-C. In another terminal:")
        self._screen.say(f"  export KUBECONFIG={self._plane.kubeconfig('person')}")
        self._screen.say(f"  kubectl get addressspaces,integrations,messagingusers,connections -n {NAMESPACE}")
        if self._server is not None:
            self._screen.say(f"  Syndesis's server, simulated: {self._server.url}/api/v1/connections")
        await asyncio.Event().wait()

    async def _make_space(self) -> None:
        spec = {"type": "standard", "plan": "standard-small", "authenticationService": {"name": "standard-authservice"}}
        document = _document("enmasse.io/v1beta1", "AddressSpace", "orders", spec)
        await self._person.post(OBJECTS["AddressSpace"].rpartition("/")[0], document)

    async def _happens(self, what: str, check: Check, *, within: float = IN_TIME) -> None:
        """Wait until a step has happened, and say so."""
        self._step += 1
        self._screen.doing(what)
        began = time.monotonic()
        while not await check():
            if failed := self._plane.failed():
                raise StepFailed(f"step {self._step}, {what}: {failed}")
            if self._operator is not None and not self._operator.runs():
                ended = f"the operator {self._operator.ending()}"
                raise StepFailed(f"step {self._step}, {what}: {ended}\n{self._last_words()}")
            if time.monotonic() - began > within:
                raise StepFailed(
                    f"step {self._step} did not happen within {within:.0f} s: {what}\n{self._last_words()}"
                )
            await asyncio.sleep(0.05)
        self._screen.doing("")
        self._screen.say(f"{self._step:>2} {what} ({time.monotonic() - began:.1f} s)")

    @property
    def _kubeconfig_flag(self) -> str:
        """Part of each command that is shown: copied without it, it would go to whatever cluster a person uses."""
        return shlex.join([f"--kubeconfig={self._plane.kubeconfig('person')}"])

    async def _patch(self, body: Document) -> None:
        """Patch the Integration as a person does: with kubectl where it is, else with the same request."""
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
            await self._person.patch(OBJECTS["Integration"], body)
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
            endpoint["serviceHost"] = "messaging-moved.enmasse-infra.svc"
        await self._person.patch(OBJECTS["AddressSpace"], {"status": {"endpointStatuses": endpoints}})

    # What is looked for

    async def _space_ready(self) -> bool:
        return bool((_part(await self._get("AddressSpace"), "status")).get("isReady"))

    def _reason_is(self, reason: str) -> Check:
        async def said() -> bool:
            integration = await self._get("Integration")
            generation = (integration or {"metadata": {}})["metadata"].get("generation")
            return _reason(integration) == reason and _part(integration, "status")["observedGeneration"] == generation

        return said

    async def _all_there(self) -> bool:
        on_server = self._server is None or stored(self._server) is not None
        return on_server and all([await self._get(kind) for kind in self._children])

    async def _none_there(self) -> bool:
        return stored(self._server) is None and not any([await self._get(kind) for kind in CHILDREN])

    async def _nothing_left(self) -> bool:
        return stored(self._server) is None and not any([await self._get(kind) for kind in OBJECTS])

    async def _followed(self) -> bool:
        if self._server is not None:
            found = stored(self._server)
            return found is not None and "messaging-moved" in found["configuredProperties"]["connectionUri"]
        properties = _part(await self._get("Connection"), "spec").get("configuredProperties") or {}
        return "messaging-moved" in properties.get("connectionUri", "")

    async def _can_log_in(self) -> bool:
        secret = await self._get("Secret")
        return secret is not None and self._enmasse.logins.get(await self._login()) == _text(secret, "password")

    async def _login(self) -> Login:
        secret = await self._get("Secret") or {"data": {}}
        return Login(NAMESPACE, "orders", _text(secret, "username"))

    async def _get(self, kind: str) -> Document | None:
        try:
            return await self._person.get(OBJECTS[kind])
        except NotFound:
            return None

    # What is shown, and what runs

    async def _keep_showing(self) -> None:
        while True:
            with suppress(ApiError):  # the step that meets it says so
                await self._look()
            await asyncio.sleep(0.25)

    async def _look(self) -> None:
        objects = {kind: await self._get(kind) for kind in OBJECTS}
        rows = [
            Row(kind, _name(found), _state(kind, found))
            for kind, found in objects.items()
            if kind != "Connection" or self._way.resource
        ]
        if self._server is not None:
            found = stored(self._server)
            uri = found["configuredProperties"]["connectionUri"] if found else ""
            rows.append(Row("in Syndesis", str(found["name"]) if found else "–", uri))
        self._screen.show(rows)

    def _start_operator(self) -> None:
        self._operator = self._spawn("run", "operator")

    def _spawn(self, command: str, user: str) -> Process:
        """Start a process of the product, with the permissions that it is deployed with."""
        line = [sys.executable, "-m", "integration_operator", command, "--log-format", "json"]
        line += ["--kubeconfig", str(self._plane.kubeconfig(user)), "--probe-port", "0", "--metrics-port", "0"]
        if self._server is not None:
            line += ["--syndesis-url", self._server.url]
        directory = self._plane.directory
        return spawn(line, log=directory / f"{user}.log", directory=directory, detached=False)

    def _stop_operator(self) -> None:
        if self._operator is not None:
            self._operator.stop(30.0)
            self._operator = None

    def _last_words(self) -> str:
        log = self._plane.directory / "operator.log"
        lines = log.read_text().splitlines()[-LAST_LINES:] if log.exists() else []
        return "\n".join(["the operator's last words:", *lines])


async def _ended(task: asyncio.Task[None], stop: asyncio.Event) -> None:
    stop.set()
    await asyncio.wait([task], timeout=5)


async def _answer(value: bool) -> bool:
    return value


def _document(
    api_version: str, kind: str, name: str, spec: Document, annotations: dict[str, str] | None = None
) -> Document:
    metadata = {"name": name, "namespace": NAMESPACE, "annotations": annotations or {}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def _part(document: Document | None, key: str) -> Document:
    return (document or {}).get(key) or {}


def _text(secret: Document, key: str) -> str:
    return b64decode(secret["data"].get(key, "")).decode()


def _reason(integration: Document | None) -> str:
    conditions = _part(integration, "status").get("conditions") or []
    return next((str(c["reason"]) for c in conditions if c["type"] == "Ready"), "")


def _name(found: Document | None) -> str:
    return str(found["metadata"]["name"]) if found else "–"


def _state(kind: str, found: Document | None) -> str:
    """How an object is, in a few words."""
    if found is None:
        return ""
    if "deletionTimestamp" in found["metadata"]:
        return "being deleted"
    status, spec = _part(found, "status"), _part(found, "spec")
    if kind == "AddressSpace":
        return "ready" if status.get("isReady") else "not ready"
    if kind == "Integration":
        return (
            f"{'enabled' if spec.get('enabled') else 'disabled'}, {status.get('phase') or '–'}, {_reason(found) or '–'}"
        )
    if kind == "Secret":
        return "username, password"
    if kind == "MessagingUser":
        return str(status.get("phase") or "–")
    return f"{status.get('phase') or '–'}, {(spec.get('configuredProperties') or {}).get('connectionUri', '')}"


def run(*, keep: bool, kubeconfig: Path | None = None, delivery: Name = "native") -> None:
    """Start a control plane, or take the cluster of a kubeconfig, and tell the story.

    Raises ``StepFailed`` and ``LocalClusterError``.
    """
    console = Console()
    screen = Screen(console)
    began = time.monotonic()
    if kubeconfig is None:
        screen.say("Starting a control plane: etcd, kube-apiserver, kube-controller-manager …")
    with ExistingCluster(kubeconfig) if kubeconfig else ControlPlane.start(before_controllers=install_all) as cluster:
        screen.say(f"The cluster serves after {time.monotonic() - began:.1f} s.")
        with screen.shown():
            try:
                asyncio.run(Demo(cluster, screen, WAYS[delivery]).run(keep=keep))
            finally:
                for number in (signal.SIGINT, signal.SIGTERM):  # nothing is left to do but to stop all in order
                    signal.signal(number, signal.SIG_IGN)
    screen.say(f"\nAll steps happened. The whole took {time.monotonic() - began:.0f} s; nothing is left running.")
