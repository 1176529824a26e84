"""Metrics of state show what is in the stores, guards and circuit breakers, and follow it."""

from __future__ import annotations

import asyncio

import pytest

from integration_operator.api import names
from integration_operator.runtime.errors import Gone
from integration_operator.runtime.ref import Ref
from tests.support import builders
from tests.support.operated import BOTH_OVER_REST, SOON, Scene, both, enabled, operated
from tests.support.scraped import counted, sample, series
from tests.support.virtual_time import run

DAY = 24 * 3600.0


def value(scene: Scene, name: str, **labels: str) -> float | None:
    return sample(scene.state, f"integration_operator_{name}", **labels)


def states(scene: Scene, name: str = "integrations") -> dict[tuple[str, str], float]:
    """Return the Integrations by state and reason."""
    found = {}
    for (metric, labels), count in series(scene.state).items():
        if metric == f"integration_operator_{name}":
            by_name = dict(labels)
            found[by_name["state"], by_name["reason"]] = count
    return found


def test_an_integration_is_counted_in_the_state_that_users_see() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            assert states(scene) == {("disabled", "NotEnabled"): 1.0}
            scene.api.idle_platforms = True
            scene.specify(enabled=True)
            await asyncio.sleep(SOON)
            assert states(scene) == {("reconciling", "UserPending"): 1.0}
            scene.specify(suspend=True)
            await asyncio.sleep(SOON)
            assert states(scene) == {("suspended", "Suspended"): 1.0}

    run(scenario())


def test_a_delivered_integration_is_counted_by_its_deliveries() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            assert states(scene) == {("ready", "Ready"): 1.0}
            native = {"user_delivery": "native", "connection_delivery": "native"}
            assert value(scene, "integrations_delivered", **native) == 1.0
            scene.specify(enabled=False)
            await asyncio.sleep(SOON)
            assert value(scene, "integrations_delivered", **native) is None

    run(scenario())


def test_an_integration_that_needs_a_user_is_stalled() -> None:
    async def scenario() -> None:
        nowhere = builders.integration(enabled=True, addressSpaceRef={"namespace": "elsewhere", "name": "orders"})
        async with operated(*both(), nowhere) as scene:
            await enabled(scene, delivery=BOTH_OVER_REST)
            await asyncio.sleep(10)
            assert states(scene) == {("ready", "Ready"): 1.0, ("stalled", "NamespaceNotAllowed"): 1.0}
            over_rest = {"user_delivery": "keycloak", "connection_delivery": "rest"}
            assert value(scene, "integrations_delivered", **over_rest) == 1.0

    run(scenario())


@pytest.mark.parametrize(
    "status",
    [{"conditions": [{"type": "Stalled", "status": "True", "reason": f"Forged{number}"}]} for number in range(3)]
    + [
        {"conditions": [{"type": ["Ready"], "status": {}, "reason": {}}, "text", 7]},
        {"conditions": "none"},
        {"delivered": {"user": {"delivery": "mine"}, "connection": {"delivery": ["rest"]}}},
        {"rotation": {"nextAt": ["2020"]}},
    ],
    ids=str,
)
def test_a_status_that_a_tenant_wrote_chooses_no_label(status: dict[str, object]) -> None:
    async def scenario() -> None:
        async with operated(*both(), is_leading=False) as scene:
            scene.api.put({**builders.integration(enabled=True), "status": status})
            await asyncio.sleep(SOON)
            assert states(scene) in ({("stalled", "Other"): 1.0}, {("unreported", ""): 1.0})
            assert value(scene, "rotation_overdue_seconds") == 0.0
            assert not any(name == "integration_operator_integrations_delivered" for name, _ in series(scene.state))

    run(scenario())


@pytest.mark.parametrize(
    ("created", "age"),
    [
        ("2025-12-31", "under 30 days"),
        ("2025-12-02", "under 90 days"),
        ("2025-07-10", "under 180 days"),
        ("2025-01-02", "under 365 days"),
        ("2024-12-01", "365 days or more"),
    ],
)
def test_a_credential_is_counted_by_its_age(created: str, age: str) -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            age_secret(scene, f"{created}T12:00:00Z")
            await asyncio.sleep(SOON)
            counts = {dict(labels)["age"]: n for (name, labels), n in series(scene.state).items() if "credent" in name}
            assert counts == {**dict.fromkeys(counts, 0.0), age: 1.0}
            assert len(counts) == 5

    run(scenario())


def age_secret(scene: Scene, created: str) -> None:
    """Set the time at which the API server created the Secret."""
    secret = scene.api.all("Secret")[0]
    scene.api.put({**secret, "metadata": {**secret["metadata"], "creationTimestamp": created}})


