"""Soak the operator: ``python -m tests.support.faults.soak --minutes 60``. ``make soak MINUTES=60`` does this.

In each round, tenants and platforms change things at random, and faults are injected at random boundaries; in the first
third of the time the operator is also killed. Then the faults end, and the operator has to bring everything to the
desired state without an unrequested change of a credential. At the end, memory and open files of one process
must not have grown.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from integration_operator_sandbox.platforms.enmasse import CERTIFICATE
from tests.support.documents import path, space_status
from tests.support.faults.admin import Admin
from tests.support.faults.boundaries import Boundary
from tests.support.faults.cleaning import clean
from tests.support.faults.credentials import CredentialWatch
from tests.support.faults.environment import simulated_syndesis, start_plane
from tests.support.faults.expectation import Delivered, Expectation, Offered, Ref
from tests.support.faults.faults import FAULTS, Fault
from tests.support.faults.injection import Injection
from tests.support.faults.operator_process import Deployment, Zygote
from tests.support.faults.oracle import violations
from tests.support.faults.servers import Servers
from tests.support.faults.snapshot import secret_value
from tests.support.faults.stage import HOST, Stage
from tests.support.faults.sweep import leaks
from tests.support.faults.traffic import Traffic
from tests.support.faults.worker import drop

NAMESPACES, SPACES = 3, 2
CHURN = 12.0
"""Seconds of a round in which things change."""
LONGEST_PAUSE = 0.4
CONVERGED_WITHIN = 150.0
"""Seconds: the longest wait before a retry that so short a time of faults leads to, and more."""
QUIET = 0.5
REQUEST_SECONDS = 2.0
SHARES = {"write": 0.06, "event": 0.02, "list": 0.1}
"""How many boundaries of each sort meet a fault."""
KILLS = frozenset({"killed-before", "killed-after", "late", "overtaken"})
LAG = 2.0
"""Seconds by which a LIST is stale, at most."""
WARM_UP = 2
"""Rounds before the first sample of memory counts."""
MOST_GROWTH = 1.1
MOST_GROWTH_BYTES = 4 * 1024 * 1024
MOST_GROWTH_FILES = 6


@dataclass
class RandomInjection(Injection):
    """Injects random faults while it is ``active``."""

    chance: random.Random = field(default_factory=random.Random)
    active: bool = False
    kills: bool = True
    injected: Counter[str] = field(default_factory=Counter)

    def hits(self, boundary: Boundary | None) -> Fault | None:
        """Return a fault for some boundaries."""
        if not self.active or boundary is None or self.chance.random() >= SHARES[boundary.sort]:
            return None
        faults = [f for f in FAULTS.values() if f.concerns(boundary) and (self.kills or f.name not in KILLS)]
        if not faults:
            return None
        fault = self.chance.choice(faults)
        self.injected[fault.name] += 1
        return fault


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory and open files of a process at the end of a round."""

    life: int
    resident: int
    files: int


