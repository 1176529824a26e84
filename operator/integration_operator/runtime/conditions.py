"""Conditions of an object's status (``metav1.Condition``), and Events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from integration_operator.runtime.text import sanitized

Document = dict[str, Any]
ConditionStatus = Literal["True", "False", "Unknown"]

MAX_MESSAGE = 2048
"""Bytes of a condition's message: a text of another system (1 KiB) and the operator's own text. Ten conditions stay
far below the 32,768 bytes that metav1.Condition allows for one message."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition without times."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Event:
    """Type, reason and message of a Kubernetes Event; the recorder adds the object."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def condition_documents(
    conditions: Iterable[Condition], before: Sequence[Document], *, generation: int, now: str
) -> list[Document]:
    """Return conditions as API documents.

    ``lastTransitionTime`` changes only if the status of a condition differs from ``before`` (apimachinery's
    ``meta.SetStatusCondition``). ``now`` is in RFC 3339.
    """
    last = {condition.get("type"): condition for condition in before}
    return [
        {
            "type": condition.type,
            "status": condition.status,
            "reason": condition.reason,
            "message": sanitized(condition.message, MAX_MESSAGE),
            "lastTransitionTime": _transition(last.get(condition.type, {}), condition.status, now),
            "observedGeneration": generation,
        }
        for condition in conditions
    ]


def _transition(before: Document, status: str, now: str) -> str:
    return str(before.get("lastTransitionTime", now)) if before.get("status") == status else now
