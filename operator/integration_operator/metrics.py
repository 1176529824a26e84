"""The operator's Prometheus metrics of what happens. Those of what is are in ``state_metrics``.

``make reference`` describes all of them in docs/metrics.md. Their names and labels are a contract.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from prometheus_client import Counter, disable_created_metrics

from integration_operator.runtime.metrics import ControllerMetrics, RequestMetrics, resource_of

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each counter and histogram, which no rule uses

PREFIX = "integration_operator"

CONTROLLER = ControllerMetrics(PREFIX)
REQUESTS = RequestMetrics(PREFIX)

ADMISSION_RESULTS = ("allowed", "warned", "refused", "failed")
"""Results of a review: nothing to say, warnings, not a review or not read in time, an unexpected exception."""

ADMISSION_REVIEWS = Counter(
    f"{PREFIX}_admission_reviews", "Requests to the path of the admission webhook, by result.", ["result"]
)
for _result in ADMISSION_RESULTS:
    ADMISSION_REVIEWS.labels(_result)


def syndesis_resource(path: str) -> str:
    """Return the endpoint of a path below ``/api/v1``, without ids: ``connections``, ``connectors/verifier``."""
    parts = urlsplit(path).path.removeprefix("/public").strip("/").split("/")
    return "/".join((parts[0], *parts[2:3]))


def keycloak_resource(path: str) -> str:
    """Return the endpoint of a path, without names and ids: ``users/groups``; ``token`` for a login."""
    _, admin, below = urlsplit(path).path.partition("/admin/realms/")
    _realm, *parts = below.split("/")
    if not admin:
        return "token"
    return "/".join((parts[0], *parts[2:3])) if parts else "realms"


KUBERNETES_REQUEST = REQUESTS.of("kubernetes", resource_of)
SYNDESIS_REQUEST = REQUESTS.of("syndesis", syndesis_resource)
KEYCLOAK_REQUEST = REQUESTS.of("keycloak", keycloak_resource)
"""What count the requests to each system. A tenant chooses no part of a resource."""
