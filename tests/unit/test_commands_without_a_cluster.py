"""``render``, ``explain`` and ``crds`` from files alone, by the functions that the operator decides with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from integration_operator.cli import app
from tests.support.command_line import Answer
from tests.support.transcripts import matches

SPACE = """
apiVersion: enmasse.io/v1beta1
kind: AddressSpace
metadata: {name: orders, namespace: shop, annotations: {integreatly.org/allowed-namespaces: "fu*"}}
spec: {type: standard, plan: standard-small}
status:
  isReady: true
  endpointStatuses:
  - name: messaging
    serviceHost: messaging.enmasse.svc
    servicePorts: [{name: amqp, port: 5672}]
"""
SYNDESIS = """
apiVersion: syndesis.io/v1beta3
kind: Syndesis
metadata: {name: syndesis, namespace: fuse}
status: {phase: Installed}
"""


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    space, syndesis = tmp_path / "space.yaml", tmp_path / "syndesis.yaml"
    space.write_text(SPACE)
    syndesis.write_text(SYNDESIS)
    return str(space), str(syndesis)


def test_render_prints_what_would_be_applied_with_secrets_masked(files: tuple[str, str]) -> None:
    code, out, _ = run("render", "-f", files[0], "-f", files[1])
    assert code == 0
    documents = {document["kind"]: document for document in yaml.safe_load_all(out)}
    assert list(documents) == ["Integration", "Secret", "MessagingUser", "Connection"]
    assert set(documents["Secret"]["data"].values()) == {"********"}
    assert documents["MessagingUser"]["spec"]["authentication"]["password"] == "********"
    assert documents["Connection"]["spec"]["configuredProperties"]["connectionUri"].startswith("amqp://messaging.")


def test_render_prints_what_it_printed(files: tuple[str, str]) -> None:
    answer = Answer(*run("render", "-f", files[0], "-f", files[1]), seconds=0.0)
    matches("render", "no namespace of a test", ("integration-operator render -f space.yaml -f syndesis.yaml", answer))


def test_render_without_a_pair_says_why(files: tuple[str, str], tmp_path: Path) -> None:
    Path(files[0]).write_text(SPACE.replace("fu*", "other"))
    code, out, err = run("render", "-f", files[0], "-f", files[1])
    assert (code, out) == (3, "")
    command = "kubectl annotate addressspace orders -n shop --overwrite integreatly.org/allowed-namespaces='other,fuse'"
    assert f"its owner must add it: {command}" in err
    assert run("render", "-f", files[0])[0] == 3


def test_render_of_a_space_that_is_not_ready_says_so(files: tuple[str, str]) -> None:
    Path(files[0]).write_text(SPACE.replace("isReady: true", "isReady: false"))
    code, _, err = run("render", "-f", files[0], "-f", files[1])
    assert code == 3
    assert "AddressSpaceNotReady" in err


def test_render_refuses_what_it_cannot_read(files: tuple[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [")
    code, _, err = run("render", "-f", str(broken))
    assert code == 2
    assert f"{broken}:1" in err
    assert run("render", "-f", str(tmp_path / "nothing.yaml"))[0] == 2
    assert run("render", "-f", files[0], "--templates", str(tmp_path / "nowhere"))[0] == 2


def test_explain_names_the_rule_or_each_reason(files: tuple[str, str]) -> None:
    code, out, _ = run("explain", "-f", files[0], "-f", files[1])
    assert code == 0
    assert "✗ same-namespace: OtherNamespace" in out
    assert "✓ allowed-namespaces: NamespaceAllowed" in out
    code, out, _ = run("explain", "-f", files[0], "-f", files[1], "--pairing-rules", "created-by")
    assert code == 3
    assert "✗ created-by: OtherCreator" in out
    code, out, _ = run("explain", "-f", files[0], "-f", files[1], "-o", "json")
    (found,) = json.loads(out)
    assert found["paired"] is True
    assert [rule["allowed"] for rule in found["rules"]] == [False, True]


def test_unknown_rule_is_refused(files: tuple[str, str]) -> None:
    code, _, err = run("explain", "-f", files[0], "--pairing-rules", "by-magic")
    assert code == 2
    assert "by-magic" in err


def test_version_and_help() -> None:
    assert run("--version")[0] == 0
    code, out, _ = run("--help")
    assert code == 0
    for command in ("run", "render", "explain", "migrate", "rotate", "test", "confirm-deletion", "uninstall", "crds"):
        assert command in out


@pytest.mark.parametrize("flags", [["-A"], ["-n", "shop"], ["--context", "c"], ["--kubeconfig", "/nope"]], ids=" ".join)
def test_flags_of_a_cluster_say_nothing_to_files(files: tuple[str, str], flags: list[str]) -> None:
    code, _, err = run("explain", "-f", files[0], "-f", files[1], *flags)
    assert (code, "instead of a cluster" in err) == (2, True), err


def test_a_namespace_is_a_name() -> None:
    code, _, err = run("explain", "-n", "../../secrets")
    assert (code, "is not the name of a namespace" in err) == (2, True), err


def test_explain_says_what_would_be_done(files: tuple[str, str]) -> None:
    code, out, _ = run("explain", "-f", files[0], "-f", files[1])
    assert (code, "→ create the Integration" in out) == (0, True), out


def test_explain_says_nothing_of_what_is_not_there(files: tuple[str, str]) -> None:
    Path(files[0]).write_text(SPACE.replace("fu*", "other"))
    code, out, _ = run("explain", "-f", files[0], "-f", files[1])
    assert (code, "→" in out) == (3, False), "without a pair and an Integration there is nothing to do"


def test_explain_says_which_of_two_integrations_counts(files: tuple[str, str], tmp_path: Path) -> None:
    spec = {"client": "syndesis", "addressSpaceRef": {"namespace": "shop", "name": "orders"}}
    for number in (1, 2):
        created = f"2024-01-0{number}T00:00:00Z"
        document = {
            "apiVersion": "integreatly.org/v1alpha1",
            "kind": "Integration",
            "metadata": {"name": f"i-{number}", "namespace": "fuse", "creationTimestamp": created},
            "spec": spec,
        }
        (tmp_path / f"i-{number}.yaml").write_text(yaml.safe_dump(document))
    code, out, _ = run("explain", "-f", str(tmp_path))
    assert code == 0
    assert "Integration fuse/i-1 disabled\n" in out
    assert "Integration fuse/i-2 disabled: a duplicate of the first, not used\n" in out


@pytest.mark.parametrize(
    "command",
    [
        *("run", "connection-controller", "render", "explain", "migrate", "rotate", "test", "confirm-deletion"),
        *("uninstall", "crds"),
    ],
)
def test_help_is_in_plain_words(command: str) -> None:
    """A condition is "if" or "when" in help texts, as in Kubernetes' documentation."""
    code, out, _ = run(command, "--help")
    assert code == 0
    assert not re.search(r"\b(where|nobody|somebody|person)\b", out), out
