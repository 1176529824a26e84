"""Print deploy/grafana/integration-operator.json, a dashboard for Grafana: `make dashboard` writes the file.

Usage: tools/dashboard.py

A panel is a line here: title, unit, and an expression with a legend for each series. The variables `datasource`,
`namespace` and `job` are chosen at the top of the dashboard.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]

SELECTED = 'namespace=~"$namespace",job=~"$job"'
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT = 24, 8
SCHEMA_VERSION = 39
"""The version of the dashboard's JSON that Grafana 10 writes; later releases migrate it."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel with its expressions and their legends; ``$$`` is the prefix of metrics, ``@`` the selected labels."""

    title: str
    series: tuple[tuple[str, str], ...]
    text: str = ""
    unit: str = "short"
    kind: str = "timeseries"
    stacked: bool = False
    width: int = 8


def one(title: str, expression: str, legend: str = "", **options: Any) -> Panel:
    """Return a panel with one expression."""
    return Panel(title, ((expression, legend),), **options)


def quantiles(title: str, metric: str, by: str = "", **options: Any) -> Panel:
    """Return a panel of the median and the 99th percentile of a histogram of seconds."""
    labels = f"le, {by}" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    series = tuple(
        (
            f"histogram_quantile({q}, sum by ({labels}) (rate($${metric}_bucket{{@}}[$__rate_interval])))",
            f"{legend}{name}",
        )
        for q, name in ((0.5, "p50"), (0.99, "p99"))
    )
    return Panel(title, series, unit="s", **options)


ROWS: dict[str, tuple[Panel, ...]] = {
    "Overview": (
        one("Ready", 'sum($$integrations{@,state="ready"})', kind="stat", width=4),
        one(
            "Stalled",
            'sum($$integrations{@,state="stalled"}) or vector(0)',
            kind="stat",
            width=4,
            text="Integrations for which a user has to act.",
        ),
        one("Processes that lead", "sum($$leader{@})", kind="stat", width=4),
        one(
            "Kinds that cannot be read",
            'sum(max by (job, kind) ($$kind_state{@,state="failing"}))',
            kind="stat",
            width=4,
            text="Nothing is decided while a kind that is needed cannot be read.",
        ),
        one("Open circuits", "sum($$circuits_open{@})", kind="stat", width=4, text="Servers that do not answer."),
        one(
            "Firing alerts",
            'count(ALERTS{alertstate="firing",alertname=~"IntegrationOperator.*"}) or vector(0)',
            kind="stat",
            width=4,
        ),
    ),
    "Integrations": (
        one("By state", "sum by (state) ($$integrations{@})", "{{state}}", stacked=True),
        one(
            "What stalled ones wait for",
            'sum by (reason) ($$integrations{@,state="stalled"})',
            "{{reason}}",
            stacked=True,
            text="docs/conditions.md says who acts.",
        ),
        one(
            "What passes by itself",
            'sum by (reason) ($$integrations{@,state=~"reconciling|deleting"})',
            "{{reason}}",
            stacked=True,
        ),
        one(
            "By delivery",
            "sum by (user_delivery, connection_delivery) ($$integrations_delivered{@})",
            "user {{user_delivery}}, connection {{connection_delivery}}",
            stacked=True,
        ),
        one(
            "Connections by state",
            "sum by (state) ($$connections{@})",
            "{{state}}",
            stacked=True,
            text="Of the connection controller.",
        ),
        one("Objects in the stores", "max by (kind) ($$kind_objects{@})", "{{kind}}"),
    ),
    "Reconciling": (
        one(
            "Reconciles by result",
            "sum by (result) (rate($$reconciles_total{@}[$__rate_interval]))",
            "{{result}}",
            unit="ops",
        ),
        quantiles("Duration of a reconcile", "reconcile_seconds"),
        quantiles("Time in the queue", "queue_seconds", text="From a change until a worker looks at it."),
        Panel(
            "Queue",
            (
                ("sum($$queue_depth{@})", "ready"),
                ("sum($$queue_retrying{@})", "failed and tried again"),
                ("sum(rate($$queue_retries_total{@}[$__rate_interval]))", "retries a second"),
            ),
        ),
        one("Longest running reconcile", "max by (pod) ($$longest_running_reconcile_seconds{@})", "{{pod}}", unit="s"),
        one(
            "Admission reviews",
            "sum by (result) (rate($$admission_reviews_total{@}[$__rate_interval]))",
            "{{result}}",
            unit="ops",
        ),
    ),
    "Requests": (
        one(
            "Requests by system",
            "sum by (system) (rate($$requests_total{@}[$__rate_interval]))",
            "{{system}}",
            unit="reqps",
        ),
        one(
            "Errors by system and code",
            'sum by (system, code) (rate($$requests_total{@,code!~"2.."}[$__rate_interval]))',
            "{{system}} {{code}}",
            unit="reqps",
            text="404 and 409 are part of normal work.",
        ),
        quantiles("Duration by system", "request_seconds", "system"),
        one(
            "Requests to the API server",
            'sum by (verb, resource) (rate($$requests_total{@,system="kubernetes"}[$__rate_interval]))',
            "{{verb}} {{resource}}",
            unit="reqps",
            text="At rest, only the leader's renewals of its Lease.",
        ),
        one("Open circuits by system", "sum by (system) ($$circuits_open{@})", "{{system}}"),
    ),
    "Sources": (
        one("State of each kind", "max by (kind, state) ($$kind_state{@}) > 0", "{{kind}}: {{state}}", width=8),
        one(
            "Time since the last answer",
            "time() - min by (kind) ($$kind_last_answer_timestamp_seconds{@})",
            "{{kind}}",
            unit="s",
            text="Below five minutes for a watch that works.",
        ),
        one(
            "Restarts of watches",
            "sum by (kind, cause) (increase($$watch_restarts_total{@}[$__rate_interval]))",
            "{{kind}} {{cause}}",
            text="`ended` every few minutes is normal.",
        ),
    ),
    "Guards and credentials": (
        Panel(
            "Guards",
            (
                ("sum by (kind) ($$mass_deletion_held{@})", "held: {{kind}}"),
                ("sum($$teardowns_postponed{@})", "teardowns postponed"),
                ("sum($$offers_exhausted{@})", "namespaces with all offers used"),
            ),
            text="What the operator does not do by itself. All should be 0.",
        ),
        one("Credentials by age", "sum by (age) ($$credentials{@})", "{{age}}", stacked=True),
        one("Overdue rotation", "max($$rotation_overdue_seconds{@})", "overdue", unit="s"),
    ),
    "Processes": (
        one("Leader", "max by (pod) ($$leader{@})", "{{pod}}"),
        one("Changes of leader in an hour", "max by (job) (increase($$lease_transitions_total{@}[1h]))", "{{job}}"),
        one("CPU", "rate(process_cpu_seconds_total{@}[$__rate_interval])", "{{pod}}", unit="percentunit"),
        one("Memory", "process_resident_memory_bytes{@}", "{{pod}}", unit="bytes"),
        one("Open files", "process_open_fds{@}", "{{pod}}"),
        one(
            "Versions",
            "count by (component, version, python) ($$build_info{@})",
            "{{component}} {{version}}, Python {{python}}",
        ),
    ),
}


