"""Two processes of the operator: one leads and writes, the other takes over, and never do both write.

The audit log has who sent each write, and who held the Lease then. Where a duration itself is not tested, the Lease has
one of three seconds.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from integration_operator.api import names
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.client import Client
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.localhost.machine import free_port
from tests.support.documents import Document
from tests.support.probes import answer
from tests.support.replicas import READS, Replica, Replicas, Wire, holder, led, one_after_the_other, reconciled
from tests.support.world import World

LEADERSHIP_LOST = 6


async def spaces(world: World, namespace: str, names: list[str]) -> list[Pair]:
    """Create AddressSpaces for the Syndesis of a namespace, as fast as one user can."""
    refs = await asyncio.gather(*(world.space(namespace, name) for name in names))
    return [Pair(ref, Ref(namespace, "syndesis")) for ref in refs]


async def delivered(world: World, pairs: list[Pair]) -> None:
    for pair in pairs:
        await world.delivered(pair)


async def test_two_that_start_together(world: World, replicas: Replicas) -> None:
    """One leads. The other has its stores in sync, is ready, and writes nothing; at rest it asks nothing either."""
    namespace = await world.namespace("shop")
    await world.syndesis(namespace)
    ports = {user: free_port() for user in ("operator", "operator-2")}
    both = [
        replicas.start(user, "--enable-new", "--metrics-port", str(port), "--bind-address", "127.0.0.1")
        for user, port in ports.items()
    ]
    pairs = await spaces(world, namespace, [f"space-{number}" for number in range(10)])
    await delivered(world, pairs)
    (leader,) = [replica for replica in both if replica.events("leading")]
    (standby,) = [replica for replica in both if replica is not leader]
    await standby.logs("standing by")
    await standby.synced()
    assert one_after_the_other(world) == [leader.user]
    identity = leader.events("leading")[0]["identity"]
    assert identity == await holder(world) == standby.events("standing by")[0]["holder"]
    assert await answer(ports[standby.user], "/readyz") == (200, "ok\n")
    for replica, leads in ((leader, "1.0"), (standby, "0.0")):
        _, metrics = await answer(ports[replica.user], "/metrics")
        assert f"integration_operator_leader {leads}" in metrics
        assert ('integration_operator_reconciles_total{result="ok"} 0.0' in metrics) == (replica is standby)
        counted = 'integration_operator_integrations{reason="UserPending",state="reconciling"} 10.0'
        assert (counted in metrics) == (replica is leader), "the sum is the number of pairs"
        assert "integration_operator_queue_depth 0.0" in metrics
    await world.audit.quiet()
    world.audit.mark()
    await asyncio.sleep(1.5)
    rest = world.audit.requests()
    assert {(entry["user"]["uid"], entry["objectRef"]["resource"]) for entry in rest} == {(leader.user, "leases")}
    assert len(rest) <= 4


async def test_a_normal_stop_hands_over_in_two_seconds(world: World, replicas: Replicas) -> None:
    """The Lease is released, so that its duration, here the default, does not matter."""
    pair = await world.pair()
    leader, standby = await replicas.leader_and_standby(seconds=0)
    await world.offered(pair)
    began = time.monotonic()
    leader.send(signal.SIGTERM)
    await standby.logs("workers started")
    later = await world.space(pair.space.namespace, "later")
    await world.offered(Pair(later, pair.syndesis))
    took = time.monotonic() - began
    print(f"take-over after SIGTERM: {took:.2f} s")
    assert took < 2
    assert await leader.ends() == 0
    assert leader.events("lease released")
    assert one_after_the_other(world) == [leader.user, standby.user]


async def test_a_killed_leader_is_replaced_in_fifteen_seconds(world: World, replicas: Replicas) -> None:
    """With the defaults, the change that a user makes after the SIGKILL included."""
    pair = await world.pair()
    leader, standby = await replicas.leader_and_standby(seconds=0)
    await world.offered(pair)
    began = time.monotonic()
    leader.send(signal.SIGKILL)
    await world.enable(pair)
    await world.delivered(pair)
    took = time.monotonic() - began
    print(f"take-over after SIGKILL: {took:.2f} s")
    assert took < 15
    assert one_after_the_other(world) == [leader.user, standby.user]


async def test_a_paused_leader_writes_nothing_when_it_wakes(world: World, replicas: Replicas) -> None:
    """It is stopped in the middle of its writes, and wakes up when the other one has led for a while."""
    namespace = await world.namespace("shop")
    await world.syndesis(namespace)
    leader, standby = await replicas.leader_and_standby("--enable-new")
    pairs = await spaces(world, namespace, [f"space-{number}" for number in range(40)])

    async def writing() -> bool:
        return len(await world.items("Secret", namespace)) >= 3

    await world.eventually("it writes", writing, every=0.005)
    leader.send(signal.SIGSTOP)
    assert len(await world.items("Connection", namespace)) < len(pairs), "it was stopped in the middle"
    await standby.logs("workers started")
    await delivered(world, pairs)
    leader.send(signal.SIGCONT)
    assert await leader.ends() == -signal.SIGALRM
    assert one_after_the_other(world) == [leader.user, standby.user]


async def test_a_partitioned_leader_writes_nothing(world: World, replicas: Replicas, tmp_path: Path) -> None:
    """It ends before the other one leads. When it is started again it stands by."""
    namespace = await world.namespace("shop")
    await world.syndesis(namespace)
    async with Wire(world.control_plane.port("kube-apiserver")).running() as wire:
        kubeconfig = wire.kubeconfig(world, "operator", tmp_path)
        leader = replicas.start("operator", "--enable-new", kubeconfig=kubeconfig)
        await leader.logs("workers started")
        standby = replicas.start("operator-2", "--enable-new")
        await standby.logs("standing by")
        await standby.synced()
        pairs = await spaces(world, namespace, [f"space-{number}" for number in range(20)])

        async def writing() -> bool:
            return len(await world.items("Secret", namespace)) >= 3

        await world.eventually("it writes", writing, every=0.005)
        wire.cut()
        await leader.logs("leadership lost")
        assert not standby.events("leading"), "the old leader knew before the new one took the Lease"
        await delivered(world, pairs)
        wire.heal()
        assert await leader.ends() == LEADERSHIP_LOST
        again = replicas.start("operator", "--enable-new", kubeconfig=kubeconfig)
        await again.logs("standing by")
        await again.synced()
        (later,) = await spaces(world, namespace, ["later"])
        await world.delivered(later)
        assert one_after_the_other(world) == [leader.user, standby.user]


async def test_an_outage_that_is_longer_than_the_lease(world: World, replicas: Replicas, tmp_path: Path) -> None:
    """The leader ends; the one that stands by waits for the API server, and leads when it answers again."""
    pair = await world.pair()
    async with Wire(world.control_plane.port("kube-apiserver")).running() as wire:
        first = replicas.start("operator", kubeconfig=wire.kubeconfig(world, "operator", tmp_path))
        await first.logs("workers started")
        second = replicas.start("operator-2", kubeconfig=wire.kubeconfig(world, "operator-2", tmp_path))
        await second.logs("standing by")
        await world.offered(pair)
        wire.cut()
        await world.enable(pair)
        assert await first.ends() == LEADERSHIP_LOST
        await asyncio.sleep(1)
        assert second.returncode is None
        assert not second.events("leading")
        wire.heal()
        await world.delivered(pair)
        assert one_after_the_other(world) == [first.user, second.user]


async def test_a_user_deletes_the_lease(world: World, replicas: Replicas) -> None:
    """The leader creates it again; the other one does not take that for a free Lease."""
    pair = await world.pair()
    leader, standby = await replicas.leader_and_standby()
    before = await holder(world)
    await world.kubectl.delete(
        "/apis/coordination.k8s.io/v1/namespaces/integration-operator/leases/integration-operator"
    )

    async def created() -> bool:
        return await holder(world) == before

    await asyncio.sleep(0.7)  # a renewal is due within 0.6 s
    await world.eventually("the leader has created it again", created)
    await world.deliver(pair)
    assert not standby.events("leading")
    assert one_after_the_other(world) == [leader.user]


class LateClient(Client):
    """A client whose watches of some kinds deliver nothing any more, as those of an API server that lags behind."""

    late: frozenset[str] = frozenset()

    async def watch(self, path: str, query: Any, **options: Any) -> AsyncIterator[Document]:
        async for event in super().watch(path, query, **options):
            if path.rpartition("/")[2] in self.late:
                await asyncio.Event().wait()
            yield event


async def test_a_new_leader_does_not_trust_its_watches(world: World, replicas: Replicas) -> None:
    """It has seen the AddressSpace, and nothing of what the old leader made for it: it writes nothing all the same."""
    namespace = await world.namespace("shop")
    await world.syndesis(namespace)
    old = replicas.start("operator", "--enable-new")
    await old.logs("workers started")
    async with led(world, "operator-2", LateClient, enable_new=True) as new:
        assert isinstance(new.client, LateClient)
        new.client.late = frozenset({"secrets", "messagingusers", "connections"})
        (pair,) = await spaces(world, namespace, ["orders"])
        before = await world.delivered(pair)
        await world.audit.quiet()

        async def seen() -> bool:
            return new.cache.spaces.get(pair.space) is not None and len(new.cache.integrations) == 1

        await world.eventually("the new leader has seen the AddressSpace", seen)
        assert len(new.cache.secrets) == len(new.cache.users) == len(new.cache.connections) == 0
        old.send(signal.SIGTERM)
        await reconciled(world, new)
        await world.audit.quiet()
        assert await world.children(pair) == before
    assert one_after_the_other(world) == ["operator", "operator-2"]
    requests = [entry for entry in world.audit.requests() if entry["user"]["uid"] == "operator-2"]
    writes = {entry["objectRef"]["resource"] for entry in requests if entry["verb"] not in READS}
    assert writes == {"leases"}


async def test_what_the_leader_deletes_is_no_refusal_of_a_user(world: World, replicas: Replicas) -> None:
    """An offer that a user deleted is not enabled again. A process that stands by cannot know who deleted it."""
    pair = await world.pair(across=True)
    leader, standby = await replicas.leader_and_standby("--enable-new")
    await world.delivered(pair)
    allowed = {names.ALLOWED_NAMESPACES: pair.syndesis.namespace}
    await world.patch("AddressSpace", pair.space, {"metadata": {"annotations": dict.fromkeys(allowed)}})

    async def withdrawn() -> bool:
        return await world.integration(pair) is None

    await world.eventually("the offer is withdrawn", withdrawn)
    leader.send(signal.SIGTERM)
    await standby.logs("workers started")
    await world.patch("AddressSpace", pair.space, {"metadata": {"annotations": allowed}})
    await world.delivered(pair)


async def test_the_connection_controller_has_a_lease_of_its_own(world: World, replicas: Replicas) -> None:
    fuse = await world.namespace("fuse")
    await world.create("Connection", fuse, "first", spec={"connectorId": "amqp"})
    started = [replicas.start("connection-controller", command="connection-controller", seconds=0) for _ in range(2)]

    async def elected() -> list[Replica]:
        return [replica for replica in started if replica.events("leading")]

    (leader,) = await world.eventually("one leads", elected)
    (standby,) = [replica for replica in started if replica is not leader]
    await standby.logs("standing by")
    assert await holder(world, "connection-controller") == leader.events("leading")[0]["identity"]
    began = time.monotonic()
    leader.send(signal.SIGTERM)
    await standby.logs("workers started")
    assert time.monotonic() - began < 2
    assert await leader.ends() == 0
    await world.create("Connection", fuse, "second", spec={"connectorId": "amqp"})

    async def reported() -> bool:
        return all(item.get("status") for item in await world.items("Connection", fuse))

    await world.eventually("both are reported on", reported)
