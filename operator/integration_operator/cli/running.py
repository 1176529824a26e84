"""What shows that the operator runs: its Deployment, and the Lease of the process that leads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from integration_operator.api import names

DEPLOYMENTS = "/apis/apps/v1/deployments", {"labelSelector": f"app.kubernetes.io/name={names.FIELD_MANAGER}"}
LEASES = "/apis/coordination.k8s.io/v1/leases", {"fieldSelector": f"metadata.name={names.FIELD_MANAGER}"}


def is_fresh(lease: Mapping[str, Any]) -> bool:
    """Check if a Lease has a holder and was renewed within its duration, by the clock of this machine."""
    try:
        renewed = datetime.fromisoformat(str(lease.get("renewTime")))
    except ValueError:
        return False
    held = timedelta(seconds=int(lease.get("leaseDurationSeconds") or 0))
    return bool(lease.get("holderIdentity")) and datetime.now(UTC) - renewed < held
