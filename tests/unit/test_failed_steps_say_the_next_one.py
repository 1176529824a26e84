"""Each way in which a step of a connection test fails has a next step for the user."""

from __future__ import annotations

import pytest

from integration_operator.cli.next_steps import NEXT_STEPS, next_step
from integration_operator.messaging import Endpoint, Outcome, Reason, Step, StepName

INSIDE = Endpoint("messaging-a1.enmasse-infra.svc", 5671, True, "ann", "secret")
OUTSIDE = Endpoint("messaging.example", 443, True, "ann", "secret")


def failed(reason: Reason, name: StepName = StepName.TCP) -> Step:
    return Step(name, Outcome.FAILED, "why", reason)


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_one(reason: Reason) -> None:
    text = next_step(failed(reason), OUTSIDE, of_integration=True)
    assert text.split()[0] in {"ask", "check", "create", "give", "set", "the", "try"}, text
    assert not text.endswith(".")
    assert len(text) < 200


def test_nothing_is_said_of_other_reasons() -> None:
    assert set(NEXT_STEPS) == set(Reason)


def test_a_step_that_did_not_fail_has_none() -> None:
    assert next_step(Step(StepName.TLS, Outcome.PASSED, "done"), OUTSIDE, of_integration=True) == ""


def test_a_name_of_the_cluster_leads_into_it() -> None:
    step = failed(Reason.NO_SUCH_HOST, StepName.NAME)
    assert "--from-pod" in next_step(step, INSIDE, of_integration=True)
    assert "--from-pod" not in next_step(step, OUTSIDE, of_integration=True)
    assert "--from-pod" not in next_step(step, INSIDE, of_integration=False), "a pod is inside already"


def test_a_silent_server_is_explained_by_the_step() -> None:
    steps = [StepName.TCP, StepName.TLS, StepName.LOG_IN]
    texts = {next_step(failed(Reason.NO_ANSWER, name), OUTSIDE, of_integration=True) for name in steps}
    assert len(texts) == len(steps)


def test_the_password_is_never_shown() -> None:
    assert "secret" not in repr(INSIDE)
