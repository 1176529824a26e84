"""Scenarios with two processes of the operator, of which one leads: the other goes on with what a killed one began."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from integration_operator_sandbox.controlplane.users import NAMESPACE
from tests.support.documents import space_status
from tests.support.faults.expectation import Expectation
from tests.support.faults.scenario import Scenario
from tests.support.faults.scenarios import native, rest

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/integration-operator"
SECONDS = 3
"""The shortest duration of a Lease that the operator accepts."""


class Replicated(Scenario):
    """What all of them have in common."""

    replicas = 2

    @property
    def settings(self) -> dict[str, Any]:
        lease = {"leader_elect": True, "lease_namespace": NAMESPACE, "lease_seconds": SECONDS}
        return {**super().settings, **lease}

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[None]:
        """Begin and end without a Lease, which a killed process leaves behind."""
        await self.stage.admin.delete(LEASE)
        async with super().surroundings():
            yield
        await self.stage.admin.delete(LEASE)


class LeaderChange(Replicated, native.DeliveredPair):
    """A rolling update stops the leader while EnMasse moves the messaging endpoint."""

    name = "leader-change"

    async def act(self) -> Expectation:
        host = "messaging-b2.enmasse-infra.svc"
        assert self.stage.deployment is not None
        self.stage.deployment.stop(self.stage.leader())
        await self.stage.patch("AddressSpace", self.space, {"status": space_status(host)})
        return Expectation(delivered=(self.as_delivered(self.space, self.syndesis, host=host),))


class ReplicasCreate(Replicated, native.Create):
    """A pair is created by one of two processes."""

    name = "replicas-create"


class ReplicasRestCreate(Replicated, rest.RestCreate):
    """A pair is created over REST by one of two processes."""

    name = "replicas-rest-create"


class ReplicasRotate(Replicated, native.Rotate):
    """A user requests another credential, and one of two processes rotates it."""

    name = "replicas-rotate"


SCENARIOS: tuple[type[Scenario], ...] = (LeaderChange, ReplicasCreate, ReplicasRestCreate, ReplicasRotate)
