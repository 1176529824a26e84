"""A name that a tenant wrote leads to no other object, whatever it holds and whichever schema has let it pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integration_operator.backends.syndesis.connection import SpecInvalid, specification
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import Invalid, Unavailable
from tests.support.kubeconfigs import write_kubeconfig

PATHS = [
    "/api/v1/namespaces/fuse/secrets/../../../namespaces/shop/secrets/orders",
    "/api/v1/namespaces/fuse/secrets/..",
    "/api/v1/namespaces/fuse/secrets/.",
    "/api/v1/namespaces/fuse/secrets/a?watch=true",
    "/api/v1/namespaces/fuse/secrets/a#b",
    "/api/v1/namespaces/fuse/secrets/%2e%2e",
    "/api/v1/namespaces/fuse/secrets//orders",
    "/api/v1/namespaces/fuse/secrets/",
    "/api/v1/namespaces/fuse/secrets/a b",
    "/api/v1/namespaces/fuse/secrets/a\r\nX: y",
    "http://elsewhere/api",
    "",
]


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """Write a kubeconfig of a server that does not exist."""
    return write_kubeconfig(tmp_path, 1)


@pytest.mark.parametrize("path", PATHS)
async def test_a_path_that_is_none_is_not_asked_for(nowhere: Path, path: str) -> None:
    async with Client.from_kubeconfig(nowhere) as client:
        for call in (client.get(path), client.delete(path), client.post(path, {}), client.patch(path, {})):
            with pytest.raises(Invalid) as caught:
                await call
            assert caught.value.reason == "PathUnusable"
            assert caught.value.message.isprintable()


@pytest.mark.parametrize("path", ["/api/v1/secrets", "/apis/a.b/v1/c/system:d", "/version", "/api/v1/x/a.-_~b/status"])
async def test_any_other_path_is(nowhere: Path, path: str) -> None:
    async with Client.from_kubeconfig(nowhere) as client:
        with pytest.raises(Unavailable, match=r"GET http://127\.0\.0\.1:1/.*: connection refused"):
            await client.get(path)


def spec(**change: Any) -> dict[str, Any]:
    return {"metadata": {"name": "mine"}, "spec": {"connectorId": "amqp", **change}}


@pytest.mark.parametrize(
    "document",
    [
        spec(
            configuredPropertiesFrom=[{"property": "p", "secretKeyRef": {"name": "../../shop/secrets/x", "key": "k"}}]
        ),
        spec(configuredPropertiesFrom=[{"property": "p", "configMapKeyRef": {"name": "a/b", "key": "k"}}]),
        spec(configuredPropertiesFrom="all of them"),
        spec(connectionId="../connectors"),
        spec(connectionId="a?b"),
        spec(connectorId=""),
        {"metadata": {"name": "mine"}},
        {"metadata": {"name": "mine"}, "spec": [1]},
    ],
)
def test_a_connection_that_a_schema_of_others_let_pass_is_refused_before_any_request(document: dict[str, Any]) -> None:
    with pytest.raises(SpecInvalid) as caught:
        specification(document)
    assert caught.value.stalls
    assert caught.value.message.startswith("spec")
