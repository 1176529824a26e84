"""The servers that many runs share: control planes, simulated platforms, and the process that forks operators."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from integration_operator.manager import ConnectionOperator
from integration_operator.runtime.client import Client
from integration_operator.settings import Settings
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.deployment import install_all
from integration_operator_sandbox.platforms import SimulatedEnMasse, SimulatedSyndesis
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.keycloak.controller import KeptLogins
from tests.support.earlier_enmasse import before_enmasse_031
from tests.support.faults import bystanders
from tests.support.faults.admin import Admin, Document
from tests.support.faults.cleaning import clean
from tests.support.faults.expectation import Ref
from tests.support.faults.operator_process import Zygote
from tests.support.faults.platforms import Platforms
from tests.support.faults.scenario import Scenario
from tests.support.faults.stage import Stage

PLATFORM_WORKERS = 4
NOWHERE = "http://127.0.0.1:9"
"""A port on which nothing listens."""


@dataclass
class Plane:
    """A control plane with simulated platforms, and what stands on it beside the runs."""

    control_plane: ControlPlane
    admin: Admin
    platforms: Platforms
    bystanders: dict[tuple[str, Ref], Document] = field(default_factory=dict)
    bystander_namespaces: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def on(cls, control_plane: ControlPlane, kinds: frozenset[str]) -> AsyncIterator[Self]:
        """Run the platforms on a control plane that serves these kinds, and create the bystanders."""
        async with AsyncExitStack() as stack:
            admin = await stack.enter_async_context(Admin(control_plane.kubeconfig("user")))
            platforms = Platforms()
            if "AddressSpace" in kinds:
                platforms.enmasse = await stack.enter_async_context(simulated_enmasse(control_plane))
            plane = cls(control_plane, admin, platforms)
            stage = Stage(control_plane, admin, platforms, secrets.token_hex(4))
            async with simulated_syndesis(control_plane), connection_controller(control_plane, NOWHERE):
                plane.bystanders = await bystanders.create(stage, kinds)
            plane.bystander_namespaces = stage.namespaces
            yield plane
            await clean(stage)


@asynccontextmanager
async def simulated_enmasse(
    control_plane: ControlPlane, keycloak: KeptLogins | None = None
) -> AsyncIterator[SimulatedEnMasse]:
    """Run the simulated EnMasse."""
    async with Client.from_kubeconfig(control_plane.kubeconfig("enmasse")) as client:
        enmasse = SimulatedEnMasse(client, workers=PLATFORM_WORKERS, keycloak=keycloak)
        async with _running(enmasse.run):
            yield enmasse


@asynccontextmanager
async def simulated_syndesis(control_plane: ControlPlane) -> AsyncIterator[SimulatedSyndesis]:
    """Run the simulated Syndesis that reconciles Connections."""
    async with Client.from_kubeconfig(control_plane.kubeconfig("syndesis")) as client:
        syndesis = SimulatedSyndesis(client, workers=PLATFORM_WORKERS)
        async with _running(syndesis.run):
            yield syndesis


@asynccontextmanager
async def connection_controller(control_plane: ControlPlane, url: str) -> AsyncIterator[None]:
    """Run the connection controller for the Syndesis server at a URL."""
    async with (
        Client.from_kubeconfig(control_plane.kubeconfig("connection-controller")) as client,
        ConnectionOperator(client, Settings(syndesis_url=url)).running(),
    ):
        yield


@asynccontextmanager
async def _running(run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run(stop))
        try:
            yield
        finally:
            stop.set()


@dataclass
class Environment:
    """What a worker has for its runs."""

    zygote: Zygote
    planes: dict[str, Plane]
    directory: Path
    """Where logs and kubeconfigs of the present run are."""
    keycloak: Keycloak | None = None
    """The Keycloak of all runs that need one."""

    async def provide(self, stack: AsyncExitStack, scenario: type[Scenario]) -> None:
        """Start what a scenario needs and does not run yet; ``stack`` stops it."""
        if scenario.keycloak and self.keycloak is None:
            self.keycloak = stack.enter_context(await asyncio.to_thread(Keycloak.start))
        if scenario.plane not in self.planes:
            self.planes[scenario.plane] = await stack.enter_async_context(start_plane(scenario.plane))


KINDS = {
    "native": frozenset(
        ("AddressSpace", "AuthenticationService", "MessagingUser", "Syndesis", "Connection", "Integration", "Secret")
    ),
    "old": frozenset(("Syndesis", "Connection", "Integration", "Secret")),
}
"""The kinds that a control plane of each sort serves."""
INSTALL = {"native": install_all, "old": before_enmasse_031}


@asynccontextmanager
async def start_plane(sort: str) -> AsyncIterator[Plane]:
    """Start a control plane of a sort, and the platforms on it."""
    with ControlPlane.start(before_controllers=INSTALL[sort]) as control_plane:
        async with Plane.on(control_plane, KINDS[sort]) as plane:
            yield plane
