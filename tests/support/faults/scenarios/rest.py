"""Scenarios in which a user is a resource and a connection is created over REST."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.faults.environment import connection_controller
from tests.support.faults.expectation import Expectation
from tests.support.faults.scenario import Scenario
from tests.support.faults.scenarios import native

DELIVERY = "integreatly.org/connection-delivery"


class OverRest(Scenario):
    """What all of them have in common."""

    rest = True

    @property
    def settings(self) -> dict[str, Any]:
        return {"answer_seconds": 2}


class RestCreate(OverRest, native.Create):
    """A pair is created over REST."""

    name = "rest-create"


class RestEndpoint(OverRest, native.Endpoint):
    """The endpoint of a connection over REST moves."""

    name = "rest-endpoint"


class RestDisable(OverRest, native.Disable):
    """A user disables a pair over REST."""

    name = "rest-disable"


class RestEnabledAgain(OverRest, native.EnabledAgain):
    """A user disables a pair over REST, and enables it again once it is taken down."""

    name = "rest-enabled-again"


class RestRotate(OverRest, native.Rotate):
    """A user requests another credential for a connection over REST."""

    name = "rest-rotate"


class RestSyndesisLeaves(OverRest, native.SyndesisLeaves):
    """A Syndesis is uninstalled that has a connection over REST."""

    name = "rest-syndesis-leaves"


class RestSpaceDeleted(OverRest, native.SpaceDeleted):
    """An AddressSpace is deleted that has a connection over REST."""

    name = "rest-space-deleted"


class RestBothDeleted(OverRest, native.BothDeleted):
    """AddressSpace and Syndesis are deleted together."""

    name = "rest-both-deleted"


class RestOwnSecret(OverRest, native.OwnSecret):
    """A user brings a Secret for a connection over REST."""

    name = "rest-own-secret"


class ThereAndBack(OverRest, native.DeliveredPair):
    """A connection over REST becomes a resource, and goes back; one that is the same is there at all times."""

    name = "rest-to-resource-and-back"

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[None]:
        server, plane = self.stage.platforms.server, self.stage.control_plane
        assert server is not None
        async with connection_controller(plane, server.url):
            yield

    async def prepare(self) -> Expectation:
        before = await super().prepare()
        self.integration = await self.stage.integration(self.space, self.syndesis)
        await self.stage.is_ready(self.integration)
        return before

    async def act(self) -> Expectation:
        snapshot = await self.stage.snapshot()
        (connection,) = snapshot.rest
        self.is_continuous = True
        await self._deliver_by("native")
        await self._deliver_by("rest")
        kept = self.as_delivered(self.space, self.syndesis, connection_id=connection.id)
        return Expectation(delivered=(kept,))

    def interrupted(self) -> str | None:
        count = len(self.stage.platforms.stored_by_operator())
        return f"Syndesis had {count} connections for a moment" if self.is_continuous and count != 1 else None

    async def _deliver_by(self, delivery: str) -> None:
        """Change how Connections are delivered to the Syndesis, and wait until this one is."""
        value = "native" if delivery == "native" else None
        await self.stage.patch("Syndesis", self.syndesis, {"metadata": {"annotations": {DELIVERY: value}}})

        async def done() -> bool:
            found = (await self.stage.snapshot()).find("Integration", self.integration)
            assert found is not None
            return bool(((found["status"].get("delivered") or {}).get("connection") or {}).get("delivery") == delivery)

        await self.stage.eventually(f"the connection is delivered by {delivery}", done)


SCENARIOS: tuple[type[Scenario], ...] = (
    RestCreate,
    RestEndpoint,
    RestDisable,
    RestEnabledAgain,
    RestRotate,
    RestSyndesisLeaves,
    RestSpaceDeleted,
    RestBothDeleted,
    RestOwnSecret,
    ThereAndBack,
)
