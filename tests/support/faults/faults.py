"""The catalogue of faults, by the sort of boundary that they concern."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.faults.boundaries import Boundary, Sort


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, and the sort of boundary at which it can be injected."""

    name: str
    sort: Sort
    text: str
    status: int = 0
    """HTTP status of the answer that is sent instead of the server's own; 0 for none."""
    reason: str = ""
    """``reason`` of the ``metav1.Status`` with that answer."""
    retry_after: int = 0
    """``Retry-After`` of that answer, in seconds."""
    request_seconds: float = 0.0
    """Time limit of the operator's requests in a run with this fault; 0 for its own."""
    kubernetes_only: bool = False

    def __str__(self) -> str:
        return self.name

    def concerns(self, boundary: Boundary) -> bool:
        """Return True if the fault can be injected at the boundary."""
        if self.kubernetes_only and boundary.server != "kubernetes":
            return False
        return self.sort == boundary.sort


WRITE_FAULTS = (
    Fault("killed-before", "write", "the process is killed before the request reaches the server"),
    Fault("killed-after", "write", "the process is killed after the write is applied, before the answer"),
    Fault("answer-lost", "write", "the write is applied, and the connection is reset before the answer"),
    Fault("late", "write", "the process is killed, and the write is applied after the next process has started"),
    Fault(
        "overtaken",
        "write",
        "the process is killed, and the write is applied after the next process made the same; a DELETE of a resource "
        "when that is created anew, or at last",
    ),
    Fault("conflict", "write", "409 Conflict", 409, "Conflict"),
    Fault("gone", "write", "410 Gone", 410, "Expired"),
    Fault("invalid", "write", "422 Invalid", 422, "Invalid"),
    Fault("too-many-requests", "write", "429 with Retry-After", 429, "TooManyRequests", retry_after=1),
    Fault("server-error", "write", "500", 500, "InternalError"),
    Fault("unavailable", "write", "503", 503, "ServiceUnavailable"),
    Fault("timeout", "write", "no answer within the time limit of the request", request_seconds=1.5),
    Fault("reset", "write", "the connection is reset before the request reaches the server"),
)

EVENT_FAULTS = (
    Fault("dropped", "event", "the event is not sent, and the stream is reset a second later", kubernetes_only=True),
    Fault("doubled", "event", "the event is sent twice", kubernetes_only=True),
    Fault("delayed", "event", "the event and all that follow it come a second later", kubernetes_only=True),
    Fault("reordered", "event", "the event comes after the next one of another kind", kubernetes_only=True),
    Fault("cut", "event", "the stream ends in the middle of the event", kubernetes_only=True),
    Fault("silent", "event", "the stream is silent for two seconds, then reset", kubernetes_only=True),
    Fault("watch-expired", "event", "an ERROR event with 410 comes instead", kubernetes_only=True),
)

LIST_FAULTS = (
    Fault("stale", "list", "after a restart the LIST is one of before the change", kubernetes_only=True),
    Fault("forbidden", "list", "403 for a LIST", 403, "Forbidden", kubernetes_only=True),
    Fault("continue-expired", "list", "410 for the second page of a LIST", 410, "Expired", kubernetes_only=True),
)

FAULTS = {fault.name: fault for fault in (*WRITE_FAULTS, *EVENT_FAULTS, *LIST_FAULTS)}


def faults_at(boundary: Boundary) -> list[Fault]:
    """Return the faults that can be injected at a boundary."""
    return [fault for fault in FAULTS.values() if fault.concerns(boundary)]
