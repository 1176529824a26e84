"""An Integration in git: each way of applying it ends without a difference, and never conflicts on a user's field.

The tools are kubectl, as a program, and the requests that Argo CD and Flux send: Argo CD applies on the client with a
tracking annotation or label, or on the server as argocd-controller; Flux applies on the server as
kustomize-controller, with force.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration_operator.domain.model import naming
from integration_operator.runtime.client import APPLY
from integration_operator.runtime.errors import Conflict
from integration_operator.runtime.ref import Ref
from tests.support.documents import Document, path
from tests.support.gitops import Kubectl
from tests.support.go_programs import BUILD_TIMEOUT
from tests.support.world import World

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT + 180)

TRACKING_ID = "argocd.argoproj.io/tracking-id"
INSTANCE = "app.kubernetes.io/instance"
FLUX_LABELS = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}


@dataclass(frozen=True, slots=True)
class Way:
    """A way of applying: what it adds to the manifest, and the arguments of kubectl or the manager of the request."""

    annotations: dict[str, str]
    labels: dict[str, str]
    kubectl: tuple[str, ...] = ()
    manager: str = ""
    force: bool = False


WAYS = {
    "kubectl apply": Way({}, {}, kubectl=("apply",)),
    "kubectl apply --server-side": Way({}, {}, kubectl=("apply", "--server-side")),
    "Argo CD by annotation": Way({TRACKING_ID: "shop:integreatly.org/Integration:fuse/mine"}, {}, kubectl=("apply",)),
    "Argo CD by label": Way({}, {INSTANCE: "shop"}, kubectl=("apply",)),
    "Argo CD server-side": Way({TRACKING_ID: "shop:…"}, {}, manager="argocd-controller", force=True),
    "Flux": Way({}, FLUX_LABELS, manager="kustomize-controller", force=True),
}
Apply = Callable[[Document], Awaitable[Document]]


@pytest.fixture
def kubectl(world: World, tmp_path: Path) -> Kubectl:
    return Kubectl(world.control_plane.kubeconfig("user"), tmp_path)


def applying(world: World, kubectl: Kubectl, way: Way) -> Apply:
    """Return a function that applies a manifest and returns the object."""

    async def apply(manifest: Document) -> Document:
        ref = Ref(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        if way.kubectl:
            await kubectl(*way.kubectl, "-f", "-", stdin=manifest)
        else:
            await world.kubectl.apply(path("Integration", *ref), manifest, manager=way.manager, force=way.force)
        found = await world.get("Integration", ref)
        assert found is not None
        return found

    return apply


async def difference(world: World, kubectl: Kubectl, way: Way, manifest: Document) -> str:
    """Return what the tool shows as out of sync: the result of a dry run that differs from the object."""
    ref = Ref(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
    if way.kubectl:
        code, output = await kubectl.run("diff", *way.kubectl[1:], "-f", "-", stdin=manifest)
        assert code in (0, 1), output
        return output
    query = {"dryRun": "All", "fieldManager": way.manager, "force": "true" if way.force else "false"}
    tried = await world.kubectl.patch(path("Integration", *ref), manifest, query, content_type=APPLY)
    live = await world.get("Integration", ref)
    assert live is not None
    for document in (tried, live):
        document["metadata"].pop("managedFields")
    return "" if tried == live else f"{tried} is not {live}"


def manifest(way: Way, namespace: str, name: str, spec: Document) -> Document:
    metadata: Document = {"name": name, "namespace": namespace}
    metadata.update({key: value for key in ("annotations", "labels") if (value := getattr(way, key))})
    return {"apiVersion": "integreatly.org/v1alpha1", "kind": "Integration", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("name", ["the user's", "the offer's"])
@pytest.mark.parametrize("complete", [True, False], ids=["complete", "short"])
async def test_applied_again_it_changes_nothing(
    world: World, kubectl: Kubectl, way: Way, name: str, *, complete: bool
) -> None:
    apply = applying(world, kubectl, way)
    async with world.operator(), world.platforms():
        pair = await world.pair()
        await world.has_reason(pair, "NotEnabled")
        named = naming.integration_name(pair) if name == "the offer's" else "mine"
        # A user's Integration of another name has to name the pair, and of the pair at least the AddressSpace.
        spec: Document = {"enabled": True}
        if complete or named == "mine":
            spec["addressSpaceRef"] = dict(pair.space._asdict())
        if complete:
            spec["client"] = pair.syndesis.name
        written = manifest(way, pair.syndesis.namespace, named, spec)
        ref = Ref(pair.syndesis.namespace, named)
        await apply(written)
        settled = await world.ready(ref)
        await world.audit.quiet()
        settled = await world.ready(ref)
        again = await apply(written)
        assert again["metadata"]["resourceVersion"] == settled["metadata"]["resourceVersion"]
        assert await difference(world, kubectl, way, written) == ""

        changed = copy.deepcopy(written)
        changed["spec"]["enabled"] = False
        await apply(changed)
        await world.taken_down(pair)
        await world.audit.quiet()
        assert await difference(world, kubectl, way, changed) == ""


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
async def test_a_field_that_is_removed_in_git_is_removed(world: World, kubectl: Kubectl, way: Way) -> None:
    apply = applying(world, kubectl, way)
    async with world.operator(), world.platforms():
        pair = await world.pair()
        await world.has_reason(pair, "NotEnabled")
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        written = manifest(way, *ref, {"enabled": True, "suspend": True, "deletionPolicy": "Retain"})
        await apply(written)
        await world.has_reason(pair, "Suspended")
        shorter = manifest(way, *ref, {"enabled": True})
        await apply(shorter)
        found = await world.ready(ref)
        assert not {"suspend", "deletionPolicy"} & found["spec"].keys()
        await world.audit.quiet()
        assert await difference(world, kubectl, way, shorter) == ""


async def test_a_server_side_apply_meets_no_conflict_on_fields_of_the_user(world: World) -> None:
    """Each field of the spec that only users write, by a manager that does not force."""
    async with world.operator():
        pair = await world.pair()
        offer = await world.has_reason(pair, "NotEnabled")
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        spec = {
            "enabled": True,
            "suspend": True,
            "tls": "auto",
            "deletionPolicy": "Delete",
            "delivery": {"user": "native", "connection": "native"},
            "authorization": [{"operations": ["send"], "addresses": ["a"]}],
            "rotation": {"every": "720h", "overlap": "1h"},
            "credentialsSecretRef": {"name": "own"},
            "addressSpaceRef": offer["spec"]["addressSpaceRef"],
            "client": offer["spec"]["client"],
        }
        document = manifest(Way({}, {}), *ref, spec)
        await world.kubectl.apply(path("Integration", *ref), document, manager="someone", force=False)
        await world.has_reason(pair, "Suspended")
        await world.audit.quiet()
        await world.kubectl.apply(path("Integration", *ref), document, manager="someone", force=False)


async def test_an_offer_that_a_policy_enabled_can_be_disabled_from_git(world: World) -> None:
    async with world.operator(), world.platforms():
        pair = await world.pair(enable_new="true")
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        await world.ready(ref)
        document = manifest(Way({}, {}), *ref, {"enabled": False})
        with pytest.raises(Conflict):
            await world.kubectl.apply(path("Integration", *ref), document, manager="someone", force=False)
        await world.kubectl.apply(path("Integration", *ref), document, manager="someone", force=True)
        await world.taken_down(pair)
