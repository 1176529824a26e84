"""The fixtures of all tests. Each module of ``tests.support`` that has some says what they are."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.support")

pytest_plugins = [
    "tests.support.clocks",
    "tests.support.control_planes",
    "tests.support.keycloak_fixtures",
    "tests.support.operator_log",
    "tests.support.syndesis_fixtures",
]
