"""Offers are created, withdrawn and created again as users answer them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from integration_operator.api import names
from integration_operator.runtime.ref import Ref
from tests.support import builders
from tests.support.documents import reason
from tests.support.operated import ENABLE_NEW, INTEGRATION, SOON, both, operated
from tests.support.virtual_time import run


def test_an_offer_that_a_user_deletes_is_made_again_disabled() -> None:
    async def scenario() -> None:
        async with operated(*both(), plan=ENABLE_NEW) as scene:
            assert reason(scene.integration()) == "Ready"
            scene.api.remove("Integration", INTEGRATION)
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "NotEnabled"
            assert scene.kinds() == []
            scene.api.remove("Integration", INTEGRATION)
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "NotEnabled", "nothing is left that shows that it was delivered"

    run(scenario())


def test_an_offer_gives_way_to_an_integration_of_a_user_unless_it_is_delivered() -> None:
    async def scenario() -> None:
        mine = Ref("shop", "mine")
        for plan, used, others in ((replace(ENABLE_NEW, enable_new=False), mine, 0), (ENABLE_NEW, INTEGRATION, 1)):
            async with operated(*both(), plan=plan) as scene:
                written = builders.integration(enabled=True)
                written["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
                scene.api.put(written)
                await asyncio.sleep(SOON)
                assert reason(scene.integration(used)) == "Ready"
                reasons = [reason(integration) for integration in scene.api.all("Integration")]
                assert reasons.count("Duplicate") == len(reasons) - 1 == others

    run(scenario())


def test_an_offer_that_the_operator_withdrew_is_made_again_as_the_policy_says() -> None:
    async def scenario() -> None:
        async with operated(builders.syndesis("fuse"), plan=ENABLE_NEW) as scene:
            for allowed, there in (("fuse", 1), ("", 0), ("fuse", 1)):
                scene.api.put(builders.space(annotations={names.ALLOWED_NAMESPACES: allowed}))
                await asyncio.sleep(SOON)
                assert [reason(i) for i in scene.api.all("Integration")] == ["Ready"] * there

    run(scenario())


def test_an_integration_of_a_user_that_is_deleted_is_no_refusal_of_offers() -> None:
    async def scenario() -> None:
        async with operated(*both(), builders.integration(), plan=ENABLE_NEW) as scene:
            assert len(scene.api.all("Integration")) == 1
            scene.api.remove("Integration", Ref("shop", "mine"))
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_an_answer_makes_room_for_the_next_offer() -> None:
    async def scenario() -> None:
        async with operated(builders.syndesis("fuse"), max_offers=2) as scene:
            for number in range(4):
                allowed = {names.ALLOWED_NAMESPACES: "fuse"}
                scene.api.put(builders.space(name=f"orders-{number}", annotations=allowed))
            await asyncio.sleep(SOON)
            offers = scene.api.all("Integration")
            assert len(offers) == 2
            exhausted = [event for event in scene.api.all("Event") if event["reason"] == "OffersExhausted"]
            assert [event["involvedObject"]["kind"] for event in exhausted] == ["Syndesis"]
            scene.specify(Ref("fuse", offers[0]["metadata"]["name"]), enabled=False)
            await asyncio.sleep(SOON)
            assert len(scene.api.all("Integration")) == 3
            scene.api.put({"kind": "Integration", "metadata": {**offers[1]["metadata"], "labels": {"a": "b"}}})
            await asyncio.sleep(SOON)
            assert len(scene.api.all("Integration")) == 3, "a label is no answer"

    run(scenario())