def test_a_rotation_that_is_not_done_is_overdue() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            age_secret(scene, "2026-01-01T00:00:00Z")
            scene.specify(enabled=True, rotation={"every": "24h"})
            await asyncio.sleep(SOON)
            assert value(scene, "rotation_overdue_seconds") == 0.0
            await scene.controller.stop()
            await asyncio.sleep(DAY + 3600)
            assert value(scene, "rotation_overdue_seconds") == pytest.approx(3600, abs=60)
            scene.specify(suspend=True)
            await asyncio.sleep(SOON)
            assert value(scene, "rotation_overdue_seconds") == 0.0, "nobody waits for it"

    run(scenario())


def test_pairs_that_wait_to_be_taken_down_are_counted() -> None:
    async def scenario() -> None:
        spaces = [builders.space(name=f"s-{n}", annotations={names.ALLOWED_NAMESPACES: "fuse"}) for n in range(3)]
        async with operated(*spaces, builders.syndesis("fuse"), teardowns_per_minute=1) as scene:
            for offer in scene.api.all("Integration"):
                scene.specify(Ref("fuse", offer["metadata"]["name"]), enabled=True)
            await asyncio.sleep(SOON)
            assert value(scene, "teardowns_postponed") == 0.0
            for space in spaces:
                scene.api.remove("AddressSpace", Ref("shop", space["metadata"]["name"]))
            for left in (2.0, 1.0, 0.0):
                await asyncio.sleep(SOON)
                assert value(scene, "teardowns_postponed") == left
                await asyncio.sleep(60)

    run(scenario())


def test_namespaces_with_too_many_offers_are_counted() -> None:
    async def scenario() -> None:
        spaces = [builders.space(name=f"s-{n}", annotations={names.ALLOWED_NAMESPACES: "fuse"}) for n in range(3)]
        async with operated(*spaces, builders.syndesis("fuse"), max_offers=2) as scene:
            assert value(scene, "offers_exhausted") == 1.0
            assert states(scene) == {("disabled", "NotEnabled"): 2.0}

    run(scenario())


def test_open_circuits_are_counted_by_system() -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            scene.keycloak.circuits_open, scene.syndesis.circuits_open = 1, 7
            assert value(scene, "circuits_open", system="keycloak") == 1.0
            assert value(scene, "circuits_open", system="syndesis") == 7.0

    run(scenario())


def test_a_kind_shows_its_state_and_when_it_was_answered_last() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with operated(*both()) as scene:
            assert value(scene, "kind_state", kind="AddressSpace", state="synced") == 1.0
            assert value(scene, "kind_state", kind="AddressSpace", state="failing") == 0.0
            assert value(scene, "kind_objects", kind="AddressSpace") == 1.0
            await asyncio.sleep(100)
            space = scene.controller._cache.reflectors["AddressSpace"]
            assert space.seconds_since_answer == pytest.approx(loop.time(), abs=1), "it was listed at the start"
            scene.api.put(builders.space(labels={"a": "b"}))
            await asyncio.sleep(SOON)
            assert space.seconds_since_answer == pytest.approx(SOON, abs=0.5), "an event is an answer"
            assert value(scene, "kind_last_answer_timestamp_seconds", kind="AddressSpace") is not None

    run(scenario())


@pytest.mark.parametrize("state", ["absent", "unwatched"])
def test_a_kind_that_is_not_read_has_no_last_answer(state: str) -> None:
    """Its age would only grow, and nothing is wrong."""

    async def scenario() -> None:
        async with operated(*both()) as scene:
            assert value(scene, "kind_last_answer_timestamp_seconds", kind="Connection") is not None
            getattr(scene.api, state).add("Connection")
            scene.controller._cache.reflectors["Connection"]._outdated = True
            scene.api.expire("Connection", Gone(410, "Expired", "too old"))
            await asyncio.sleep(SOON)
            assert value(scene, "kind_state", kind="Connection", state=state) == 1.0
            assert value(scene, "kind_last_answer_timestamp_seconds", kind="Connection") is None
            assert counted("integration_operator_watch_restarts_total", kind="Connection", cause="expired") >= 1

    run(scenario())


def test_a_process_that_stands_by_reports_no_pairs() -> None:
    """The sum over two replicas is the number of Integrations."""

    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            shared = {name for name, _ in series(scene.state)}
            scene.state._elector = Standby()  # type: ignore[assignment]
            alone = {name for name, _ in series(scene.state)}
            assert {name.removeprefix("integration_operator_") for name in shared - alone} == {
                *("integrations", "integrations_delivered", "credentials", "rotation_overdue_seconds"),
                *("mass_deletion_held", "teardowns_postponed", "offers_exhausted", "circuits_open"),
            }
            assert value(scene, "leader") == 0.0
            assert value(scene, "lease_transitions_total") == 3.0

    run(scenario())


class Standby:
    """What elects another process."""

    is_leading = False
    transitions = 3
