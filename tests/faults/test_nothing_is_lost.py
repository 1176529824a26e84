"""Nothing is lost, doubled, leaked or changed: each scenario met with a fault, each fault in a scenario.

This is a sample of what ``make faults`` does. FAULTS_SEED chooses another one.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from integration_operator_sandbox.controlplane import ControlPlane
from tests.support.faults.environment import KINDS, Environment, Plane
from tests.support.faults.faults import FAULTS
from tests.support.faults.operator_process import Zygote
from tests.support.faults.plan import all_runs, pick, shares, uncovered
from tests.support.faults.run import Outcome, Run
from tests.support.faults.scenarios import SCENARIOS

SEED = int(os.environ.get("FAULTS_SEED", "1"))
ROOT = Path(__file__).parents[2]
QUIET = 0.5
TRIES = 5
"""Runs until a fault is injected: what happens at the same moment in one run needs two writes in another."""
SHARES = shares(list(SCENARIOS), SEED)
PLANES = {"native": "control_plane", "old": "old_plane"}

of_the_module = pytest.mark.asyncio(loop_scope="module")
"""Servers that tests share belong to one event loop."""

pytestmark = pytest.mark.timeout(600)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Environment, AsyncExitStack]]:
    """Return what the runs share."""
    zygote = await Zygote.start()
    async with AsyncExitStack() as stack:
        yield Environment(zygote, {}, tmp_path_factory.mktemp("faults")), stack
    await zygote.stop()


async def provide(given: tuple[Environment, AsyncExitStack], name: str, request: pytest.FixtureRequest) -> Environment:
    """Take the control plane and the Keycloak of the test session for a scenario."""
    environment, stack = given
    scenario = SCENARIOS[name]
    if scenario.keycloak and environment.keycloak is None:
        environment.keycloak = request.getfixturevalue("keycloak")
    if scenario.plane not in environment.planes:
        plane: ControlPlane = request.getfixturevalue(PLANES[scenario.plane])
        context = Plane.on(plane, KINDS[scenario.plane])
        environment.planes[scenario.plane] = await stack.enter_async_context(context)
    return environment


def judge(outcome: Outcome, what: str) -> None:
    report = "\n".join(outcome.report)
    assert not outcome.problems, f"seed {SEED}, {what}: {outcome.problems}\n{report}"


@of_the_module
@pytest.mark.parametrize("name", SCENARIOS)
async def test_scenario_with_its_share_of_faults(
    name: str, environment: tuple[Environment, AsyncExitStack], request: pytest.FixtureRequest
) -> None:
    shared = await provide(environment, name, request)
    faults = [FAULTS[fault] for fault in SHARES[name]]
    restarts = any(fault.sort == "list" for fault in faults)
    recorded = await Run(shared, SCENARIOS[name], quiet=QUIET, quiet_at_rest=QUIET, restarts=restarts).execute()
    judge(recorded, "undisturbed")
    chance = random.Random(f"{SEED} {name}")
    for fault in faults:
        for _ in range(TRIES):
            boundary = pick(recorded.boundaries, fault.name, chance)
            outcome = await Run(shared, SCENARIOS[name], fault, boundary, quiet=QUIET).execute()
            judge(outcome, f"{fault} at {boundary}")
            if outcome.reached or boundary.may_merge:
                break
        else:
            raise AssertionError(f"seed {SEED}: {fault} was not injected in {TRIES} runs, the last time at {boundary}")


@of_the_module
async def test_each_boundary_of_a_scenario_meets_each_fault(
    environment: tuple[Environment, AsyncExitStack], request: pytest.FixtureRequest
) -> None:
    shared = await provide(environment, "create", request)
    outcome = await Run(shared, SCENARIOS["create"], quiet=QUIET, quiet_at_rest=QUIET).execute()
    judge(outcome, "undisturbed")
    writes = {boundary.what.partition(" ")[2].partition(" ")[0] for boundary in outcome.boundaries}
    assert writes >= {"integrations", "secrets", "messagingusers", "connections", "events"}
    recordings = {"create": outcome.boundaries}
    runs = all_runs(recordings)
    assert uncovered(recordings, runs) == []
    assert len(uncovered(recordings, runs[:-1])) == 1
    met = {run.boundary for run in runs}
    assert met == set(outcome.boundaries)


def test_the_sample_has_each_scenario_and_each_fault() -> None:
    assert set(SHARES) == set(SCENARIOS)
    assert all(SHARES.values())
    assert {fault for faults in SHARES.values() for fault in faults} == set(FAULTS)


def test_the_oracle_shares_nothing_with_the_decisions() -> None:
    judging = ("oracle", "evidence", "snapshot", "sweep", "credentials", "expectation")
    modules = ", ".join(f"tests.support.faults.{module}" for module in judging)
    program = (
        f"import sys, {modules}\n"
        "deciding = ('integration_operator.domain', 'integration_operator.controllers')\n"
        "print([name for name in sys.modules if name.startswith(deciding)])\n"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert printed.stdout.strip() == "[]"
