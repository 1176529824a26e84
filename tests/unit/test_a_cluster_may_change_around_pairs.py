"""Kinds, namespaces, platforms and leaders come and go around pairs, and each pair ends as it should."""

from __future__ import annotations

import asyncio

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.runtime.errors import Unavailable
from integration_operator.runtime.ref import Ref
from tests.support import builders
from tests.support.documents import reason
from tests.support.operated import ENABLE_NEW, PAIR, SOON, Scene, both, enabled, operated
from tests.support.scraped import sample
from tests.support.virtual_time import run


def test_a_changed_authentication_service_concerns_the_spaces_that_use_it() -> None:
    async def scenario() -> None:
        service = {
            "kind": "AuthenticationService",
            "metadata": {"namespace": "enmasse-infra", "name": "standard"},
            "spec": {"type": "standard"},
        }
        async with operated(*both(), service) as scene:
            await enabled(scene)
            scene.api.put({**service, "spec": {"type": "none"}})
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "NoAuthenticationService"
            scene.api.put({**service, "spec": {"type": "standard"}})
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_a_namespace_that_was_deleted_and_is_back_is_served_again() -> None:
    async def scenario() -> None:
        namespace = {"kind": "Namespace", "metadata": {"name": "shop", "finalizers": ["kubernetes"]}}
        async with operated(namespace) as scene:
            scene.api.remove("Namespace", Ref("", "shop"))
            for document in both():
                scene.api.put(document)
            await asyncio.sleep(SOON)
            assert scene.api.all("Integration") == []
            scene.api.put({"kind": "Namespace", "metadata": {"name": "shop", "finalizers": None}})
            await asyncio.sleep(SOON)
            assert len(scene.api.all("Integration")) == 1

    run(scenario())


def synced(scene: Scene, kind: str) -> float | None:
    return sample(scene.state, "integration_operator_kind_synced", kind=kind)


def held(scene: Scene, kind: str) -> float | None:
    return sample(scene.state, "integration_operator_mass_deletion_held", kind=kind)


def test_a_kind_that_fails_stops_everything_until_it_is_listed_again() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            assert synced(scene, "MessagingUser") == 1.0

            def refuse(verb: str, path: str) -> None:
                if path.endswith("messagingusers"):
                    raise Unavailable(500, "InternalError", "etcd is gone")

            scene.api.before = refuse
            refreshing = asyncio.create_task(scene.controller._cache.refresh())
            await asyncio.sleep(SOON)
            assert synced(scene, "MessagingUser") == 0.0
            assert synced(scene, "Secret") == 1.0
            scene.specify(enabled=True)
            await asyncio.sleep(60)
            assert scene.kinds() == []
            scene.api.before = lambda verb, path: None
            await asyncio.sleep(60)
            await refreshing
            assert synced(scene, "MessagingUser") == 1.0
            assert reason(scene.integration()) == "Ready"

    run(scenario())


def test_pairs_are_taken_down_slowly_only_if_no_user_asked_for_it() -> None:
    async def scenario() -> None:
        allowed = {names.ALLOWED_NAMESPACES: "fuse"}
        spaces = [builders.space(name=f"orders-{number}", annotations=allowed) for number in range(3)]
        instance = builders.syndesis("fuse")
        async with operated(*spaces, instance, plan=ENABLE_NEW, teardowns_per_minute=1) as scene:
            assert scene.kinds().count("Connection") == 3
            offers = [Ref("fuse", offer["metadata"]["name"]) for offer in scene.api.all("Integration")]
            for wanted, there in ((False, 0), (True, 3)):
                for offer in offers:
                    scene.specify(offer, enabled=wanted)
                await asyncio.sleep(SOON)
                assert scene.kinds().count("Connection") == there
            for space in spaces:
                scene.api.remove("AddressSpace", Ref("shop", space["metadata"]["name"]))
            for left in (2, 1, 0):
                await asyncio.sleep(SOON)
                assert scene.kinds().count("Connection") == left
                said = sorted(reason(integration) for integration in scene.api.all("Integration"))
                assert said.count("TeardownPostponed") == left
                await asyncio.sleep(60)

    run(scenario())


