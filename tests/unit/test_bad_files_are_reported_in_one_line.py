"""For any file there is a correct answer, or one line that names the file, and exit code 2; never a traceback."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from integration_operator.cli import app
from integration_operator.cli.explain import explain
from integration_operator.cli.render import render
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime import yaml_documents
from integration_operator.runtime.yaml_documents import MAX_FILE_BYTES, UnreadableFile
from tests.support.builders import integration, syndesis
from tests.support.builders import space as address_space

SPACE, SYNDESIS = address_space(), syndesis()
GOOD = yaml.safe_dump_all([SPACE, SYNDESIS])
COMMANDS = ("render", "explain")


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    """Run a command; whatever it does, it is no traceback, and what it says is one line."""
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert len(result.stderr.splitlines()) <= 1, result.stderr
    return result


def changed(document: dict[str, Any], path: tuple[Any, ...], value: object) -> dict[str, Any]:
    """Return the document with another value at a path."""
    copied = copy.deepcopy(document)
    inside: Any = copied
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = value
    return copied


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("kind: Ä\n".encode("latin-1"), ":1: not UTF-8 text (byte 0xc4)"),
        (GOOD.encode("utf-16"), "UTF-16 text; save it as UTF-8"),
        (b"kind: x\nmetadata: {name: a\x00b}\n", ":2: not YAML: control characters"),
        (b"kind: \x1b[31m\n", ":1: not YAML: control characters"),
        (b"a: [", ":1: not YAML: "),
        (b"a: *b\n", ":1: not YAML: "),
        (b"a: !!python/object:os.system x\n", ":1: not YAML: "),
        (b"a: !!int ''\n", ":1: not YAML: "),
        (b"a: " + b"9" * 5000 + b"\n", ":1: not YAML: "),
        (b"? {a: b}\n: c\n", ":1: not YAML: "),
        (b"&a [*a]\n", ":1: not YAML: a value contains itself"),
        (b"just text\n", ":1: a document without kind"),
        (b"- kind: AddressSpace\n", ":1: a document without kind"),
        (b"kind: 7\n", ":1: a document without kind"),
        (b"kind: List\napiVersion: v1\nitems: 7\n", ":1: items of List is not a list"),
        (b"kind: List\napiVersion: v1\nitems: [7]\n", ":1: a document without kind"),
        (b"---\nkind: Syndesis\napiVersion: syndesis.io/v1beta3\n", ":2: Syndesis: no metadata.name"),
        (b"[" * 100_000, ":1: nested more than 100 levels deep"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_what_is_no_document(command: str, content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_bytes(content)
    result = run(command, "-f", str(file))
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"integration-operator: {file}:")
    assert said.casefold() in result.stderr.casefold()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("metadata", "name"), 1234, "metadata.name is 1234, not text; quote it"),
        (("metadata", "name"), "2024-01-01T00:00:00Z", "metadata.name is"),
        (("metadata", "name"), "a\x1b]0;x\x07", "metadata.name is"),
        (("metadata", "name"), "", "metadata.name is"),
        (("metadata", "namespace"), 7, "metadata.namespace is 7, not text; quote it"),
        (("metadata", "namespace"), "../x", "metadata.namespace is"),
        (("metadata", "annotations"), ["a"], "metadata.annotations is"),
        (("metadata", "annotations"), {"a": True}, "metadata.annotations.a is true, not text; quote it"),
        (("metadata", "labels"), "a", "metadata.labels is"),
        (("metadata", "resourceVersion"), 12, "metadata.resourceVersion is 12, not text; quote it"),
        (("metadata",), [], "no metadata.name"),
        (("spec",), "x", 'spec is "x", not a mapping'),
        (("status",), 7, "status is 7, not a mapping"),
        (("apiVersion",), "", "apiVersion is '', not GROUP/VERSION"),
        (("apiVersion",), 1, "apiVersion is 1, not GROUP/VERSION"),
        (("apiVersion",), "enmasse.io/", "not GROUP/VERSION"),
    ],
)
def test_what_no_api_server_would_take(
    command: str, path: tuple[str, ...], value: object, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(yaml.safe_dump_all([SYNDESIS, changed(SPACE, path, value)]))
    result = run(command, "-f", str(file))
    assert result.exit_code == 2, result.output
    assert f"{file}:" in result.stderr
    assert ": AddressSpace" in result.stderr
    assert said in result.stderr


def test_a_date_is_text_as_kubectl_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    text = GOOD.replace("name: orders", "name: 2024-01-01").replace("namespace: shop", "namespace: shop", 1)
    file.write_text(text)
    result = run("render", "-f", str(file))
    assert (result.exit_code, "name: '2024-01-01'" in result.stdout) == (0, True), result.output


FULL = [
    {**SPACE, "metadata": {**SPACE["metadata"], "uid": "u", "resourceVersion": "1", "labels": {"a": "b"}}},
    SYNDESIS,
    {
        **integration(enabled=True, credentialsSecretRef={"name": "brought"}),
        "status": {
            "phase": "complete",
            "observedGeneration": 1,
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "Ready",
                    "message": "m",
                    "lastTransitionTime": "2024-01-01T00:00:00Z",
                }
            ],
            "delivered": {
                "user": {"delivery": "native"},
                "connection": {"delivery": "rest", "id": "x"},
                "source": "crd",
            },
            "metaData": {"connectionID": "x"},
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "brought",
            "namespace": "shop",
            "labels": {"integreatly.org/integration": "yes"},
            "finalizers": ["f"],
            "managedFields": [
                {
                    "manager": "integration-operator",
                    "operation": "Apply",
                    "fieldsV1": {"f:metadata": {"f:ownerReferences": {'k:{"uid":"u"}': {}}}},
                }
            ],
            "ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": "a", "uid": "u", "controller": True}],
        },
        "data": {"username": "bWU=", "password": "c2VjcmV0"},
    },
    {
        "apiVersion": "user.enmasse.io/v1beta1",
        "kind": "MessagingUser",
        "metadata": {"name": "orders.me", "namespace": "shop"},
        "spec": {"username": "me", "authentication": {"type": "password", "password": "eA=="}, "authorization": []},
        "status": {"phase": "Active", "generation": 1},
    },
    {
        "apiVersion": "syndesis.io/v1alpha1",
        "kind": "Connection",
        "metadata": {"name": "shop.orders.syndesis", "namespace": "shop"},
        "spec": {"connectionId": "x"},
        "status": {"phase": "Error", "conditions": [{"status": "False", "message": "m"}]},
    },
    {
        "apiVersion": "admin.enmasse.io/v1beta1",
        "kind": "AuthenticationService",
        "metadata": {"name": "standard", "namespace": "enmasse-infra"},
        "spec": {"type": "standard"},
    },
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "shop.more", "namespace": "enmasse-infra", "labels": {"type": "address-space"}},
        "data": {"config.json": json.dumps(address_space(name="more"))},
    },
]
WRONG = (None, True, 7, "", "x\x1b[31m", [7], [{}], {"a": 7})


def paths(value: object, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return every place in a document."""
    if at:
        yield at
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from paths(inside, (*at, key))
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            yield from paths(inside, (*at, number))