class Soak:
    """The pairs of a soak, what is wanted of each, and what the operator made of it."""

    def __init__(
        self, stage: Stage, chance: random.Random, servers: Servers, injection: RandomInjection, watch: CredentialWatch
    ) -> None:
        self.samples: list[Sample] = []
        self.steps: Counter[str] = Counter()
        self._stage = stage
        self._chance = chance
        self._servers = servers
        self._injection = injection
        self._watch = watch
        self._hosts: dict[tuple[Ref, Ref], str] = {}
        self._enabled: set[tuple[Ref, Ref]] = set()
        self._passwords: dict[tuple[Ref, Ref], str] = {}
        self._changed: set[tuple[Ref, Ref]] = set()
        """Pairs whose credential may change in this round."""
        self.rotating: set[tuple[Ref, Ref]] = set()
        """Pairs with a request for a rotation that is not followed yet: a write that was refused is tried again after
        up to two minutes, and until then everything may be as desired with the earlier credential."""
        self._requests = 0
        self._log_read = 0

    async def begin(self) -> None:
        """Create the AddressSpaces and the Syndesis."""
        for number in range(NAMESPACES):
            namespace = await self._stage.namespace(f"soak{number}")
            syndesis = await self._stage.syndesis(namespace)
            for other in range(SPACES):
                self._hosts[await self._stage.space(namespace, f"orders{other}"), syndesis] = HOST

    async def churn(self) -> None:
        """Change things at random while faults are injected."""
        self._changed.clear()
        self._injection.active = True
        until = time.monotonic() + CHURN
        while time.monotonic() < until:
            await self._step()
            if self._chance.random() < LONGEST_PAUSE / LAG:
                await self._servers.take_lists()
            await asyncio.sleep(LONGEST_PAUSE * self._chance.random())
        self._injection.active = False

    async def problems(self, deployment: Deployment, traffic: Traffic) -> list[str]:
        """Wait for the desired state; return what is not as it has to be."""
        until = time.monotonic() + CONVERGED_WITHIN
        while True:
            while found := violations(await self._stage.snapshot(), self._expected(), self._stage.foreign):
                if time.monotonic() > until:
                    return found
                await asyncio.sleep(0.1)
            await traffic.quiet(QUIET, QUIET + CONVERGED_WITHIN)
            if not violations(await self._stage.snapshot(), self._expected(), self._stage.foreign):
                break
        found = [*await self._credentials(), *leaks([("the log", self._log())], self._watch.all())]
        self.samples += [_sample(life, pid) for life, pid in deployment.pids.items()]
        return [*found, *deployment.failures, *traffic.strays]

    def growth(self) -> list[str]:
        """Return what has grown in the process that ran last."""
        last = self.samples[-1].life if self.samples else 0
        samples = [sample for sample in self.samples if sample.life == last][WARM_UP:]
        third = len(samples) // 3
        if third == 0:
            return [f"process {last} ran for {len(samples)} rounds after its warm-up: too few to see a growth"]
        first, end = samples[:third], samples[-third:]
        before, after = (statistics.median(sample.resident for sample in part) for part in (first, end))
        files = max(s.files for s in first), max(s.files for s in end)
        print(
            f"process {last}, {len(samples)} rounds: {before / 2**20:.1f} MiB, then {after / 2**20:.1f} MiB; "
            f"{files[0]} open files, then {files[1]}"
        )
        grown = [f"memory grows: {before:.0f} bytes, then {after:.0f}"]
        grown = grown if after > max(before * MOST_GROWTH, before + MOST_GROWTH_BYTES) else []
        more = [f"open files grow: {files[0]}, then {files[1]}"] if files[1] > files[0] + MOST_GROWTH_FILES else []
        return grown + more

    async def _step(self) -> None:
        pair = self._chance.choice(list(self._hosts))
        steps: dict[str, tuple[int, Callable[[Ref, Ref], Awaitable[None]]]] = {
            "enable or disable": (6, self._toggle),
            "move the endpoint": (4, self._move),
            "request a rotation": (3, self._rotate),
            "delete a Secret": (1, self._delete_secret),
            "delete a Connection": (1, self._delete_connection),
            "replace the AddressSpace": (1, self._replace_space),
            "replace the Syndesis": (1, self._replace_syndesis),
        }
        (name,) = self._chance.choices(list(steps), [weight for weight, _ in steps.values()])
        self.steps[name] += 1
        await steps[name][1](*pair)

    async def _toggle(self, space: Ref, syndesis: Ref) -> None:
        enabled = (space, syndesis) not in self._enabled
        await self._stage.enable(space, syndesis, enabled=enabled)
        self._enabled ^= {(space, syndesis)}
        self._changed.add((space, syndesis))

    async def _move(self, space: Ref, syndesis: Ref) -> None:
        host = self._hosts[space, syndesis] = f"messaging-{self._chance.randrange(1000)}.enmasse-infra.svc"
        await self._stage.patch("AddressSpace", space, {"status": space_status(host)})

    async def _rotate(self, space: Ref, syndesis: Ref) -> None:
        if (space, syndesis) not in self._enabled:
            return
        self._requests += 1
        request = {"annotations": {"integreatly.org/rotate": str(self._requests)}}
        spec = {"rotation": {"overlap": "1s"}}
        integration = await self._stage.integration(space, syndesis)
        await self._stage.patch("Integration", integration, {"metadata": request, "spec": spec})
        self._changed.add((space, syndesis))
        self.rotating.add((space, syndesis))

    async def _delete_secret(self, space: Ref, syndesis: Ref) -> None:
        await self._delete_child("Secret", space, syndesis)

    async def _delete_connection(self, space: Ref, syndesis: Ref) -> None:
        await self._delete_child("Connection", space, syndesis)

    async def _delete_child(self, kind: str, space: Ref, syndesis: Ref) -> None:
        for item in await self._stage.admin.items(path(kind, syndesis.namespace)):
            named = (item["metadata"].get("annotations") or {}).get("integreatly.org/address-space")
            if named == str(space):
                await self._stage.admin.delete(path(kind, syndesis.namespace, item["metadata"]["name"]))

    async def _replace_space(self, space: Ref, syndesis: Ref) -> None:
        await self._stage.delete("AddressSpace", space)
        await self._withdrawn(space, syndesis)
        await self._stage.space(*space)
        self._hosts[space, syndesis] = HOST

    async def _replace_syndesis(self, space: Ref, syndesis: Ref) -> None:
        await self._stage.delete("Syndesis", syndesis)
        for other in [other for other, of in self._hosts if of == syndesis]:
            await self._withdrawn(other, syndesis)
        await self._stage.syndesis(syndesis.namespace)

    async def _withdrawn(self, space: Ref, syndesis: Ref) -> None:
        """Wait until the offer of a pair is gone."""
        self._enabled.discard((space, syndesis))
        self._changed.add((space, syndesis))

        async def gone() -> bool:
            return not (await self._stage.snapshot()).integrations_of(space, syndesis)

        await self._stage.eventually(f"the offer of {space} is withdrawn", gone, CONVERGED_WITHIN)

    def _expected(self) -> Expectation:
        enabled = (pair for pair in self._hosts if pair in self._enabled)
        delivered = (Delivered(*pair, host=self._hosts[pair], certificate=CERTIFICATE) for pair in enabled)
        offered = (Offered(*pair) for pair in self._hosts if pair not in self._enabled)
        return Expectation(tuple(delivered), tuple(offered))

    async def _credentials(self) -> list[str]:
        """Say whose password has changed although nothing in this round asks for it."""
        snapshot, changed = await self._stage.snapshot(), []
        for space, syndesis in self._enabled:
            of_pair = (
                s
                for s in snapshot.objects["Secret"]
                if (s["metadata"].get("annotations") or {}).get("integreatly.org/address-space") == str(space)
            )
            password = secret_value(next(of_pair), "password")
            before = self._passwords.get((space, syndesis))
            if before is not None and before != password and (space, syndesis) not in self._changed | self.rotating:
                changed.append(f"the password of {space} has changed unasked")
            if before != password:
                self.rotating.discard((space, syndesis))
            self._passwords[space, syndesis] = password
        self.rotating &= self._enabled
        return changed

    def _log(self) -> str:
        """Return what the processes have logged since the last round."""
        with self._servers.log.open(errors="replace") as log:
            log.seek(self._log_read)
            text = log.read()
            self._log_read = log.tell()
        return text


