"""Settings: which one counts, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_operator.settings import SettingsError, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def test_flag_before_environment_before_file_before_default(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("workers: 3\nburst: 3\nqps: 3\n")
    monkeypatch.setenv("INTEGRATION_OPERATOR_WORKERS", "2")
    monkeypatch.setenv("INTEGRATION_OPERATOR_BURST", "2")
    found = load({"workers": 1}, file)
    assert (found.workers, found.burst, found.qps, found.resync_seconds) == (1, 2, 3.0, 600.0)


def test_lists_are_plain_text_everywhere(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("pairing_rules: [created-by]\n")
    assert load({}, file).pairing_rules == ("created-by",)
    monkeypatch.setenv("INTEGRATION_OPERATOR_PAIRING_RULES", "created-by, same-namespace")
    assert load({}, file).pairing_rules == ("created-by", "same-namespace")
    assert load({"pairing_rules": "allowed-namespaces"}, file).pairing_rules == ("allowed-namespaces",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("qps: 1\nworkers: many\n", ":2: workers: "),
        ("workers: 0\n", ":1: workers: "),
        ("nothing: 1\n", ":1: nothing: "),
        ("pairing_rules: [magic]\n", ":1: pairing_rules: there is no rule 'magic'"),
        ("pairing_rules: []\n", ":1: pairing_rules: name at least one"),
        ("a: [\n", "not YAML"),
        ("- a\n", ":1: not a mapping"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as error:
        load({}, file)
    assert str(error.value).startswith(str(file))
    assert said in str(error.value)


def test_a_wrong_variable_or_flag_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"^--log-level: log_level: "):
        load({"log_level": "loud"}, None)
    monkeypatch.setenv("INTEGRATION_OPERATOR_QPS", "fast")
    with pytest.raises(SettingsError, match=r"^INTEGRATION_OPERATOR_QPS: qps: "):
        load({}, None)


def test_a_missing_file_is_said(file: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load({}, file)


def test_an_empty_file_is_fine(file: Path) -> None:
    file.write_text("")
    assert load({}, file).workers == 32


def test_a_profile_presets_and_a_setting_of_ones_own_goes_before_it(tmp_path: Path) -> None:
    poc = load({"profile": "poc"}, None)
    assert (poc.address_spaces, poc.user_delivery, poc.connection_delivery) == ("configmap", "keycloak", "rest")
    assert poc.pairing_rules == ("created-by",)
    assert load({"profile": "poc", "user_delivery": "native"}, None).user_delivery == "native"
    file = tmp_path / "settings.yaml"
    file.write_text("profile: poc\nenmasse_namespace: mine\n")
    assert load({}, file).enmasse_namespace == "mine"
    assert load({}, file).address_spaces == "configmap"
    assert load({}, None).address_spaces == "auto"


@pytest.mark.parametrize("url", ["syndesis", "http://{name}.svc", "ftp://x"])
def test_a_url_of_syndesis_is_checked(url: str) -> None:
    with pytest.raises(SettingsError, match="syndesis-url"):
        load({"syndesis_url": url}, None)
