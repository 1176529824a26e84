"""What an earlier version of the kinds accepted, this one accepts: no field is lost, and no rule is stricter."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.compatible_kinds import narrowed
from tests.support.documents import Document
from tests.support.recorded_state import STATES

CRDS = Path(__file__).parents[2] / "crds"
NEW_FIELDS = {"4b891cb": ("consumer",)}
"""Fields that a version did not have: a rule about one of them narrows nothing that was stored."""


def current(name: str) -> Document:
    """Return a definition as it is shipped."""
    loaded: Document = yaml.safe_load((CRDS / f"{name}.yaml").read_text())
    return loaded


@pytest.mark.parametrize("state", sorted(STATES.glob("*.kinds.yaml")), ids=lambda file: file.name.split(".")[0])
def test_with_each_earlier_version(state: Path) -> None:
    fields = NEW_FIELDS[state.name.split(".")[0]]
    earlier = [definition for definition in yaml.safe_load_all(state.read_text()) if definition]
    assert len(earlier) == 2
    for definition in earlier:
        found = narrowed(definition, current(definition["metadata"]["name"]))
        assert [n for n in found if not any(f"self.{field} " in n for field in fields)] == []


def spec(definition: Document) -> dict[str, Any]:
    """Return the properties of the spec of an Integration."""
    (version,) = definition["spec"]["versions"]
    return dict(version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["spec"]["versions"][0].update(name="v2"), "v1alpha1: no longer served"),
        (lambda d: d["spec"]["versions"][0].update(served=False), "v1alpha1: no longer served"),
        (lambda d: d["spec"].update(scope="Cluster"), "scope: Namespaced became Cluster"),
        (lambda d: d["spec"]["names"].update(plural="links"), "names.plural: integrations became links"),
        (lambda d: spec(d)["enabled"].update(type="string"), "v1alpha1.spec.enabled: boolean became string"),
        (lambda d: spec(d)["tls"]["enum"].remove("disabled"), "v1alpha1.spec.tls: no longer disabled"),
        (lambda d: spec(d)["client"].update(pattern="^x$"), "v1alpha1.spec.client: pattern ^x$"),
        (lambda d: spec(d)["client"].update(maxLength=3), "v1alpha1.spec.client: maxLength 3"),
        (lambda d: spec(d)["client"].update(minLength=2), "v1alpha1.spec.client: minLength 2"),
        (
            lambda d: spec(d)["rotation"].update(required=["every"]),
            "v1alpha1.spec.rotation: requires every",
        ),
        (
            lambda d: spec(d)["rotation"]["x-kubernetes-validations"].append({"rule": "false"}),
            "v1alpha1.spec.rotation: rule false",
        ),
        (
            lambda d: spec(d)["rotation"]["properties"].pop("overlap"),
            "v1alpha1.spec.rotation.overlap: dropped",
        ),
        (
            lambda d: spec(d)["authorization"]["items"]["properties"].pop("addresses"),
            "v1alpha1.spec.authorization[].addresses: dropped",
        ),
    ],
)
def test_what_is_narrower_is_found(change: Callable[[Document], Any], reason: str) -> None:
    old = current("integrations.integreatly.org")
    new = copy.deepcopy(old)
    assert narrowed(old, new) == []
    change(new)
    assert reason in narrowed(old, new)


def test_what_is_wider_is_fine() -> None:
    old = current("integrations.integreatly.org")
    new = copy.deepcopy(old)
    properties = spec(new)
    properties["tls"]["enum"].append("sometimes")
    properties["client"].pop("pattern")
    properties["client"]["maxLength"] = 1000
    properties["rotation"]["x-kubernetes-validations"].clear()
    properties["rotation"]["properties"]["more"] = {"type": "string"}
    assert narrowed(old, new) == []
