"""Each value of the chart does what its comment says, and a value that does not exist is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_operator.settings import Settings, load
from tests.support import helm
from tests.support.documents import Document
from tools.packaging.values import OF_THE_CHART

VALUES = helm.CHART / "values.yaml"


def environment(documents: list[Document], name: str = "operator") -> dict[str, str]:
    """Return the variables of a container."""
    return {variable["name"]: variable["value"] for variable in helm.container(documents, name).get("env", [])}


def pod(documents: list[Document]) -> Document:
    """Return the template of the operator's pods."""
    (deployment,) = helm.of_kind(documents, "Deployment")
    return dict(deployment["spec"]["template"])


@pytest.mark.parametrize("file", sorted((helm.CHART / "ci").iterdir()), ids=lambda file: file.stem)
def test_the_chart_is_linted(file: Path) -> None:
    assert "0 chart(s) failed" in helm.lint(yaml.safe_load(file.read_text()))


def test_settings_reach_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large numbers, lists, flags and text arrive as they were written."""
    settings: dict[str, Any] = {
        "enable_new": True,
        "list_bytes": 1073741824,
        "mass_delete_share": 0.25,
        "pairing_rules": ["same-namespace", "created-by"],
        "syndesis_url": "http://syndesis.{namespace}.example",
        "namespaces": ["shop", "fuse"],
        "qps": 0,
    }
    for name, value in environment(helm.rendered({"settings": settings})).items():
        monkeypatch.setenv(name, value)
    loaded = load({}, None)
    for name, value in settings.items():
        assert getattr(loaded, name) == (tuple(value) if isinstance(value, list) else value)


def test_the_schema_has_every_setting() -> None:
    with pytest.raises(helm.HelmError) as refused:
        helm.rendered({"settings": dict.fromkeys(Settings.model_fields, "")})
    listed = re.search(r"additional properties (.*) not allowed", str(refused.value))
    assert listed
    assert set(re.findall(r"'(\w+)'", listed[1])) == OF_THE_CHART


@pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        ({"replica": 2}, "", "additional properties 'replica' not allowed"),
        ({"image": {"digest": "sha256:short"}}, "/image/digest", "does not match pattern"),
        ({"settings": {"enable_newest": True}}, "/settings", "additional properties 'enable_newest' not allowed"),
        ({"settings": {"workers": 0}}, "/settings/workers", "minimum: got 0, want 1"),
        ({"settings": {"namespaces": "shop,fuse"}}, "/settings/namespaces", "got string, want array"),
        ({"templates": {"connection.yaml.j2": 1}}, "/templates/connection.yaml.j2", "got number, want string"),
        (
            {"settings": {"namespaces": ["shop"]}, "enmasse": {"aggregatedApi": True}},
            "",
            "enmasse.aggregatedApi needs permissions in the whole cluster",
        ),
    ],
)
def test_a_wrong_value_is_refused(values: Document, path: str, message: str) -> None:
    with pytest.raises(helm.HelmError) as refused:
        helm.rendered(values)
    assert message in str(refused.value)
    assert path in str(refused.value)


def test_the_image() -> None:
    def image(**values: str) -> str:
        return str(helm.container(helm.rendered({"image": values}))["image"])

    assert image(repository="registry.example/operator") == "registry.example/operator:0.1.0"
    assert image(tag="0.2.0") == "integration-operator:0.2.0"
    digest = f"sha256:{'0' * 64}"
    assert image(tag="0.2.0", digest=digest) == f"integration-operator@{digest}"


def test_names_of_a_release() -> None:
    def names(**options: Any) -> set[str]:
        return {d["metadata"]["name"] for d in helm.of_kind(helm.rendered(**options), "Deployment")}

    assert names() == {"integration-operator"}
    assert names(release="one") == {"one-integration-operator"}
    both = {"fullnameOverride": "messaging", "connectionController": {"enabled": True}}
    assert names(values=both, release="one") == {"messaging", "messaging-connection-controller"}


def test_two_releases_share_no_name() -> None:
    """Those of the whole cluster, which the kinds and the roles of tenants are, belong to one of them."""
    values = {"crds": {"enabled": False}, "tenantRoles": False, "connectionController": {"enabled": True}}

    def names(release: str) -> set[tuple[str, str]]:
        return {(d["kind"], d["metadata"]["name"]) for d in helm.rendered(values, release=release)}

    assert not names("one") & names("two")


def test_templates_are_mounted_and_a_change_restarts() -> None:
    def documents(text: str) -> list[Document]:
        return helm.rendered({"templates": {"connection.yaml.j2": text}})

    rendered = documents("kind: Connection\n")
    (config_map,) = helm.of_kind(rendered, "ConfigMap")
    assert config_map["data"] == {"connection.yaml.j2": "kind: Connection\n"}
    (mount,) = helm.container(rendered)["volumeMounts"]
    assert mount["mountPath"] == environment(rendered)["INTEGRATION_OPERATOR_TEMPLATES"]
    (volume,) = pod(rendered)["spec"]["volumes"]
    assert (volume["name"], volume["configMap"]["name"]) == (mount["name"], config_map["metadata"]["name"])
    assert pod(rendered)["metadata"]["annotations"] != pod(documents("other"))["metadata"]["annotations"]


def test_a_certificate_for_the_webhook_is_mounted() -> None:
    issued = {"cert-manager.io/inject-ca-from": "integration-operator/webhook"}
    values = {"admission": {"enabled": True, "certificateSecret": "webhook", "annotations": issued}}
    rendered = helm.rendered(values, release="one", namespace="messaging")
    (mount,) = helm.container(rendered)["volumeMounts"]
    assert mount["mountPath"] == environment(rendered)["INTEGRATION_OPERATOR_ADMISSION_CERTIFICATE"]
    assert pod(rendered)["spec"]["volumes"] == [{"name": mount["name"], "secret": {"secretName": "webhook"}}]
    (configuration,) = helm.of_kind(rendered, "ValidatingWebhookConfiguration")
    assert configuration["metadata"]["annotations"] == issued
    service = configuration["webhooks"][0]["clientConfig"]["service"]
    host = f"{service['name']}.{service['namespace']}.svc"
    assert host == environment(rendered)["INTEGRATION_OPERATOR_ADMISSION_HOST"]
    (condition,) = configuration["webhooks"][0]["matchConditions"]
    (account,) = helm.of_kind(rendered, "ServiceAccount")
    assert f"':{account['metadata']['name']}'" in condition["expression"]


def test_a_service_account_of_your_own() -> None:
    rendered = helm.rendered({"serviceAccount": {"create": False, "name": "messaging"}})
    assert not helm.of_kind(rendered, "ServiceAccount")
    assert pod(rendered)["spec"]["serviceAccountName"] == "messaging"
    subjects = [d["subjects"] for d in rendered if d["kind"] in ("RoleBinding", "ClusterRoleBinding")]
    assert all(subject["name"] == "messaging" for (subject,) in subjects)


@pytest.mark.parametrize(
    ("values", "path", "expected"),
    [
        ({"podAnnotations": {"a": "b"}}, "metadata.annotations", {"a": "b"}),
        ({"podLabels": {"team": "x"}}, "metadata.labels.team", "x"),
        ({"nodeSelector": {"disk": "ssd"}}, "spec.nodeSelector", {"disk": "ssd"}),
        ({"tolerations": [{"key": "infra"}]}, "spec.tolerations", [{"key": "infra"}]),
        ({"affinity": {"nodeAffinity": {}}}, "spec.affinity", {"nodeAffinity": {}}),
        ({"topologySpreadConstraints": [{"maxSkew": 1}]}, "spec.topologySpreadConstraints", [{"maxSkew": 1}]),
        ({"imagePullSecrets": [{"name": "pull"}]}, "spec.imagePullSecrets", [{"name": "pull"}]),
        ({"priorityClass": {"name": "high"}}, "spec.priorityClassName", "high"),
        ({"priorityClass": {"create": True}}, "spec.priorityClassName", "integration-operator"),
    ],
)
def test_of_the_pods(values: Document, path: str, expected: Any) -> None:
    found: Any = pod(helm.rendered(values))
    for key in path.split("."):
        found = found[key]
    assert found == expected


def test_resources_and_variables() -> None:
    values = {
        "resources": {"limits": {"memory": "1Gi"}},
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "image": {"pullPolicy": "Always"},
        "replicas": 1,
    }
    rendered = helm.rendered(values)
    container = helm.container(rendered)
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    assert environment(rendered) == {"TZ": "UTC"}
    assert container["imagePullPolicy"] == "Always"
    assert helm.of_kind(rendered, "Deployment")[0]["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"podDisruptionBudget": {"enabled": False}}, "PodDisruptionBudget"),
        ({"networkPolicy": {"enabled": False}}, "NetworkPolicy"),
        ({"crds": {"enabled": False}}, "CustomResourceDefinition"),
    ],
)
def test_what_can_be_left_out(values: Document, kind: str) -> None:
    assert helm.of_kind(helm.rendered({}), kind)
    assert not helm.of_kind(helm.rendered(values), kind)


def test_the_kinds_stay_unless_a_user_wants_otherwise() -> None:
    def policies(**crds: bool) -> set[str | None]:
        found = helm.of_kind(helm.rendered({"crds": crds}), "CustomResourceDefinition")
        return {(d["metadata"].get("annotations") or {}).get("helm.sh/resource-policy") for d in found}

    assert policies() == {"keep"}
    assert policies(keep=False) == {None}


def test_every_value_is_used_and_described() -> None:
    """A value that no template reads would do nothing, and one without a comment is in no table."""
    templates = "".join(file.read_text() for file in (helm.CHART / "templates").iterdir())
    readme = (helm.CHART / "README.md").read_text()
    rows = set(re.findall(r"^\| `([\w.]+)` \|", readme, re.MULTILINE))
    assert rows
    for path in paths(yaml.safe_load(VALUES.read_text())):
        assert path in rows or path.rpartition(".")[0] in rows, f"{path} has no description"
    for row in rows:
        *_, last = row.split(".")
        assert re.search(rf"\.{last}\b", templates), f"no template reads {row}"


def paths(values: Document, parents: str = "") -> list[str]:
    """Return the paths of all values that are no mappings, or empty ones."""
    found = []
    for key, value in values.items():
        path = f"{parents}{key}"
        found += paths(value, f"{path}.") if isinstance(value, dict) and value and key not in FREE else [path]
    return found


FREE = ("resources",)
"""Mappings that are one value."""
