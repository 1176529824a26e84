"""Every event and field of the log is described, one field means one thing, and an operator at rest logs nothing."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest

from integration_operator.backends.circuit_breaker import CircuitBreaker
from integration_operator.backends.keycloak.errors import KeycloakUnavailable
from integration_operator.domain.model import naming
from integration_operator.runtime.errors import Unavailable
from tests.support.operated import PAIR, SOON, both, enabled, operated
from tests.support.virtual_time import run
from tools.reference import logs


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_event_is_a_constant_that_is_described() -> None:
    variable = [call.where.partition(":")[0] for call in logs.calls() if not call.events]
    assert variable == ["runtime/lease.py"], "its callers name constants"
    assert {event for call in logs.calls() for event in call.events} == logs.MEANINGS.keys()


def test_each_field_is_described() -> None:
    named = {field for call in logs.calls() for field in call.fields} | {field for _, field in logs.bound_fields()}
    assert named | {"namespace", "name"} == logs.FIELDS.keys(), "namespace and name come from references"


def test_an_operator_at_rest_logs_nothing(operator_log: io.StringIO) -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            assert lines(operator_log)
            operator_log.truncate(0)
            operator_log.seek(0)
            await asyncio.sleep(3600)
            assert operator_log.getvalue() == ""

    run(scenario())


def test_each_change_names_the_object_and_the_pair(operator_log: io.StringIO) -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:
            await enabled(scene)
            scene.specify(enabled=False)
            await asyncio.sleep(SOON)

    run(scenario())
    changes = [line for line in lines(operator_log) if line["event"] in ("applied", "deleted")]
    assert {line["kind"] for line in changes} == {"Integration", "Secret", "MessagingUser", "Connection"}
    for line in changes:
        assert line["namespace"] == "shop"
        assert line["name"]
        assert (line["pair"], line["level"]) == (str(PAIR), "info")
        assert line["why"]
        assert line.keys() <= {*logs.FIELDS, "event", "level", "timestamp"}


def test_what_fails_is_a_warning_that_names_the_integration(operator_log: io.StringIO) -> None:
    async def scenario() -> None:
        async with operated(*both()) as scene:

            def fail(verb: str, path: str) -> None:
                if verb == "APPLY":
                    raise Unavailable(500, "InternalError", "etcd is gone")

            scene.api.before = fail
            scene.specify(enabled=True)
            await asyncio.sleep(SOON)

    run(scenario())
    failed = [line for line in lines(operator_log) if line["event"] in ("action failed", "reconcile failed")]
    assert {line["event"] for line in failed} == {"action failed", "reconcile failed"}
    assert {line["level"] for line in failed} == {"warning"}
    (names,) = {(line["namespace"], line["name"]) for line in failed if line["event"] == "reconcile failed"}
    assert names == ("shop", naming.integration_name(PAIR))


async def test_a_server_that_fails_and_recovers_is_logged_once_each(operator_log: io.StringIO) -> None:
    async def fails() -> None:
        raise KeycloakUnavailable("no answer")

    async def answers() -> None:
        pass

    breaker = CircuitBreaker("keycloak.example", KeycloakUnavailable, failures=2, open_for=1)
    for pause in (0.0, 1.05, 1.05):  # the third is a trial
        with pytest.raises(KeycloakUnavailable):
            await breaker.call(fails)
        await asyncio.sleep(pause)
    await breaker.call(answers)
    await breaker.call(answers)
    assert [(line["event"], line["level"], line["host"]) for line in lines(operator_log)] == [
        ("circuit opened", "warning", "keycloak.example"),
        ("circuit closed", "info", "keycloak.example"),
    ]
