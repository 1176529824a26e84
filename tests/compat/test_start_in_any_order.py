"""A restart writes nothing, whichever kind's list comes last, or is refused at first.

What is not listed yet is not known to be there, and not known to be gone either.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from integration_operator import resources
from integration_operator.manager import Operator
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import Unavailable
from integration_operator.runtime.resources import Resource
from integration_operator.settings import Settings
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.earlier_enmasse import aggregated_api, pair_in_config_map
from tests.support.logins import deliver_login
from tests.support.world import World

KINDS = [
    kind
    for kind in vars(resources).values()
    if isinstance(kind, Resource) and kind is not resources.WEBHOOK_CONFIGURATION  # nothing is decided from it
]
LATE = 0.8
SETTLED = 0.5


class LateClient(Client):
    """A client that gets the lists of one kind late, or is refused them for as long."""

    late: Resource
    refused: bool
    asked: float | None = None

    async def get(self, path: str, *args: Any, **rest: Any) -> Any:
        if re.search(rf"/{self.late.plural}$", path):
            now = asyncio.get_running_loop().time()
            self.asked = self.asked or now
            if (wait := self.asked + LATE - now) > 0:
                if self.refused:
                    raise Unavailable(503, "ServiceUnavailable", "not yet")
                await asyncio.sleep(wait)
        return await super().get(path, *args, **rest)


async def restart(world: World, late: Resource, refused: bool, settings: dict[str, Any]) -> bool:
    """Run the operator until it knows everything; return whether it asked for the kind."""
    kubeconfig = world.control_plane.kubeconfig("operator")
    async with LateClient.from_kubeconfig(kubeconfig, user_agent=f"without-{late.kind}") as client:
        client.late, client.refused = late, refused
        operator = Operator(client, TemplateFiles(), Settings(**settings))
        async with operator.running():
            await asyncio.wait_for(operator.cache.synced(), 30)
            await asyncio.sleep(LATE + SETTLED)  # AuthenticationServices, for one, are not waited for
        return client.asked is not None


async def restart_for_each_kind(world: World, refused: bool, settings: dict[str, Any]) -> set[str]:
    """Run an operator for each kind that comes last, all at once; return the kinds that were asked for.

    None may write. If one does, the user agent tells which.
    """
    world.audit.mark()
    asked = await asyncio.gather(*(restart(world, kind, refused, settings) for kind in KINDS))
    writes = [r for r in world.audit.requests() if r["verb"] not in ("get", "list")]
    assert [f"{write['userAgent']}: {write['verb']} {write['requestURI']}" for write in writes] == []
    return {kind.kind for kind, was_asked in zip(KINDS, asked, strict=True) if was_asked}


either_way = pytest.mark.parametrize("refused", [False, True], ids=["late", "refused"])


@either_way
async def test_with_kinds_that_are_watched(world: World, refused: bool) -> None:
    async with world.platforms():
        pair = await world.pair()
        async with world.operator():
            await world.deliver(pair)
            await world.has_reason(pair, "Ready")
            await world.audit.quiet()
        asked = await restart_for_each_kind(world, refused, {})
        assert asked == {kind.kind for kind in KINDS} - {"ConfigMap"}


@either_way
@pytest.mark.parametrize("release", ["0.24", "0.30"])
async def test_with_kinds_that_are_polled(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, refused: bool, release: str
) -> None:
    settings = {"poll_seconds": 1, "syndesis_url": syndesis_server.url}
    async with aggregated_api(old, keycloak, release):
        pair = await pair_in_config_map(old, keycloak)
        async with old.operator(**settings):
            await deliver_login(old, pair)
            await asyncio.sleep(SETTLED)
        asked = await restart_for_each_kind(old, refused, settings)
        assert {"AddressSpace", "Namespace", "Integration", "Syndesis"} <= asked
        async with old.operator(**settings):
            await old.enable(pair, enabled=False)
            await old.has_reason(pair, "NotEnabled")