def dashboard() -> Document:
    """Return the dashboard as Grafana imports it."""
    return {
        "uid": "integration-operator",
        "title": "Integration operator",
        "description": "docs/metrics.md describes the metrics, docs/runbook.md what to do for an alert.",
        "tags": ["enmasse", "syndesis"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "templating": {"list": _variables()},
        "annotations": {"list": []},
        "panels": _panels(),
    }


def _variables() -> list[Document]:
    def of_label(label: str) -> Document:
        query = f"label_values(integration_operator_build_info, {label})"
        return {
            "name": label,
            "type": "query",
            "datasource": DATA_SOURCE,
            "query": {"query": query, "refId": label},
            "definition": query,
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "current": {"text": "All", "value": "$__all"},
        }

    data_source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    return [data_source, of_label("namespace"), of_label("job")]


def _panels() -> list[Document]:
    """Return rows and panels with their ids and places, from the left to the right."""
    panels: list[Document] = []
    y = 0
    for title, row in ROWS.items():
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "gridPos": place, "panels": []})
        x, y = 0, y + 1
        height = HEIGHT // 2 if row[0].kind == "stat" else HEIGHT
        for panel in row:
            if x + panel.width > WIDTH:
                x, y = 0, y + height
            place = {"x": x, "y": y, "w": panel.width, "h": height}
            panels.append({"id": len(panels) + 1, "gridPos": place, **_panel(panel)})
            x += panel.width
        y += height
    return panels


def _panel(panel: Panel) -> Document:
    custom = {"fillOpacity": 10, "stacking": {"mode": "normal" if panel.stacked else "none"}}
    return {
        "type": panel.kind,
        "title": panel.title,
        **({"description": panel.text} if panel.text else {}),
        "datasource": DATA_SOURCE,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, **({"custom": custom} if panel.kind == "timeseries" else {})},
            "overrides": [],
        },
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if panel.kind == "stat" else {},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": DATA_SOURCE,
                "expr": expression.replace("$$", "integration_operator_").replace("@", SELECTED),
                **({"legendFormat": legend} if legend else {}),
            }
            for number, (expression, legend) in enumerate(panel.series)
        ],
    }


if __name__ == "__main__":
    print(json.dumps(dashboard(), indent=2))