def test_many_that_vanish_in_one_list_are_held_and_counted_until_they_are_back() -> None:
    async def scenario() -> None:
        spaces = [builders.space(name=f"orders-{number}") for number in range(20)]
        async with operated(*spaces, builders.syndesis()) as scene:
            before = len(scene.api.all("Integration"))
            assert before == 20
            kept = {key: document for key, document in scene.api.objects.items() if key[0] == "AddressSpace"}
            for key in kept:
                del scene.api.objects[key]
            await scene.controller._cache.refresh()
            await asyncio.sleep(60)
            assert len(scene.api.all("Integration")) == before
            assert (held(scene, "AddressSpace"), held(scene, "Syndesis")) == (20.0, 0.0)
            reasons = {reason(integration) for integration in scene.api.all("Integration")}
            assert reasons == {"MassDeletionHeld"}
            scene.api.objects |= kept
            await scene.controller._cache.refresh()
            await asyncio.sleep(SOON)
            assert held(scene, "AddressSpace") == 0.0
            assert {reason(integration) for integration in scene.api.all("Integration")} == {"NotEnabled"}

    run(scenario())


def test_a_syndesis_that_is_back_is_held_no_longer() -> None:
    async def scenario() -> None:
        syndesises = [builders.syndesis(f"fuse-{number}") for number in range(20)]
        spaces = [builders.space(f"fuse-{number}") for number in range(20)]
        async with operated(*spaces, *syndesises) as scene:
            kept = {key: document for key, document in scene.api.objects.items() if key[0] == "Syndesis"}
            for key in kept:
                del scene.api.objects[key]
            await scene.controller._cache.refresh()
            await asyncio.sleep(60)
            assert held(scene, "Syndesis") == 20.0
            scene.api.put(kept["Syndesis", Ref("fuse-3", "syndesis")])
            await asyncio.sleep(SOON)
            reasons = [reason(scene.integration(ref)) for kind, ref in scene.api.objects if kind == "Integration"]
            assert sorted(reasons) == ["MassDeletionHeld"] * 19 + ["NotEnabled"]

    run(scenario())


def test_a_process_that_stands_by_writes_nothing_until_it_leads() -> None:
    async def scenario() -> None:
        async with operated(*both(), is_leading=False) as scene:
            scene.api.put(builders.space(labels={"a": "b"}))
            await asyncio.sleep(SOON)
            assert scene.api.writes() == []
            await scene.controller.lead()
            await asyncio.sleep(SOON)
            assert reason(scene.integration()) == "NotEnabled"
            assert await scene.controller.stop()
            scene.specify(enabled=True)
            await asyncio.sleep(SOON)
            assert scene.kinds() == []

    run(scenario())


def test_a_new_process_holds_what_vanished_before_it_began() -> None:
    async def scenario() -> None:
        spaces = [builders.space(name=f"orders-{number}") for number in range(20)]
        async with operated(*spaces, builders.syndesis()) as scene:
            api = scene.api
        for key in [key for key in api.objects if key[0] == "AddressSpace"]:
            del api.objects[key]
        async with operated(api=api) as scene:
            await asyncio.sleep(60)
            assert len(api.all("Integration")) == 20
            assert held(scene, "AddressSpace") == 20.0

    run(scenario())


def test_a_change_that_no_watch_delivered_is_caught_within_two_periods() -> None:
    async def scenario() -> None:
        async with operated(*both(), resync=600.0) as scene:
            await enabled(scene)
            cache = scene.controller._cache
            cache.connections._subscribers.clear()
            scene.api.remove("Connection", naming.connection_ref(PAIR))
            await asyncio.sleep(SOON)
            assert scene.kinds() == ["MessagingUser", "Secret"]
            await asyncio.sleep(2 * 600.0)
            assert scene.kinds() == ["Connection", "MessagingUser", "Secret"]

    run(scenario())
