"""What `kubectl apply -k` would send is complete, and a real API server takes it: no unknown field, nothing missing.

That the image starts needs a container engine; the commands that it would run are tested as processes.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from integration_operator.admission.registration import WEBHOOK
from integration_operator.admission.server import SERVICE
from integration_operator.manager import CONNECTION_CONTROLLER_LEASE, OPERATOR_LEASE
from integration_operator.settings import Settings, load
from tests.support.documents import Document
from tests.support.gitops import Kubectl
from tests.support.installation import create_namespaces
from tests.support.kustomize import DEPLOY, build, overlay_of_namespaces
from tests.support.world import World

OPERATORS = ("base", "compatibility", "connection-controller")
IN_ENMASSES_NAMESPACE = ("authentication-services", "configmaps", "keycloak")
ALL = (
    *(*OPERATORS, "namespaced", "watched-namespace", "proof-of-concept", *IN_ENMASSES_NAMESPACE),
    *("crds", "tenants", "admission-policy"),
)
COMPONENTS = ("admission", "priority-class")


def kustomization(directory: Path) -> Path:
    """Return the file of a kustomization, under either of its names."""
    return next(file for name in ("kustomization.yaml", "Kustomization") if (file := directory / name).is_file())


def resources(directory: Path) -> list[Document]:
    """Return the documents of a kustomization and of its bases."""
    found: list[Document] = []
    for name in yaml.safe_load(kustomization(directory).read_text())["resources"]:
        path = (directory / name).resolve()
        found += resources(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    return found


@pytest.mark.parametrize("name", ALL)
async def test_every_document(world: World, tmp_path: Path, name: str) -> None:
    documents = resources(DEPLOY / name)
    kinds = {document["kind"] for document in documents}
    if name in OPERATORS:
        assert {"Deployment", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"} <= kinds
    await accepted(world, documents, tmp_path)


async def accepted(world: World, documents: list[Document], directory: Path) -> None:
    """Check that the API server takes all documents, by `kubectl apply` with strict validation and without effect."""
    await create_namespaces(world, *(d["metadata"]["namespace"] for d in documents if "namespace" in d["metadata"]))
    kubectl = Kubectl(world.control_plane.kubeconfig(), directory)
    strictly = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    items = {"apiVersion": "v1", "kind": "List", "items": documents}
    output = await kubectl("apply", *strictly, "-f", "-", stdin=items)
    assert output.count("serverside-applied (server dry run)") == len(documents), output
    assert "Warning" not in output


async def test_the_component_for_admission(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its webhook leads through its Service to the port on which the operator of the Deployment answers."""
    base, component = (os.path.relpath(DEPLOY / name, tmp_path) for name in ("base", "admission"))
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [base], "components": [component]}))
    documents = build(tmp_path)
    await accepted(world, documents, tmp_path)
    of_kind = {(d["kind"], d["metadata"]["name"]): d for d in documents}
    (webhook,) = of_kind["ValidatingWebhookConfiguration", Settings().admission_configuration]["webhooks"]
    assert webhook["name"] == WEBHOOK
    assert webhook["failurePolicy"] == "Ignore"
    reference = webhook["clientConfig"]["service"]
    service = of_kind["Service", reference["name"]]
    assert (reference["name"], reference["namespace"]) == (SERVICE, service["metadata"]["namespace"])
    (port,) = (port for port in service["spec"]["ports"] if port["port"] == reference["port"])
    template = of_kind["Deployment", "integration-operator"]["spec"]["template"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    (container,) = template["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports[port["targetPort"]] == Settings().admission_port
    assert {"probe", "metrics"} <= ports.keys()
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    assert load({}, None).admission
    assert "--leader-elect" in container["args"]


async def test_the_operator_of_some_namespaces(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The overlay of docs/settings.md has Roles alone, and the namespaces that the operator is told to watch."""
    documents = build(overlay_of_namespaces(tmp_path, ["shop", "fuse"]))
    await accepted(world, documents, tmp_path)
    assert not {document["kind"] for document in documents} & {"ClusterRole", "ClusterRoleBinding"}
    roles = {d["metadata"]["namespace"] for d in documents if d["kind"] == "Role"}
    bound = {d["metadata"]["namespace"]: d["subjects"] for d in documents if d["kind"] == "RoleBinding"}
    assert roles == bound.keys() == {"integration-operator", "enmasse-infra", "shop", "fuse"}
    account = {"kind": "ServiceAccount", "name": "integration-operator", "namespace": "integration-operator"}
    assert all(subjects == [account] for subjects in bound.values())
    (deployment,) = (document for document in documents if document["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    assert load({}, None).namespaces == ("shop", "fuse")


@pytest.mark.parametrize("name", [*ALL, *COMPONENTS, "service-monitor"])
def test_every_file_is_used(name: str) -> None:
    directory = DEPLOY / name
    contents = yaml.safe_load(kustomization(directory).read_text())
    used = {*contents["resources"], *(patch["path"] for patch in contents.get("patches", ()) if "path" in patch)}
    assert {file.name for file in directory.iterdir()} - used == {"kustomization.yaml"}


def test_no_operator_takes_its_kinds_with_it() -> None:
    """Deleting the operator with `kubectl delete -k` must not delete every Integration with their kind."""
    for name in OPERATORS:
        assert "CustomResourceDefinition" not in {d["kind"] for d in resources(DEPLOY / name)}
    definitions = resources(DEPLOY / "crds")
    assert {d["kind"] for d in definitions} == {"CustomResourceDefinition"}
    assert len(definitions) == 2


async def test_the_directory_of_the_kinds_can_be_applied_as_it_is(world: World, tmp_path: Path) -> None:
    """`kubectl apply -f crds/` sends every file that ends with .yaml, .yml or .json."""
    files = sorted((DEPLOY.parents[1] / "crds").iterdir())
    sent = [file for file in files if file.suffix in (".yaml", ".yml", ".json")]
    assert len(sent) == 2
    await accepted(world, [d for file in sent for d in yaml.safe_load_all(file.read_text())], tmp_path)


@pytest.mark.parametrize(
    ("name", "lease"), [("base", OPERATOR_LEASE), ("connection-controller", CONNECTION_CONTROLLER_LEASE)]
)
def test_two_replicas_elect_a_leader_by_the_lease_that_they_may_write(name: str, lease: str) -> None:
    documents = resources(DEPLOY / name)
    (deployment,) = [d for d in documents if d["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["spec"]["replicas"] == 2
    assert "--leader-elect" in container["args"]
    (role,) = [d for d in documents if d["kind"] == "Role"]
    assert [rule["resourceNames"] for rule in role["rules"] if "resourceNames" in rule] == [[lease]]
    assert role["metadata"]["namespace"] == deployment["metadata"]["namespace"]


@pytest.mark.parametrize("name", OPERATORS)
def test_permissions_are_for_the_account_that_runs(name: str) -> None:
    documents = resources(DEPLOY / name)
    (deployment,) = [d for d in documents if d["kind"] == "Deployment"]
    account = {
        "kind": "ServiceAccount",
        "name": deployment["spec"]["template"]["spec"]["serviceAccountName"],
        "namespace": deployment["metadata"]["namespace"],
    }
    bindings = [d for d in documents if d["kind"] in ("ClusterRoleBinding", "RoleBinding")]
    roles = {(d["kind"], d["metadata"]["name"]) for d in documents if d["kind"] in ("ClusterRole", "Role")}
    if name == "compatibility":
        beside = [document for directory in IN_ENMASSES_NAMESPACE for document in resources(DEPLOY / directory)]
        bindings += [d for d in beside if d["kind"] == "RoleBinding"]
        roles |= {("Role", d["metadata"]["name"]) for d in beside if d["kind"] == "Role"}
    assert all(binding["subjects"] == [account] for binding in bindings)
    assert {(b["roleRef"]["kind"], b["roleRef"]["name"]) for b in bindings} == roles
