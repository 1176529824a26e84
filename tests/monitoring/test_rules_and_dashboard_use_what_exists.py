"""Rules and dashboard are valid, name metrics and labels that exist, and each alert has its section of the runbook."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_operator.domain.model.reasons import REASONS, Effect
from tests.support.alert_rules import rules, rules_file
from tests.support.go_programs import BUILD_TIMEOUT
from tests.support.promtool import promtool
from tools.reference import metrics

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT + 180)

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy" / "grafana" / "integration-operator.json"
RUNBOOK = ROOT / "docs" / "runbook.md"

TARGET = frozenset({"namespace", "job", "pod", "instance"})
"""Labels that Prometheus adds to the series of a process."""

DESCRIBED = {metric.name: metric for metric in metrics.described()}
CLIENT = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_start_time_seconds",
}
"""Metrics of the Python client that are used."""

SERIES = re.compile(r"\b((?:integration_operator|process)_\w+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Yield each expression of rules and dashboard, with where it is."""
    for name, rule in rules().items():
        yield name, rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]


EXPRESSIONS = dict(expressions())


def labels_of(series: str) -> set[str]:
    """Return the labels that a series has, without those of the target."""
    name = re.sub("_(bucket|sum|count)$", "", series)
    if name in CLIENT:
        return set()
    metric = DESCRIBED[name if name in DESCRIBED else series]
    return {*metric.labels, *(("le",) if series.endswith("_bucket") else ())}


def test_the_rules_are_valid(tmp_path: Path) -> None:
    assert f"SUCCESS: {len(rules())} rules found" in promtool("check", "rules", "--lint-fatal", rules_file(tmp_path))


def test_each_expression_of_the_dashboard_is_valid(tmp_path: Path) -> None:
    targets = [target["expr"] for panel in panels() for target in panel["targets"]]
    plain = [expr.replace("$__rate_interval", "5m") for expr in targets]
    recorded = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(plain)]
    file = tmp_path / "dashboard.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    assert f"SUCCESS: {len(recorded)} rules found" in promtool("check", "rules", file)


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_each_metric_exists_with_these_labels(where: str) -> None:
    expression = EXPRESSIONS[where]
    used = SERIES.findall(expression)
    assert used or "ALERTS" in expression
    known: set[str] = set()
    for series, matchers in used:
        matched = set(re.findall(r"(\w+)[=!]", matchers))
        assert matched <= labels_of(series) | TARGET, series
        known |= labels_of(series)
    for grouping in GROUPING.findall(expression):
        assert {label.strip() for label in grouping.split(",")} <= known | TARGET, grouping


def test_each_metric_is_on_the_dashboard_or_in_a_rule() -> None:
    used = {re.sub("_(bucket|sum|count)$", "", s) for e in EXPRESSIONS.values() for s, _ in SERIES.findall(e)}
    assert DESCRIBED.keys() - used == {"integration_operator_kind_synced"}, "kind_state says more; it is kept"


def test_each_label_is_described() -> None:
    assert {label for metric in DESCRIBED.values() for label in metric.labels} | {"le"} == metrics.LABELS.keys()


def test_each_alert_says_how_urgent_it_is_and_leads_to_its_section() -> None:
    sections = re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert sections == list(rules()), "the order is that of the rules"
    for name, rule in rules().items():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"


def test_each_section_says_what_it_means_and_what_to_do() -> None:
    for section in RUNBOOK.read_text().split("\n## ")[1:]:
        for part in ("**Meaning.**", "**See.**", "**Do.**", "**Passes by itself"):
            assert section.count(part) == 1, (section.partition("\n")[0], part)
        assert "`" in section.partition("**See.**")[2], "a command or a query"


def test_the_runbook_and_the_settings_link_to_what_exists() -> None:
    for page in (RUNBOOK, ROOT / "docs" / "metrics.md"):
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            path, _, anchor = target.partition("#")
            file = (page.parent / path) if path else page
            assert file.exists(), target
            if anchor and file.suffix == ".md":
                headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
                anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in anchors, target


def test_the_alert_for_administrators_names_their_reasons() -> None:
    (pattern,) = re.findall(r'reason=~"([^"]*)"', rules()["IntegrationOperatorAdministratorNeeded"]["expr"])
    steps = {reason.name: reason.next_step for reason in REASONS if reason.effect is Effect.USER}
    for name in pattern.split("|"):
        assert re.search("administrator|report it", steps[name]), name


def test_no_two_panels_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in json.loads(DASHBOARD.read_text())["panels"]]
    assert len(ids) == len(set(ids))
