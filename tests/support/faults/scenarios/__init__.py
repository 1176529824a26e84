"""The catalogue of scenarios. A new one is a class in one of these modules, and its name in ``SCENARIOS``."""

from __future__ import annotations

from tests.support.faults.scenario import Scenario
from tests.support.faults.scenarios import earlier, native, replicas, rest, upgrade

SCENARIOS: dict[str, type[Scenario]] = {
    scenario.name: scenario for module in (native, rest, replicas, earlier, upgrade) for scenario in module.SCENARIOS
}
