"""One run: a scenario, and at most one fault at one boundary of it.

1. Prepare what is there before the change, undisturbed, until the operator has nothing left to do.
2. Record boundaries, or wait for the one of the fault; make the change.
3. Wait until no invariant is violated, then until the operator is quiet. The invariants must still hold.
4. Search everything that the run has written for passwords and tokens.

The faults of LISTs are those of a start. Step 2 then ends with a restart, and the boundaries of LISTs are recorded in
a restart after step 3, which must change nothing.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.faults.admin import Admin
from tests.support.faults.boundaries import Boundary
from tests.support.faults.cleaning import clean
from tests.support.faults.credentials import CredentialWatch
from tests.support.faults.environment import Environment, simulated_syndesis
from tests.support.faults.evidence import leaked, logins, recreated, renewed
from tests.support.faults.expectation import Expectation
from tests.support.faults.faults import Fault
from tests.support.faults.injection import Injection
from tests.support.faults.operator_process import Deployment
from tests.support.faults.oracle import violations
from tests.support.faults.platforms import Platforms
from tests.support.faults.proxy import Upstream
from tests.support.faults.scenario import Scenario
from tests.support.faults.servers import Servers
from tests.support.faults.snapshot import ref_of
from tests.support.faults.stage import Stage
from tests.support.faults.traffic import Traffic
from tests.support.repeatedly import repeatedly

CONVERGED_WITHIN = 45.0
CALM = 0.25
"""Seconds without a request after which the preparation is done."""
QUIET = 1.0
"""Seconds without a request, watches aside, after which a run is done."""
POLL = 0.06
REFUSALS = (409, 410, 422)
VERIFICATION, NO_VERIFICATION = 10, 86_400
"""Seconds between checks of state over REST: the shortest that the operator accepts, and longer than a run."""
LOG_LINES = 40


@dataclass
class Outcome:
    """What a run has shown."""

    problems: list[str] = field(default_factory=list)
    """Violated invariants; none if the run is good."""
    reached: bool = False
    """True if the fault was injected."""
    boundaries: list[Boundary] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds by phase."""
    report: list[str] = field(default_factory=list)
    """The last requests and lines of the log, if there are problems."""

    @property
    def total(self) -> float:
        """Seconds of the whole run."""
        return sum(self.seconds.values())


