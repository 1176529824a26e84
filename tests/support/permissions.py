"""The operator's role with something taken out of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.support.world import World

ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/integration-operator"


@asynccontextmanager
async def without_permission(
    world: World, group: str, resource: str, *, but: tuple[str, ...] = ()
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Take all verbs for a resource, except those in ``but``, from the operator; yield what gives them back."""
    before = (await world.kubectl.get(ROLE))["rules"]
    rules = [rule for rule in before if resource not in rule["resources"]]
    if but:
        rules.append({"apiGroups": [group], "resources": [resource], "verbs": list(but)})

    async def give_back() -> None:
        await world.kubectl.patch(ROLE, {"rules": before})

    await world.kubectl.patch(ROLE, {"rules": rules})
    try:
        yield give_back
    finally:
        await give_back()
