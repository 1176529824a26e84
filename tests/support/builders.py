"""Documents as the API server has them, for tests that need no server."""

from __future__ import annotations

import base64
from typing import Any

from integration_operator.api import names
from integration_operator.controllers.integration.dry_run import DryRun
from integration_operator.domain.model.conditions import summarize
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.plan.plan import Plan
from integration_operator.domain.plan.status import integration_status
from integration_operator_sandbox.platforms.enmasse import CERTIFICATE
from tests.support.documents import Document

PEM = base64.b64encode(CERTIFICATE.encode()).decode()
PORTS = ({"name": "amqp", "port": 5672}, {"name": "amqps", "port": 5671})


def space(
    namespace: str = "shop",
    name: str = "orders",
    *,
    ready: bool = True,
    ca: bool = True,
    ports: tuple[Document, ...] = PORTS,
    annotations: dict[str, str] | None = None,
    **metadata: Any,
) -> Document:
    """Return an AddressSpace."""
    status: Document = {
        "isReady": ready,
        "endpointStatuses": [{"name": "messaging", "serviceHost": "messaging.svc", "servicePorts": list(ports)}],
    }
    if ca:
        status["caCert"] = PEM
    return {
        "apiVersion": "enmasse.io/v1beta1",
        "kind": "AddressSpace",
        "metadata": {"namespace": namespace, "name": name, "annotations": annotations or {}, **metadata},
        "spec": {"type": "standard", "plan": "small", "authenticationService": {"name": "standard"}},
        "status": status,
    }


def syndesis(namespace: str = "shop", name: str = "syndesis", *, phase: str = "Installed", **metadata: Any) -> Document:
    """Return a Syndesis whose annotation says that a controller reconciles its Connections."""
    metadata["annotations"] = {names.CONNECTION_DELIVERY: "native", **metadata.get("annotations", {})}
    return {
        "apiVersion": "syndesis.io/v1beta3",
        "kind": "Syndesis",
        "metadata": {"namespace": namespace, "name": name, **metadata},
        "status": {"phase": phase},
    }


def integration(namespace: str = "shop", name: str = "mine", **spec: Any) -> Document:
    """Return an Integration that a user wrote for the AddressSpace shop/orders."""
    return {
        "apiVersion": "integreatly.org/v1alpha1",
        "kind": "Integration",
        "metadata": {"namespace": namespace, "name": name, "creationTimestamp": "2024-01-01T00:00:00Z"},
        "spec": {"addressSpaceRef": {"namespace": "shop", "name": "orders"}, "client": "syndesis", **spec},
    }


def report(snapshot: DryRun, pair: Pair, decision: Plan) -> None:
    """Write the status that the operator would write, into the snapshot."""
    integration = snapshot.facts(pair).integration
    assert integration is not None
    status = integration_status(
        integration,
        summarize(decision.conditions or ()),
        decision.delivered,
        decision.host,
        "2024-01-01T00:00:00Z",
        decision.rotation,
    )
    snapshot.merge("Integration", integration.ref, {"status": None})
    snapshot.merge("Integration", integration.ref, {"status": status})
