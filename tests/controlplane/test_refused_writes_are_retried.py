"""A document that the API server refuses is retried, because the reason may go away where no watch sees it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from integration_operator.runtime.errors import ApiError, NotFound
from tests.support.documents import reason
from tests.support.world import World

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
HOSTILE = "no users today; \x1b]0;owned\x07 " + "x" * 3000
"""A policy may be anyone's; its message is shown."""


async def refuse_users(world: World, namespace: str, why: str) -> str:
    """Create an admission policy that refuses the MessagingUsers of a namespace; return its name."""
    name = f"no-users-{world.tag}"
    rule = {"apiGroups": ["user.enmasse.io"], "apiVersions": ["*"], "resources": ["messagingusers"]}
    match = {
        "resourceRules": [{**rule, "operations": ["CREATE", "UPDATE"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
    }
    policy: dict[str, Any] = {
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": match,
            "validations": [{"expression": "false", "messageExpression": f"'{why}'", "reason": "Invalid"}],
        },
    }
    await world.kubectl.post(POLICIES, policy)
    binding = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}
    await world.kubectl.post(BINDINGS, binding)
    return name


async def in_force(world: World, namespace: str) -> None:
    """Wait until the policy refuses; it takes a moment after it is written."""

    async def refused() -> bool:
        body = {
            "apiVersion": "user.enmasse.io/v1beta1",
            "kind": "MessagingUser",
            "metadata": {"name": "orders.probe", "namespace": namespace},
            "spec": {"username": "probe", "authentication": {"type": "password", "password": "cA=="}},
        }
        try:
            await world.kubectl.post(
                f"/apis/user.enmasse.io/v1beta1/namespaces/{namespace}/messagingusers", body, {"dryRun": "All"}
            )
        except ApiError as error:
            return "no users today" in str(error)
        return False

    await world.eventually("the policy is in force", refused)


@pytest.mark.parametrize("why", ["no users today", HOSTILE.replace("\x1b", "\\x1b").replace("\x07", "\\x07")])
async def test_an_admission_policy_that_is_lifted_needs_no_other_change(world: World, why: str) -> None:
    pair = await world.pair()
    name = await refuse_users(world, pair.space.namespace, why)
    try:
        await in_force(world, pair.space.namespace)
        async with world.platforms(), world.operator(enable_new=True, resync_seconds=600):
            integration = await world.has_reason(pair, "Invalid")
            assert "no users today" in integration["status"]["statusMessage"]
            for condition in integration["status"]["conditions"]:
                assert len(condition["message"].encode()) <= 1200
                assert condition["message"].isprintable()
            await asyncio.sleep(3)
            await world.kubectl.delete(f"{BINDINGS}/{name}")
            await world.kubectl.delete(f"{POLICIES}/{name}")

            async def ready() -> bool:
                found = await world.integration(pair)
                return found is not None and reason(found) not in ("Invalid", "")

            await world.eventually("the user is created, with no other change to anything", ready, within=60)
            assert (await world.delivered(pair))["MessagingUser"]
    finally:
        for collection in (BINDINGS, POLICIES):
            with suppress(NotFound):
                await world.kubectl.delete(f"{collection}/{name}")
