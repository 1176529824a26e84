"""What -f takes: files, directories, standard input, lists, several documents, and what a server makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from integration_operator.cli import app
from tests.support.builders import integration, syndesis
from tests.support.builders import space as address_space

BOTH = [address_space(), syndesis()]


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def kinds(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [document["kind"] for document in yaml.safe_load_all(result.stdout)]


DELIVERED = ["Integration", "Secret", "MessagingUser", "Connection"]


def test_several_documents_and_lists(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text("---\n" + yaml.safe_dump_all(BOTH) + "---\n")
    assert kinds(run("render", "-f", str(file))) == DELIVERED
    file.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": BOTH}))
    assert kinds(run("render", "-f", str(file))) == DELIVERED
    bare = {key: value for key, value in BOTH[0].items() if key not in ("kind", "apiVersion")}
    typed = {"kind": "AddressSpaceList", "apiVersion": "enmasse.io/v1beta1", "items": [bare]}
    file.write_text(yaml.safe_dump_all([typed, BOTH[1], {"kind": "List", "apiVersion": "v1", "items": None}]))
    assert kinds(run("render", "-f", str(file))) == DELIVERED


def test_standard_input() -> None:
    for command in ("render", "explain"):
        assert run(command, "-f", "-", stdin=yaml.safe_dump_all(BOTH)).exit_code == 0
        wrong = run(command, "-f", "-", stdin="a: [")
        assert (wrong.exit_code, "standard input:1: not YAML" in wrong.stderr) == (2, True)


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "space.yml").write_text(yaml.safe_dump(BOTH[0]))
    (tmp_path / "syndesis.json").write_text(json.dumps(BOTH[1]))
    (tmp_path / "README.md").write_text("a: [")
    assert kinds(run("render", "-f", str(tmp_path))) == DELIVERED


def test_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(yaml.safe_dump_all(BOTH), encoding="utf-8-sig")
    assert kinds(run("render", "-f", str(file))) == DELIVERED


def test_documents_of_other_kinds_and_groups_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    others: list[dict[str, Any]] = [
        {"kind": "Kustomization", "resources": []},
        {"kind": "Integration", "apiVersion": "camel.apache.org/v1", "metadata": {"name": "x"}, "spec": {"flow": 7}},
        {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}, "data": {"a": "b"}},
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}, "data": {"a": "b"}},
    ]  # fmt: skip
    file.write_text(yaml.safe_dump_all([*others, *BOTH]))
    assert kinds(run("render", "-f", str(file))) == DELIVERED


@pytest.mark.parametrize("namespace", [None, ""])
def test_no_namespace_is_the_default_one(namespace: str | None, tmp_path: Path) -> None:
    documents = [{**d, "metadata": {**d["metadata"], "namespace": namespace}} for d in BOTH]
    file = tmp_path / "file.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    assert "namespace: default" in run("render", "-f", str(file)).stdout


def test_string_data_of_a_secret_is_its_data(tmp_path: Path) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "mine", "namespace": "shop", "labels": {"integreatly.org/integration": "yes"}},
        "stringData": {"username": "boss", "password": "from string data"},
    }
    file = tmp_path / "file.yaml"
    brought = integration(enabled=True, credentialsSecretRef={"name": "mine"})
    file.write_text(yaml.safe_dump_all([*BOTH, secret, brought]))
    result = run("render", "-f", str(file))
    assert result.exit_code == 0, result.output
    users = [d for d in yaml.safe_load_all(result.stdout) if d["kind"] == "MessagingUser"]
    assert [user["spec"]["username"] for user in users] == ["boss"]
    del secret["metadata"]["labels"]  # type: ignore[attr-defined]
    file.write_text(yaml.safe_dump_all([*BOTH, secret, brought]))
    assert run("render", "-f", str(file)).exit_code == 3, "the operator sees labelled Secrets only"


def test_a_config_map_of_enmasse_up_to_030_is_an_address_space(tmp_path: Path) -> None:
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "shop.orders", "namespace": "enmasse-infra", "labels": {"type": "address-space"}},
        "data": {"config.json": json.dumps(BOTH[0])},
    }
    file = tmp_path / "file.yaml"
    file.write_text(yaml.safe_dump_all([config_map, BOTH[1]]))
    assert kinds(run("render", "-f", str(file))) == DELIVERED
    assert "AddressSpace shop/orders × Syndesis shop/syndesis: a pair" in run("explain", "-f", str(file)).stdout