class Run:
    """A scenario on a plane, with an operator behind proxies.

    Without a fault its boundaries are recorded; those of LISTs only if it ``restarts`` the operator at its end.
    """

    def __init__(
        self,
        environment: Environment,
        scenario: type[Scenario],
        fault: Fault | None = None,
        boundary: Boundary | None = None,
        *,
        quiet: float = QUIET,
        quiet_at_rest: float = QUIET,
        restarts: bool = True,
    ) -> None:
        self._environment = environment
        self._plane = environment.planes[scenario.plane]
        self._type = scenario
        self._fault = fault
        self._boundary = boundary
        self._quiet = quiet
        self._quiet_at_rest = quiet_at_rest
        self._restarts = restarts and fault is None
        self._tag = secrets.token_hex(4)
        self._traffic = Traffic(polls=scenario.polls, replicas=scenario.replicas)
        self._injection = Injection(fault, boundary)
        self._outcome = Outcome()
        self._mark = time.monotonic()

    @property
    def namespaces(self) -> list[str]:
        """The namespaces that it has used, which are empty at its end."""
        return self._stage.namespaces

    async def execute(self) -> Outcome:
        """Play the scenario, and judge what is left."""
        async with self._running() as stage:
            try:
                await self._play()
            except Exception as error:  # the next run goes on
                self._outcome.problems.append(f"{type(error).__name__}: {error}")
                if not isinstance(error, AssertionError):
                    self._outcome.report += traceback.format_exc().splitlines()
            if self._outcome.problems:
                self._outcome.report += [*self._traffic.tail(), *_last_lines(self._servers), *await _statuses(stage)]
        self._phase("end")
        await clean(stage)
        self._phase("clean")
        self._outcome.reached = self._injection.reached.is_set()
        return self._outcome

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[Stage]:
        """Run servers, the watch on Secrets, what surrounds the scenario, and the operator."""
        async with AsyncExitStack() as stack:
            platforms = replace(self._plane.platforms, realms=[])
            operator = await stack.enter_async_context(Admin(self._plane.control_plane.kubeconfig("operator")))
            self._servers = Servers(self._environment.directory, self._tag, operator, self._traffic, self._injection)
            await stack.enter_async_context(self._servers)
            await self._start_platforms(stack, platforms)
            self._stage = Stage(self._plane.control_plane, self._plane.admin, platforms, self._tag)
            self._stage.foreign.update(self._plane.bystanders)
            self._stage.neighbours = self._plane.bystander_namespaces
            self._scenario = self._type(self._stage)
            self._servers.settings = {**self._scenario.settings, **self._pace()}
            self._credentials = await stack.enter_async_context(CredentialWatch(self._plane.admin))
            await stack.enter_async_context(self._scenario.surroundings())
            stack.push_async_callback(self._scenario.clean)
            self._deployment = Deployment(
                self._environment.zygote,
                self._servers.arguments,
                self._servers.log,
                replicas=self._type.replicas,
                ended=self._traffic.ended,
                request_seconds=self._fault.request_seconds if self._fault is not None else 0.0,
            )
            self._injection.kill = self._deployment.kill
            self._stage.deployment = self._deployment
            self._stage.leader = self._leader
            await stack.enter_async_context(self._deployment)
            await stack.enter_async_context(repeatedly(self._look, every=0.005))
            self._phase("start")
            yield self._stage

    def _pace(self) -> dict[str, Any]:
        """Return how often the operator verifies what it delivered over REST, at a random time of each period.

        That is no part of a run. But a refusal of Syndesis or Keycloak is final until something changes there, which no
        event shows: the operator tries again when it is time to verify.
        """
        final = self._fault is not None and self._fault.status in REFUSALS
        over_rest = self._boundary is not None and self._boundary.server != "kubernetes"
        return {"verification_seconds": VERIFICATION if final and over_rest else NO_VERIFICATION}

    async def _start_platforms(self, stack: AsyncExitStack, platforms: Platforms) -> None:
        """Start the platforms that are a run's own, and put all that have an address behind proxies."""
        if self._type.rest:
            platforms.server = await stack.enter_async_context(_syndesis_server())
            session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
            self._servers.add(Upstream("syndesis", platforms.server.url, session))
        else:
            plane = self._plane.control_plane
            platforms.syndesis = await stack.enter_async_context(simulated_syndesis(plane))
        if self._type.keycloak:
            keycloak = self._environment.keycloak
            assert keycloak is not None
            platforms.keycloak = keycloak
            trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=keycloak.certificate))
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=trust, auto_decompress=False))
            self._servers.add(Upstream("keycloak", keycloak.url, session))

    async def _play(self) -> None:
        before = await self._scenario.prepare()
        if not await self._holds(before, CALM, "before the change"):
            return
        self._phase("prepare")
        if self._fault is not None and self._fault.sort == "list":
            await self._servers.take_lists()
        else:
            self._traffic.begin()
        after = await self._scenario.act()
        self._phase("act")
        if self._fault is not None and self._fault.sort == "list":
            if not await self._holds(after, CALM, "before the restart"):
                return
            await self._restart()
        if not await self._holds(after, self._quiet, "at last"):
            return
        if await self._injection.deliver_at_last() and not await self._holds(after, CALM, "after a late request"):
            return
        self._outcome.boundaries = [b for b in self._traffic.boundaries if b.sort != "list"]
        if self._restarts:
            await self._restart_at_rest(after)
        self._outcome.problems += renewed(after, self._credentials.passwords)
        self._outcome.problems += recreated(after, self._credentials.users)
        self._outcome.problems += self._credentials.unrecorded()
        self._outcome.problems += await logins(self._stage, after, self._credentials)
        self._outcome.problems += await leaked(self._stage, self._servers, self._credentials)
        self._outcome.problems += [*self._deployment.failures, *self._traffic.strays]
        self._phase("sweep")

    async def _holds(self, expected: Expectation, quiet: float, moment: str) -> bool:
        """Return True once the operator is quiet and no invariant is violated.

        A quiet moment in which one is violated still may be the pause before a retry.
        """
        deadline = time.monotonic() + CONVERGED_WITHIN
        while True:
            while problems := violations(await self._stage.snapshot(), expected, self._stage.foreign):
                if time.monotonic() > deadline:
                    self._outcome.problems += [f"{moment}: {problem}" for problem in problems]
                    return False
                await asyncio.sleep(POLL)
            self._phase("converge")
            if busy := await self._traffic.quiet(quiet, quiet + CONVERGED_WITHIN):
                self._outcome.problems.append(f"{moment}: {busy}")
            self._phase("quiet")
            if not violations(await self._stage.snapshot(), expected, self._stage.foreign):
                return not self._outcome.problems

    async def _restart(self) -> None:
        """Kill the operator, or its leader; record the boundaries of the next one."""
        self._traffic.begin()
        lives = self._deployment.lives
        self._deployment.kill(self._leader())
        while self._deployment.lives == lives:
            await asyncio.sleep(0.01)

    def _leader(self) -> int:
        assert self._traffic.leader is not None
        return self._traffic.leader

    async def _restart_at_rest(self, expected: Expectation) -> None:
        """Restart the operator over a state that is as it should be: it lists all kinds, and writes nothing."""
        mark = len(self._traffic.requests)
        await self._restart()
        await self._holds(expected, self._quiet_at_rest, "after a restart at rest")
        if writes := self._traffic.writes_since(mark):
            self._outcome.problems.append(f"a restart at rest writes: {', '.join(writes)}")
        self._outcome.boundaries += [b for b in self._traffic.boundaries if b.sort == "list"]
        self._phase("restart")

    def _look(self) -> None:
        """Note what must not be even for a moment."""
        if (problem := self._scenario.interrupted()) is not None and problem not in self._outcome.problems:
            self._outcome.problems.append(problem)

    def _phase(self, name: str) -> None:
        now = time.monotonic()
        self._outcome.seconds[name] = self._outcome.seconds.get(name, 0.0) + now - self._mark
        self._mark = now


@asynccontextmanager
async def _syndesis_server() -> AsyncIterator[SyndesisServer]:
    async with SyndesisServer.running() as server:
        server.verifier_answer = [{"status": "OK", "scope": scope} for scope in ("PARAMETERS", "CONNECTIVITY")]
        yield server


async def _statuses(stage: Stage) -> list[str]:
    """Return the status of each object that the operator made."""
    snapshot = await stage.snapshot()
    kinds = ("Integration", "MessagingUser", "Connection")
    items = [(kind, item) for kind in kinds for item in snapshot.objects[kind]]
    return [f"{kind} {ref_of(item)}: {json.dumps(item.get('status'))}" for kind, item in items]


def _last_lines(servers: Servers) -> list[str]:
    if not servers.log.exists():
        return []
    return servers.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
