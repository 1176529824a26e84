"""Metrics count requests by resource and reconciles by result; no name of an object or a namespace is in them."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from integration_operator.runtime.metrics import ClientMetrics, ControllerMetrics, resource_of

CLIENT = ClientMetrics("test_metrics")
CONTROLLER = ControllerMetrics("test_metrics")


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"test_metrics_{name}", labels)


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/apis/enmasse.io/v1beta1/addressspaces", "addressspaces"),
        ("/apis/enmasse.io/v1beta1/namespaces/shop/addressspaces", "addressspaces"),
        ("/apis/enmasse.io/v1beta1/namespaces/shop/addressspaces/orders", "addressspaces"),
        ("/apis/integreatly.org/v1alpha1/namespaces/shop/integrations/mine/status", "integrations/status"),
        ("/api/v1/secrets", "secrets"),
        ("/api/v1/namespaces/shop/secrets/login", "secrets"),
        ("/api/v1/namespaces", "namespaces"),
        ("/api/v1/namespaces/shop", "namespaces"),
        ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.io", "customresourcedefinitions"),
        ("/apis/enmasse.io", "discovery"),
        ("/apis/enmasse.io/v1beta1", "discovery"),
    ],
)
def test_a_path_is_counted_by_its_resource(path: str, resource: str) -> None:
    assert resource_of(path) == resource


def test_a_request_is_counted_with_its_duration() -> None:
    CLIENT.observe_request("GET", "/api/v1/namespaces/shop/secrets/login", 404, 0.3)
    CLIENT.observe_request("GET", "/api/v1/secrets", 0, 2.0)
    assert sample("requests_total", verb="GET", resource="secrets", code="404") == 1.0
    assert sample("requests_total", verb="GET", resource="secrets", code="none") == 1.0, "it had no response"
    assert sample("request_seconds_count", verb="GET") == 2.0
    assert sample("request_seconds_sum", verb="GET") == pytest.approx(2.3)


def test_a_reconcile_is_counted_with_its_duration() -> None:
    CONTROLLER.observe_reconcile("ok", 0.2)
    CONTROLLER.observe_reconcile("error", 0.4)
    assert sample("reconciles_total", result="ok") == 1.0
    assert sample("reconcile_seconds_count") == 2.0
    assert sample("reconcile_seconds_sum") == pytest.approx(0.6)
    assert sample("reconcile_seconds_bucket", le="0.25") == 1.0
    assert sample("reconcile_seconds_bucket", le="0.5") == 2.0
