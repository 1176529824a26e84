"""The kinds are upgraded under objects of an earlier version: each can be read, and written again unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.deployment import operator_crds
from integration_operator_sandbox.platforms.crd import install_crds, platform_crds
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.control_planes import world_on
from tests.support.documents import Document, path
from tests.support.gitops import Kubectl
from tests.support.recorded_state import STATES, record, restore

STATE = STATES / "4b891cb.json"
KINDS = STATES / "4b891cb.kinds.yaml"
NAMESPACES = ("recorded-shop", "recorded-fuse")


@pytest.fixture
def earlier() -> Iterator[ControlPlane]:
    """Run a control plane with the kinds of an earlier version."""
    definitions: list[Document] = [definition for definition in yaml.safe_load_all(KINDS.read_text()) if definition]

    def install(plane: ControlPlane) -> None:
        install_crds(plane.kubeconfig(), [*platform_crds(), *definitions])

    with ControlPlane.start(before_controllers=install) as plane:
        yield plane


async def test_of_a_recorded_state(earlier: ControlPlane, syndesis_server: SyndesisServer, tmp_path: Path) -> None:
    async with world_on(earlier) as world:
        await world.ensure_namespaces(*NAMESPACES)
        await restore(world, json.loads(STATE.read_text()), syndesis_server)
        before = await record(world, syndesis_server, NAMESPACES)
        install_crds(earlier.kubeconfig(), operator_crds())
        kubectl = Kubectl(earlier.kubeconfig(), tmp_path)

        async def upgraded() -> bool:
            code, output = await kubectl.run("explain", "integration.spec.consumer")
            return code == 0 and "consumer" in output

        await world.eventually("the API server serves the new version of the kind", upgraded)
        after = await record(world, syndesis_server, NAMESPACES)
        assert [content(item) for item in after["objects"]] == [content(item) for item in before["objects"]]
        ours = [item for item in after["objects"] if item["kind"] in ("Integration", "Connection")]
        assert len(ours) == 7
        for item in ours:
            metadata = item["metadata"]
            where = path(item["kind"], metadata["namespace"], metadata["name"])
            for subresource in ("", "/status") if item.get("status") else ("",):
                current = await world.kubectl.get(where)
                written = await world.kubectl.put(where + subresource, current)
                assert written["metadata"]["resourceVersion"] == current["metadata"]["resourceVersion"], "no change"


def content(item: Document) -> Any:
    """Return what a user or the operator wrote of an object."""
    return {key: value for key, value in item.items() if key not in ("metadata", "apiVersion")}
