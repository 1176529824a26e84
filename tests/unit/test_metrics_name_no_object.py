"""No name of an object, a namespace or a user is in a metric, and the number of series is bounded."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from prometheus_client import REGISTRY

from integration_operator import metrics
from integration_operator.runtime.metrics import CODES, code_of, resource_of
from integration_operator.runtime.ref import Ref
from tests.support import builders
from tests.support.operated import ENABLE_NEW, SOON, operated
from tests.support.scraped import series
from tests.support.virtual_time import run


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
def test_a_path_of_the_api_server_is_counted_by_its_resource(path: str, resource: str) -> None:
    assert resource_of(path) == resource


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/version", "version"),
        ("/connectors/amqp", "connectors"),
        ("/connectors/amqp/verifier", "connectors/verifier"),
        ("/connections?query=connectorId=amqp&per_page=100&page=1", "connections"),
        ("/connections/i-shop-orders", "connections"),
        ("/public/connections/i-shop-orders/properties?refreshIntegrations=true", "connections/properties"),
    ],
)
def test_a_path_of_syndesis_is_counted_by_its_endpoint(path: str, resource: str) -> None:
    assert metrics.syndesis_resource(path) == resource


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/auth/realms/master/protocol/openid-connect/token", "token"),
        ("/auth/admin/realms/shop-orders", "realms"),
        ("/admin/realms/shop-orders/users?username=me", "users"),
        ("/admin/realms/shop-orders/users/7b1c", "users"),
        ("/admin/realms/shop-orders/users/7b1c/reset-password", "users/reset-password"),
        ("/admin/realms/shop-orders/users/7b1c/groups/9d2e", "users/groups"),
        ("/admin/realms/a%2Fusers%2Fb%2Fsecret/groups", "groups"),
    ],
)
def test_a_path_of_keycloak_is_counted_by_its_endpoint(path: str, resource: str) -> None:
    assert metrics.keycloak_resource(path) == resource


def test_a_tenants_server_chooses_one_of_few_codes() -> None:
    assert len({code_of(status) for status in range(1000)}) <= len(CODES) + 7
    assert [code_of(status) for status in (0, 200, 299, 418, 599, 999)] == ["none", "200", "2xx", "4xx", "5xx", "other"]


def test_names_that_come_and_go_add_no_series() -> None:
    async def scenario() -> None:
        sizes = []
        async with operated(plan=ENABLE_NEW) as scene:
            for _ in range(4):
                tags = [uuid.uuid4().hex[:12] for _ in range(10)]
                for tag in tags:
                    scene.api.put(builders.space(f"ns-{tag}", f"space-{tag}"))
                    scene.api.put(builders.syndesis(f"ns-{tag}", f"instance-{tag}"))
                await asyncio.sleep(SOON)
                assert scene.kinds().count("Connection") == len(tags)
                there = series(scene.state, REGISTRY)
                values = {value for _, labels in there for _, value in labels}
                assert not [value for value in values if any(tag in value for tag in tags)]
                sizes.append(len(there))
                for tag in tags:
                    scene.api.remove("AddressSpace", Ref(f"ns-{tag}", f"space-{tag}"))
                    scene.api.remove("Syndesis", Ref(f"ns-{tag}", f"instance-{tag}"))
                await asyncio.sleep(SOON)
        assert sizes[1:] == sizes[1:2] * 3, sizes

    run(scenario())
