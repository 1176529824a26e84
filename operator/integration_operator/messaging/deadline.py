"""The time that a step may take."""

from __future__ import annotations

import time

from integration_operator.messaging.model import Reason, StepFailed


class Deadline:
    """The end of a step, ``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self, waiting_for: str) -> float:
        """Return the seconds that are left. Raises ``StepFailed`` if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed(waiting_for)
        return left

    def passed(self, waiting_for: str) -> StepFailed:
        """Return the failure of a step that took too long."""
        return StepFailed(Reason.NO_ANSWER, f"{waiting_for}: no answer in {self.seconds:g} s")
