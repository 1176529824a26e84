"""Settings: which one takes precedence, and how a wrong one is reported."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from integration_operator.cli.flags import command_with_settings
from integration_operator.cli.run import run
from integration_operator.settings import Settings, SettingsError, load


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
        ("qps: 1\nworkers: many\n", ":2: workers must be a whole number (got many)"),
        ("workers: 0\n", ":1: workers must be at least 1 (got 0)"),
        ("\nworkers: 257\n", ":2: workers must be at most 256 (got 257)"),
        ("qps: .nan\n", ":1: qps must be "),
        ("enable_new: perhaps\n", ":1: enable_new must be true or false (got perhaps)"),
        ("profile: [native]\n", ":1: profile must be one of native, poc (got ['native'])"),
        ("nothing: 1\n", ":1: nothing: no such setting"),
        ("qps: 1\nwrokers: 1\n", ":2: wrokers: no such setting; did you mean workers?"),
        ("bind-address: a\n", ":1: bind-address: no such setting; did you mean bind_address?"),
        ("qps: 1\nqps: 2\n", ":2: qps is already set on line 1"),
        ("qps: 1\n---\nqps: 2\n", ":3: a second document"),
        ("1: 2\n", ":1: 1: no such setting"),
        ("pairing_rules: [magic]\n", ":1: pairing_rules: there is no rule 'magic'"),
        ("pairing_rules: []\n", ":1: pairing_rules: name at least one"),
        ("pairing_rules: 3\n", ":1: pairing_rules must be a list, or text with commas (got 3)"),
        ("namespaces: {a: b}\n", ":1: namespaces must be a list, or text with commas (got {'a': 'b'})"),
        ("a: [\n", "not YAML"),
        ("- a\n", ":1: must be a mapping of settings, not a list"),
        ("[]\n", ":1: must be a mapping of settings, not a list"),
        ("- {workers: 1}\n", ":1: must be a mapping of settings, not a list"),
        ("workers\n", ":1: must be a mapping of settings, not text"),
        ("syndesis_url: ftp://x\n", ":1: syndesis_url must be a URL"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as error:
        load({}, file)
    assert str(error.value).startswith(str(file))
    assert said in str(error.value)


def test_a_wrong_variable_or_flag_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as error:
        load({"log_level": "loud"}, None)
    assert str(error.value) == "--log-level must be one of debug, info, warning, error (got loud)"
    with pytest.raises(SettingsError) as error:
        load({"workers": 0}, None)
    assert str(error.value) == "--workers must be at least 1 (got 0)"
    with pytest.raises(SettingsError) as error:
        load({"pairing_rules": "magic"}, None)
    assert str(error.value).startswith("--pairing-rules: there is no rule 'magic'")
    monkeypatch.setenv("INTEGRATION_OPERATOR_QPS", "fast")
    with pytest.raises(SettingsError) as error:
        load({}, None)
    assert str(error.value) == "INTEGRATION_OPERATOR_QPS must be a number (got fast)"


def test_the_source_that_counts_is_the_one_that_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("workers: 3\n")
    monkeypatch.setenv("INTEGRATION_OPERATOR_WORKERS", "0")
    with pytest.raises(SettingsError, match=r"^INTEGRATION_OPERATOR_WORKERS must be at least 1 \(got 0\)$"):
        load({}, file)


def test_a_misspelt_variable_is_said_with_the_right_name() -> None:
    with pytest.raises(SettingsError) as error:
        load({}, None, {"INTEGRATION_OPERATOR_WROKERS": "3"})
    said = "INTEGRATION_OPERATOR_WROKERS: no such setting; did you mean INTEGRATION_OPERATOR_WORKERS?"
    assert str(error.value) == said
    with pytest.raises(SettingsError, match=r"no such setting$"):
        load({}, None, {"INTEGRATION_OPERATOR_X": "3"})


@pytest.mark.parametrize(
    "variable",
    [
        "INTEGRATION_OPERATOR_SERVICE_HOST",
        "INTEGRATION_OPERATOR_SERVICE_PORT_METRICS",
        "INTEGRATION_OPERATOR_PORT",
        "INTEGRATION_OPERATOR_PORT_8081_TCP_ADDR",
        "INTEGRATION_OPERATOR_WEBHOOK_SERVICE_PORT",
    ],
)
def test_what_the_kubelet_sets_for_a_service_is_no_setting(variable: str) -> None:
    assert load({}, None, {variable: "tcp://10.0.0.1:8081"}).workers == 32
    if variable.endswith("_PORT"):
        with pytest.raises(SettingsError, match="did you mean INTEGRATION_OPERATOR_PROBE_PORT"):
            load({}, None, {"INTEGRATION_OPERATOR_PROB_PORT": "8080"})


def test_a_missing_file_is_said(file: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load({}, file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("workers: 3\n".encode("utf-16"), "UTF-16 text"),
        (b"qps: 1\n# \xe4\n", ":2: not UTF-8"),
        (b"a: \x00", "control characters"),
    ],
    ids=["UTF-16", "Latin-1", "control characters"],
)
def test_a_file_that_is_no_text_is_said(file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=said):
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


@pytest.mark.parametrize("url", ["http://s/api/v1", "http://s/api/v1/", "http://s/", "http://s"])
def test_the_path_of_the_api_is_taken_off_a_url(url: str) -> None:
    """`local syndesis` prints the URL with the path, and so does Syndesis's own documentation."""
    assert load({"syndesis_url": url}, None).syndesis_url == "http://s"


def test_every_setting_is_a_flag() -> None:
    flags = set(inspect.signature(command_with_settings(run)).parameters)
    assert set(Settings.model_fields) == flags - {"config"}