def exit_code(command: Callable[..., None], file: Path) -> int:
    try:
        command(filename=[file])
    except typer.Exit as ending:
        return ending.exit_code
    return 0


@pytest.mark.parametrize(
    "every", [pytest.param(2, id="by turns"), pytest.param(1, id="both", marks=pytest.mark.faults)]
)
@pytest.mark.parametrize("document", FULL, ids=lambda d: d["kind"])
def test_any_value_in_any_place(
    document: dict[str, Any],
    every: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Replace each value of each kind of document by each wrong one: what follows is an answer or one line.

    ``render`` and ``explain`` read each such file, or one of them by turns.
    """
    templates = cache(TemplateFiles)  # compiled once, not 3,000 times
    monkeypatch.setattr("integration_operator.rendering.templates.TemplateFiles", templates)
    file = tmp_path / "file.json"
    others = [other for other in FULL if other is not document]
    for at, path in enumerate(paths(document)):
        for number, value in enumerate(WRONG):
            items = [*others, changed(document, path, value)]
            file.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": items}))
            for command in (render, explain)[(at + number) % every :: every]:
                code = exit_code(command, file)
                out, err = capsys.readouterr()
                assert code in (0, 2, 3), (path, value, err)
                assert (code == 0) == (err == ""), (path, value, err)
                assert "\x1b" not in out + err, (path, value, out, err)


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)),
        "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 30)),
    ],
    ids=["aliases", "merge keys"],
)
def test_aliases_that_stand_for_gigabytes_are_refused_before_they_are_built(text: str, tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(f"kind: AddressSpace\n{text}")
    began = time.monotonic()
    result = run("render", "-f", str(file))
    assert (result.exit_code, time.monotonic() - began < 2) == (2, True), result.output
    assert "its aliases expand to more than 1,000,000 values" in result.stderr


def test_aliases_that_stand_for_little_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    text = yaml.safe_dump({"kind": "List", "apiVersion": "v1", "items": [SPACE, SYNDESIS]})
    anchored = text.replace("namespace: shop", "namespace: &n shop", 1).replace("namespace: shop", "namespace: *n")
    assert "*n" in anchored
    file.write_text(anchored)
    assert run("explain", "-f", str(file)).exit_code == 0


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    with file.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)
    result = run("render", "-f", str(file))
    assert (result.exit_code, "larger than 64 MiB" in result.stderr) == (2, True), result.output


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    result = run("render", "-f", str(tmp_path / "nothing.yaml"))
    assert result.stderr == f"integration-operator: {tmp_path}/nothing.yaml: no such file\n"
    good = tmp_path / "good" / "file.yaml"
    good.parent.mkdir()
    good.write_text(GOOD)
    for flag in ("-f", "--templates"):
        result = run("render", "-f", str(good), flag, "x" * 5000)
        assert (result.exit_code, "file name too long" in result.stderr) == (2, True), result.output
    assert run("render", "-f", str(tmp_path)).stderr.startswith(f"integration-operator: {tmp_path}: no file in it ends")


def test_a_wrong_spec_of_an_integration_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(yaml.safe_dump_all([SPACE, SYNDESIS, integration(enabled="yes please")]))
    result = run("render", "-f", str(file))
    assert result.exit_code == 2
    assert "Integration shop/mine: spec.enabled: " in result.stderr
    assert "InvalidSpec: spec.enabled: " in run("explain", "-f", str(file)).stdout


def test_only_a_number_in_place_of_text_is_to_be_quoted(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    for path, value in ((("status",), 7), (("metadata", "labels"), 1.5), (("metadata", "uid"), ["a"])):
        file.write_text(yaml.safe_dump_all([SYNDESIS, changed(SPACE, path, value)]))
        result = run("render", "-f", str(file))
        assert f"{path[-1]} is " in result.stderr
        assert "quote it" not in result.stderr


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file.yaml"
    monkeypatch.setattr(yaml_documents, "MAX_FILE_BYTES", 1024**2)
    file.write_bytes(b"#" * 1024**2)
    assert len(yaml_documents.read_text(file)) == 1024**2
    file.write_bytes(b"#" * (1024**2 + 1))
    with pytest.raises(UnreadableFile, match="larger than 1 MiB"):
        yaml_documents.read_text(file)


def test_aliases_may_expand_to_exactly_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x [1, 2]\nb: *x\n"
    monkeypatch.setattr(yaml_documents, "MAX_ALIASED_VALUES", 3)
    assert list(yaml_documents.documents(text, "file")) == [(1, {"a": [1, 2], "b": [1, 2]})]
    monkeypatch.setattr(yaml_documents, "MAX_ALIASED_VALUES", 2)
    with pytest.raises(UnreadableFile, match=r"^file:2: its aliases expand to more than 2 values"):
        list(yaml_documents.documents(f"\n{text}", "file"))


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ("{a: ", "}")])
def test_a_document_may_have_exactly_so_many_levels(left: str, right: str) -> None:
    def nested(levels: int) -> str:
        return f"---\n{left * levels}{right * levels}\n"

    assert len(list(yaml_documents.documents(nested(100) * 2, "file"))) == 2, "each document counts for itself"
    with pytest.raises(UnreadableFile, match=r"^file:4: nested more than 100 levels deep"):
        list(yaml_documents.documents(f"---\na: b\n{nested(101)}", "file"))
