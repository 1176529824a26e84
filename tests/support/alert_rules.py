"""The shipped alert rules, and promtool's answer to the question which of them fire on a history of series."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.promtool import promtool

MANIFEST = Path(__file__).parents[2] / "deploy" / "kustomize" / "monitoring" / "prometheus-rule.yaml"

History = Mapping[str, str]
"""Values of each series, one a minute, in promtool's notation: ``1x20`` is 1 for 20 minutes, ``0+5x9`` grows by 5."""


@cache
def rules() -> dict[str, dict[str, Any]]:
    """Return the alert rules by name."""
    return {rule["alert"]: rule for group in _groups() for rule in group["rules"]}


def _groups() -> list[dict[str, Any]]:
    return list(yaml.safe_load(MANIFEST.read_text())["spec"]["groups"])


def rules_file(directory: Path) -> Path:
    """Write the rules as Prometheus reads them."""
    file = directory / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": _groups()}))
    return file


def check_firing(directory: Path, history: History, at: str, expected: Mapping[str, int]) -> None:
    """Check that exactly these alerts fire at a time, each for so many label sets."""
    expression = 'count by (alertname) (ALERTS{alertstate="firing"})'
    samples = [{"labels": f'{{alertname="{name}"}}', "value": count} for name, count in expected.items()]
    test = {
        "rule_files": [str(rules_file(directory))],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": values} for series, values in history.items()],
                "promql_expr_test": [{"expr": expression, "eval_time": at, "exp_samples": samples}],
            }
        ],
    }
    file = directory / "test.yaml"
    file.write_text(json.dumps(test))
    promtool("test", "rules", file)
