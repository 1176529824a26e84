"""What docs/conditions.md has, for what tests see on objects. It is generated from the same table."""

from __future__ import annotations

from integration_operator.domain.model.conditions import CHOSEN, INFORMATIVE, ORDER
from integration_operator.domain.model.reasons import REASONS, SIDES, Effect


def is_documented(type_: str, reason_: str) -> bool:
    """Return True if docs/conditions.md has the reason for that condition. A webhook may have any other reason."""
    listed = next((reason for reason in REASONS if reason.name == reason_), None)
    if listed is None:
        return type_ not in ("Paired", *CHOSEN.values(), *INFORMATIVE)
    if type_ == "Reconciling":
        return listed.effect is Effect.PASSES
    if type_ == "Stalled":
        return listed.effect is Effect.USER
    if type_ == "Ready":
        return bool({"Ready", *ORDER} & {*listed.types})
    return type_ in listed.types or (type_ in SIDES and "Paired" in listed.types)
