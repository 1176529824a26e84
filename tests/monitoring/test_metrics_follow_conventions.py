"""promtool finds no fault with any metric of either process, and no series is there that no one uses."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from integration_operator import metrics
from integration_operator.manager import ConnectionOperator
from integration_operator.runtime.metrics import RESULTS, ControllerMetrics
from integration_operator.settings import Settings
from tests.support.go_programs import BUILD_TIMEOUT
from tests.support.operated import both, enabled, operated
from tests.support.promtool import promtool
from tests.support.scraped import series
from tests.support.virtual_time import run

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT + 180)


def exposition(component: str) -> str:
    """Return what a scrape of a process with one delivered pair, or with nothing, answers."""

    async def scenario() -> str:
        registry = CollectorRegistry()
        for instrument in (metrics.CONTROLLER, metrics.REQUESTS):
            for collector in vars(instrument).values():
                registry.register(collector)
        async with operated(*both()) as scene:
            await enabled(scene)
            if component == "operator":
                registry.register(metrics.ADMISSION_REVIEWS)
                registry.register(scene.state)
            else:
                client = scene.controller._cache.client
                registry.register(ConnectionOperator(client, Settings()).state)
            await asyncio.sleep(0)
            return generate_latest(registry).decode()

    return run(scenario())


@pytest.mark.parametrize("component", ["operator", "connection-controller"])
def test_promtool_finds_no_fault(component: str) -> None:
    text = exposition(component)
    assert "integration_operator_build_info" in text
    assert promtool("check", "metrics", stdin=text) == ""


def test_nothing_says_when_a_counter_was_created() -> None:
    assert not [name for name, _ in series(REGISTRY) if name.endswith("_created") and "operator" in name]


def test_a_counter_is_there_before_it_counts() -> None:
    """A series that begins with 1 has no increase, and an alert would miss the first event."""
    ControllerMetrics("fresh")
    for result in RESULTS:
        assert REGISTRY.get_sample_value("fresh_reconciles_total", {"result": result}) == 0.0
    text = exposition("operator")
    for result in metrics.ADMISSION_RESULTS:
        assert f'integration_operator_admission_reviews_total{{result="{result}"}}' in text
