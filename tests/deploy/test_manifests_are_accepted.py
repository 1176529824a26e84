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
from integration_operator.runtime.errors import Forbidden
from integration_operator.settings import Settings, load
from integration_operator_sandbox.controlplane.users import NAMESPACE
from tests.support import helm, olm
from tests.support.documents import Document
from tests.support.gitops import Kubectl
from tests.support.kustomize import DEPLOY, build, overlay_of_namespaces
from tests.support.prometheus_operator import install_kinds
from tests.support.world import World

OPERATORS = ("base", "compatibility", "connection-controller")
IN_ENMASSES_NAMESPACE = ("authentication-services", "configmaps", "keycloak")
ALL = (
    *(*OPERATORS, "namespaced", "watched-namespace", "proof-of-concept", *IN_ENMASSES_NAMESPACE),
    *("crds", "tenants", "admission-policy"),
)
COMPONENTS = (
    *("admission", "priority-class"),
    *("authenticated-metrics", "authenticated-metrics-connection-controller"),
)


@pytest.mark.parametrize("name", ALL)
async def test_every_document(world: World, tmp_path: Path, name: str) -> None:
    documents = build(DEPLOY / name)
    kinds = {document["kind"] for document in documents}
    if name in OPERATORS:
        assert {"Deployment", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"} <= kinds
    await accepted(world, documents, tmp_path)


@pytest.mark.parametrize("values", sorted((helm.CHART / "ci").iterdir()), ids=lambda file: file.stem)
async def test_every_document_of_the_chart(world: World, tmp_path: Path, values: Path) -> None:
    install_kinds(world)
    await accepted(world, helm.rendered(yaml.safe_load(values.read_text())), tmp_path)


@pytest.mark.parametrize("targets", [(), ("shop", "fuse")], ids=["all", "targets"])
async def test_every_document_of_the_bundle(world: World, tmp_path: Path, targets: tuple[str, ...]) -> None:
    await accepted(world, olm.installed(NAMESPACE, targets=targets), tmp_path)


async def test_what_the_prometheus_operator_reads(world: World, tmp_path: Path) -> None:
    """The ServiceMonitor selects the Services of both processes, and a port that they have."""
    install_kinds(world)
    documents = build(DEPLOY / "monitoring")
    await accepted(world, documents, tmp_path)
    (monitor,) = [document for document in documents if document["kind"] == "ServiceMonitor"]
    (expression,) = monitor["spec"]["selector"]["matchExpressions"]
    (endpoint,) = monitor["spec"]["endpoints"]
    services = [d for name in ("base", "connection-controller") for d in build(DEPLOY / name) if d["kind"] == "Service"]
    assert {d["metadata"]["labels"][expression["key"]] for d in services} == set(expression["values"])
    assert all([port["name"] for port in d["spec"]["ports"]] == [endpoint["port"]] for d in services)
    assert {d["metadata"]["namespace"] for d in services} == {monitor["metadata"]["namespace"]}


async def test_pods_run_where_only_restricted_ones_may(world: World) -> None:
    """By the Pod Security Standard `restricted`. OpenShift's SCC also chooses the user, which no pod sets."""
    namespace = await world.namespace("restricted")
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    await world.kubectl.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": enforced}})
    everything = yaml.safe_load((helm.CHART / "ci" / "everything-values.yaml").read_text())
    documents = [*build(DEPLOY / "base"), *build(DEPLOY / "connection-controller"), *helm.rendered(everything)]
    templates = [d["spec"]["template"] for d in documents if d["kind"] == "Deployment"]
    assert len(templates) == 4
    pods = f"/api/v1/namespaces/{namespace}/pods"
    await world.kubectl.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "runner"}})
    for template in templates:
        pod = {"metadata": {"generateName": "pod-"}, "spec": {**template["spec"], "serviceAccountName": "runner"}}
        pod["spec"].pop("priorityClassName", None)  # it does not exist here
        await world.kubectl.post(pods, pod)
        assert "runAsUser" not in str(pod)
        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
        with pytest.raises(Forbidden, match="restricted"):
            await world.kubectl.post(pods, pod)


async def accepted(world: World, documents: list[Document], directory: Path) -> None:
    """Check that the API server takes all documents, by `kubectl apply` with strict validation and without effect."""
    await world.ensure_namespaces(*(d["metadata"]["namespace"] for d in documents if "namespace" in d["metadata"]))
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
    """The overlay of docs/installing.md has Roles alone, and the namespaces that the operator is told to watch."""
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


@pytest.mark.parametrize("name", [*ALL, *COMPONENTS, "monitoring"])
def test_every_file_is_used(name: str) -> None:
    directory = DEPLOY / name
    (file,) = (file for file in directory.iterdir() if file.name.lower().startswith("kustomization"))
    contents = yaml.safe_load(file.read_text())
    used = {*contents["resources"], *(patch["path"] for patch in contents.get("patches", ()) if "path" in patch)}
    assert {file.name for file in directory.iterdir()} - used == {file.name}


def test_no_operator_takes_its_kinds_with_it() -> None:
    """Deleting the operator with `kubectl delete -k` must not delete every Integration with their kind."""
    for name in OPERATORS:
        assert "CustomResourceDefinition" not in {d["kind"] for d in build(DEPLOY / name)}
    definitions = build(DEPLOY / "crds")
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
    documents = build(DEPLOY / name)
    (deployment,) = [d for d in documents if d["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["spec"]["replicas"] == 2
    assert "--leader-elect" in container["args"]
    (role,) = [d for d in documents if d["kind"] == "Role"]
    assert [rule["resourceNames"] for rule in role["rules"] if "resourceNames" in rule] == [[lease]]
    assert role["metadata"]["namespace"] == deployment["metadata"]["namespace"]


@pytest.mark.parametrize("name", OPERATORS)
def test_permissions_are_for_the_account_that_runs(name: str) -> None:
    documents = build(DEPLOY / name)
    (deployment,) = [d for d in documents if d["kind"] == "Deployment"]
    account = {
        "kind": "ServiceAccount",
        "name": deployment["spec"]["template"]["spec"]["serviceAccountName"],
        "namespace": deployment["metadata"]["namespace"],
    }
    bindings = [d for d in documents if d["kind"] in ("ClusterRoleBinding", "RoleBinding")]
    roles = {(d["kind"], d["metadata"]["name"]) for d in documents if d["kind"] in ("ClusterRole", "Role")}
    if name == "compatibility":
        beside = [document for directory in IN_ENMASSES_NAMESPACE for document in build(DEPLOY / directory)]
        bindings += [d for d in beside if d["kind"] == "RoleBinding"]
        roles |= {("Role", d["metadata"]["name"]) for d in beside if d["kind"] == "Role"}
    assert all(binding["subjects"] == [account] for binding in bindings)
    assert {(b["roleRef"]["kind"], b["roleRef"]["name"]) for b in bindings} == roles
