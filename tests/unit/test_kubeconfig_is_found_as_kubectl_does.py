"""Which cluster a command talks to: --kubeconfig, $KUBECONFIG, ~/.kube/config, the pod; merged as kubectl does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from integration_operator.cli import app
from integration_operator.runtime.kubeconfig import ClusterNotFound, KubeconfigInvalid, find, load

LIVE_COMMANDS = (
    ["explain"],
    ["migrate", "--dry-run"],
    ["rotate", "NAME"],
    ["confirm-deletion"],
    ["uninstall", "--dry-run"],
    ["run"],
    ["connection-controller"],
)


def kubeconfig(file: Path, name: str, *, current: str = "", **more: Any) -> Path:
    document = {
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example", **more.get("cluster", {})}}],
        "users": [{"name": name, "user": more.get("user", {"token": name})}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **more.get("context", {})}}],
    }
    if current:
        document["current-context"] = current
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(document))
    return file


def server(found: Any) -> str:
    context = next(c["context"] for c in found.document["contexts"] if c["name"] == found.document["current-context"])
    return str(next(c["cluster"]["server"] for c in found.document["clusters"] if c["name"] == context["cluster"]))


def test_the_flag_goes_before_the_variable_before_the_home_directory(tmp_path: Path) -> None:
    flag = kubeconfig(tmp_path / "flag", "flag", current="flag")
    variable = kubeconfig(tmp_path / "variable", "variable", current="variable")
    kubeconfig(tmp_path / ".kube" / "config", "home", current="home")
    environment = {"HOME": str(tmp_path), "KUBECONFIG": str(variable)}
    assert server(find(flag, None, environment)) == "https://flag.example"
    assert server(find(None, None, environment)) == "https://variable.example"
    for empty in ({"HOME": str(tmp_path)}, {"HOME": str(tmp_path), "KUBECONFIG": ""}):
        assert server(find(None, None, empty)) == "https://home.example"
    assert find(None, None, {"HOME": str(tmp_path / "elsewhere")}) is None, "the pod's service account"


def test_files_of_the_variable_are_merged_and_the_first_to_say_something_wins(tmp_path: Path) -> None:
    one = kubeconfig(tmp_path / "one", "one")
    two = kubeconfig(tmp_path / "two", "two", current="two")
    three = kubeconfig(tmp_path / "three", "one", current="one", cluster={"server": "https://later.example"})
    environment = {"KUBECONFIG": f"{one}:{tmp_path / 'nothing'}:{two}::{three}"}
    assert server(find(None, None, environment)) == "https://two.example"
    assert server(find(None, "one", environment)) == "https://one.example"


def test_an_empty_file_in_the_variable_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    one = kubeconfig(tmp_path / "one", "one", current="one")
    assert server(find(None, None, {"KUBECONFIG": f"{tmp_path / 'empty'}:{one}"})) == "https://one.example"


def test_a_flag_names_one_file_whatever_is_in_its_name(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "a:b", "one", current="one")
    assert server(find(file, None, {})) == "https://one.example"


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    files = {"client-certificate": "c.crt", "tokenFile": "sub/token", "exec": {"command": "./plugin"}}
    file = kubeconfig(tmp_path / "one", "one", current="one", cluster={"certificate-authority": "ca.crt"}, user=files)
    found = load([file])
    (user,) = (u["user"] for u in found.document["users"])
    (cluster,) = (c["cluster"] for c in found.document["clusters"])
    assert cluster["certificate-authority"] == str(tmp_path / "ca.crt")
    assert user["client-certificate"] == str(tmp_path / "c.crt")
    assert user["exec"]["command"] == str(tmp_path / "plugin")
    assert found.token_file == tmp_path / "sub" / "token"
    bare = kubeconfig(tmp_path / "two", "two", current="two", user={"exec": {"command": "aws"}})
    assert load([bare]).document["users"][0]["user"]["exec"]["command"] == "aws", "looked up in $PATH"


def test_an_empty_text_is_as_good_as_none(tmp_path: Path) -> None:
    empty = {"tokenFile": "", "client-certificate": ""}
    file = kubeconfig(tmp_path / "one", "one", current="one", cluster={"certificate-authority": ""}, user=empty)
    found = load([file])
    assert found.token_file is None
    assert "certificate-authority" not in found.document["clusters"][0]["cluster"]


def test_the_namespace_is_that_of_the_context(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "one", "one", current="one", context={"namespace": "shop"})
    assert load([file]).namespace == "shop"
    assert load([kubeconfig(tmp_path / "two", "two", current="two")]).namespace == "default"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server = x\n", "not a kubeconfig"),
        ("- a\n", "not a kubeconfig"),
        ("a: [\n", ":1: not YAML"),
        ("contexts: {a: b}\n", "contexts is not a list"),
        ("contexts: [{context: {}}]\n", "an entry of contexts has no name"),
        ("users: [{name: a, user: token}]\n", "users: user is not a mapping"),
        ("contexts: [{name: a, context: {cluster: c}}]\n", "current-context is not set; name one with --context"),
        ("current-context: b\ncontexts: [{name: a, context: {cluster: c}}]\n", 'no context "b"; it has a'),
        ("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n", 'no cluster "c"'),
        ("\x00\x01", "control characters"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(KubeconfigInvalid) as error:
        find(file, None, {})
    assert str(error.value).startswith(f"--kubeconfig {file}")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterNotFound, match=r"^--kubeconfig /nope: no such file$"):
        find(Path("/nope"), None, {})
    with pytest.raises(ClusterNotFound, match=r"^\$KUBECONFIG /nope: no such file$"):
        find(None, None, {"KUBECONFIG": "/nope:/neither"})


@pytest.mark.parametrize("command", LIVE_COMMANDS, ids=lambda c: c[0])
def test_every_command_that_talks_to_a_cluster_has_both_flags(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    runner = CliRunner()
    result = runner.invoke(app, command)
    assert (result.exit_code, result.stderr) == (
        4,
        "integration-operator: No cluster: tried --kubeconfig, $KUBECONFIG, ~/.kube/config and the pod's service "
        "account.\n",
    )
    result = runner.invoke(app, [*command, "--kubeconfig", "/nope"])
    assert (result.exit_code, result.stderr) == (4, "integration-operator: --kubeconfig /nope: no such file\n")
    file = kubeconfig(tmp_path / ".kube" / "config", "one")
    result = runner.invoke(app, [*command, "--context", "two"])
    assert (result.exit_code, result.stderr) == (
        2,
        f'integration-operator: kubeconfig {file}: no context "two"; it has one\n',
    )


@pytest.mark.parametrize(
    "more",
    [
        {"cluster": {"certificate-authority-data": "bm90IGEgY2VydGlmaWNhdGU="}},
        {"cluster": {"certificate-authority": "nowhere.crt"}},
        {"cluster": {"certificate-authority-data": 7}},
        {"user": {"client-certificate-data": "%", "client-key-data": "%"}},
        {"user": {"auth-provider": {"name": "oidc"}}},
        {"cluster": {"server": 7}},
    ],
    ids=str,
)
def test_credentials_that_cannot_be_used_are_said_in_one_line(tmp_path: Path, more: dict[str, Any]) -> None:
    file = kubeconfig(tmp_path / "config", "one", current="one", **more)
    result = CliRunner().invoke(app, ["explain", "--kubeconfig", str(file)])
    assert result.exit_code == 2, result.output
    assert "kubeconfig" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("written", [7, ["a"], {"a": "b"}])
def test_a_token_file_that_is_no_text_is_none(written: Any, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "one", "one", current="one", user={"tokenFile": written})
    assert load([file]).token_file is None


def test_a_context_without_a_user_has_no_token(tmp_path: Path) -> None:
    file = tmp_path / "one"
    cluster = {"name": "c", "cluster": {"server": "https://one.example"}}
    context = {"name": "c", "context": {"cluster": "c"}}
    file.write_text(yaml.safe_dump({"current-context": "c", "contexts": [context], "clusters": [cluster]}))
    assert load([file]).token_file is None