def _sample(life: int, pid: int) -> Sample:
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Sample(life, resident, len(os.listdir(f"/proc/{pid}/fd")))


async def soak(minutes: float, seed: int) -> list[str]:
    """Run rounds for so many minutes; return what was not as it has to be."""
    chance = random.Random(seed)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="integration-operator-soak-")))
        zygote = await Zygote.start()
        stack.push_async_callback(zygote.stop)
        plane = await stack.enter_async_context(start_plane("native"))
        plane.platforms.syndesis = await stack.enter_async_context(simulated_syndesis(plane.control_plane))
        operator = await stack.enter_async_context(Admin(plane.control_plane.kubeconfig("operator")))
        traffic, injection = Traffic(), RandomInjection(chance=chance)
        servers = await stack.enter_async_context(Servers(directory, "soak", operator, traffic, injection))
        stage = Stage(plane.control_plane, plane.admin, plane.platforms, f"{seed:x}")
        stage.foreign.update(plane.bystanders)
        stage.neighbours = plane.bystander_namespaces
        watch = await stack.enter_async_context(CredentialWatch(plane.admin))
        deployment = Deployment(
            zygote, servers.arguments, servers.log, ended=traffic.ended, request_seconds=REQUEST_SECONDS
        )
        injection.kill = deployment.kill
        running = Soak(stage, chance, servers, injection, watch)
        await running.begin()
        await stack.enter_async_context(deployment)
        found = await _rounds(running, minutes, deployment, traffic, injection)
        print(f"changes: {dict(running.steps)}")
        print(f"faults: {dict(injection.injected.most_common())}")
        if not found:
            found = running.growth()
        await clean(stage)
    return found


async def _rounds(
    running: Soak, minutes: float, deployment: Deployment, traffic: Traffic, injection: RandomInjection
) -> list[str]:
    began, number = time.monotonic(), 0
    while (passed := time.monotonic() - began) < minutes * 60:
        number += 1
        injection.kills = passed < minutes * 60 / 3
        traffic.begin()
        await running.churn()
        traffic.end()
        ended = time.monotonic()
        if problems := await running.problems(deployment, traffic):
            return [f"round {number}: {problem}" for problem in problems]
        sample = running.samples[-1]
        print(
            f"round {number}: {sum(running.steps.values())} changes, {injection.injected.total()} faults, process "
            f"{sample.life}: {sample.resident / 2**20:.1f} MiB, {sample.files} open files; as desired after "
            f"{time.monotonic() - ended:.1f} s, {len(running.rotating)} rotations to come",
            flush=True,
        )
    return []


def main() -> int:
    """Soak; return 1 if anything was not as it has to be."""
    structlog.configure(processors=[drop])
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None, help="Default: a random one.")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**20) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    problems = asyncio.run(soak(options.minutes, seed))
    for problem in problems:
        print(f"VIOLATED {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
