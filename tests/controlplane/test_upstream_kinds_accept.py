"""EnMasse's and Syndesis's own definitions accept every fixture and everything that we render, and keep all of it.

They are not part of this repository: they are read from ``../shared/upstream`` beside the checkout. Without it these
tests are skipped and say so; in CI they fail instead.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_operator.api import names
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.errors import Invalid
from integration_operator.runtime.live_object import LiveObject, differences
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.deployment import grant_permissions, operator_crds
from integration_operator_sandbox.platforms.crd import install_crds
from tests.support.control_planes import world_on
from tests.support.documents import path, space_status
from tests.support.dry_runs import dry_run
from tests.support.world import World

UPSTREAM = Path(__file__).parents[3] / "shared" / "upstream"
FILES = ("addressspaces", "messagingusers", "authenticationservices", "syndesises")


def definitions() -> list[dict[str, Any]]:
    missing = [name for name in FILES if not (UPSTREAM / f"{name}.crd.yaml").is_file()]
    if missing:
        message = f"the platforms' own definitions are not at ../shared/upstream beside the checkout: {missing}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    found = []
    for name in FILES:
        documents = yaml.safe_load_all((UPSTREAM / f"{name}.crd.yaml").read_text())
        found += [{k: v for k, v in document.items() if k != "status"} for document in documents if document]
    return found


@pytest.fixture(scope="module")
def upstream() -> Iterator[ControlPlane]:
    kinds = [*definitions(), *operator_crds()]

    def prepare(plane: ControlPlane) -> None:
        install_crds(plane.kubeconfig(), kinds)
        grant_permissions(plane.kubeconfig())

    with ControlPlane.start(before_controllers=prepare) as plane:
        yield plane


@pytest.fixture
async def real(upstream: ControlPlane) -> AsyncIterator[World]:
    async with world_on(upstream) as made:
        yield made
        await made.clean()


async def test_life_of_a_pair(real: World) -> None:
    async with real.platforms() as enmasse, real.operator():
        pair = await real.pair(across=True)
        await real.deliver(pair)
        await real.has_reason(pair, "Ready")
        assert len(enmasse.logins) == 1
        await real.audit.quiet()
        real.audit.mark()
        await real.audit.quiet(seconds=2)
        assert real.audit.requests() == [], "nothing was pruned that would be written again and again"
        await real.delete("AddressSpace", pair.space)
        await real.taken_down(pair)


@pytest.mark.parametrize("tls", ["auto", "disabled"])
async def test_every_rendered_document_survives_pruning(real: World, tls: str) -> None:
    namespace = await real.namespace("shop")
    space = {
        "apiVersion": "enmasse.io/v1beta1",
        "kind": "AddressSpace",
        "metadata": {"name": "orders", "namespace": namespace},
        "spec": {"type": "standard", "plan": "standard-small", "authenticationService": {"name": "standard"}},
        "status": space_status(),
    }
    syndesis = {
        "apiVersion": "syndesis.io/v1beta3",
        "kind": "Syndesis",
        "metadata": {"name": "syndesis", "namespace": namespace},
        "status": {"phase": "Installed"},
    }
    offered = {
        "apiVersion": "integreatly.org/v1alpha1",
        "kind": "Integration",
        "metadata": {"name": "mine", "namespace": namespace, "creationTimestamp": "2024-01-01T00:00:00Z"},
        "spec": {
            "addressSpaceRef": {"namespace": namespace, "name": "orders"},
            "enabled": True,
            "tls": tls,
            "authorization": [
                {"operations": ["send", "recv"], "addresses": ["orders/*", "x"]},
                {"operations": ["view", "manage"]},
            ],
        },
    }
    snapshot = dry_run([space, syndesis, offered], ("same-namespace",))
    (pair,) = snapshot.pairs()
    actions, _ = snapshot.settle(pair, TemplateFiles())
    rendered = {action.kind: action.document for action in actions if action.kind != "Integration"}
    assert set(rendered) == {"Secret", "MessagingUser", "Connection"}
    for kind, document in rendered.items():
        metadata = {k: v for k, v in document["metadata"].items() if k != "ownerReferences"}
        wanted = {**document, "metadata": metadata}
        strict = {"fieldManager": "integration-operator", "force": "true", "fieldValidation": "Strict"}
        target = path(kind, namespace, metadata["name"])
        answer = await real.kubectl.patch(target, wanted, strict, content_type="application/apply-patch+yaml")
        assert differences(LiveObject.of(answer, names.FIELD_MANAGER), wanted) == [], kind


async def test_fixtures_are_kept_as_they_are(real: World) -> None:
    namespace = await real.namespace("shop")
    await real.space(namespace)
    (stored,) = await real.items("AddressSpace", namespace)
    assert stored["status"] == space_status()


async def test_their_definitions_still_refuse_nonsense(real: World) -> None:
    namespace = await real.namespace("shop")
    spec = {"username": "UPPER", "authentication": {"type": "password", "password": "eA=="}}
    with pytest.raises(Invalid, match="username"):
        await real.create("MessagingUser", namespace, "orders.upper", spec=spec)
