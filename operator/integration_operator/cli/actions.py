"""The actions of a plan as lines for users."""

from __future__ import annotations

from integration_operator.domain.model.actions import (
    Action,
    Apply,
    Delete,
    DeleteRemote,
    EnsureRemote,
    Release,
    SetFinalizer,
)


def described(action: Action) -> str:
    """Return a step as a line."""
    match action:
        case Apply():
            return f"apply {action.kind} {action.ref}: {action.why}"
        case Delete():
            return f"delete {action.kind} {action.ref}: {action.why}"
        case EnsureRemote():
            return f"ensure {action.kind} {action.ref} by {action.delivery}: {action.why}"
        case DeleteRemote():
            return f"delete {action.kind} {action.ref} by {action.delivery}: {action.why}"
        case Release():
            return f"release {action.kind} {action.ref}: {action.why}"
        case SetFinalizer():
            return f"{'add' if action.present else 'remove'} the finalizer: {action.why}"
