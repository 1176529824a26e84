"""The expectation of a pair as a stage creates it."""

from __future__ import annotations

from typing import Any

from integration_operator_sandbox.platforms.enmasse import CERTIFICATE
from tests.support.faults.expectation import Delivered, Ref
from tests.support.faults.stage import HOST


def delivered(space: Ref, syndesis: Ref, **changes: Any) -> Delivered:
    """Return the expectation that the pair is delivered as resources, with changes."""
    return Delivered(**{"space": space, "syndesis": syndesis, "host": HOST, "certificate": CERTIFICATE, **changes})
