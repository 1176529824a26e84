"""The fixtures of all tests, and how many random examples a test tries.

Each module of ``tests.support`` that has fixtures says what they are. ``make fuzz`` loads the profile ``long``.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.support")

pytest_plugins = [
    "tests.support.admission",
    "tests.support.broker_fixtures",
    "tests.support.chromium",
    "tests.support.clocks",
    "tests.support.cluster",
    "tests.support.control_planes",
    "tests.support.keycloak_fixtures",
    "tests.support.operator_log",
    "tests.support.replicas",
    "tests.support.syndesis_fixtures",
]

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("quick", max_examples=100, deadline=None, suppress_health_check=SLOW)
settings.register_profile("long", max_examples=5000, deadline=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
