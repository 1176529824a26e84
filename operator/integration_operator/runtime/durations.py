"""Durations as kubectl shows them."""

from __future__ import annotations

UNKNOWN = "<unknown>"

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 31536000


def human_duration(seconds: float) -> str:
    """Return a duration with at most two units, such as 5m12s or 3d4h.

    The steps are those of ``HumanDuration`` (k8s.io/apimachinery, pkg/util/duration/duration.go).
    """
    whole = int(seconds)
    if whole < 0:
        return UNKNOWN if whole < -1 else "0s"
    steps = (
        (2 * MINUTE, 1, "s", 0, ""),
        (10 * MINUTE, MINUTE, "m", 1, "s"),
        (3 * HOUR, MINUTE, "m", 0, ""),
        (8 * HOUR, HOUR, "h", MINUTE, "m"),
        (2 * DAY, HOUR, "h", 0, ""),
        (8 * DAY, DAY, "d", HOUR, "h"),
        (2 * YEAR, DAY, "d", 0, ""),
        (8 * YEAR, YEAR, "y", DAY, "d"),
    )
    for below, unit, letter, second_unit, second_letter in steps:
        if whole < below:
            rest = whole % unit // second_unit if second_unit else 0
            return f"{whole // unit}{letter}{f'{rest}{second_letter}' if rest else ''}"
    return f"{whole // YEAR}y"
