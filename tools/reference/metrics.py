"""docs/metrics.md: the metrics of both processes as they are served, with the alerts that use them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import yaml
from prometheus_client import REGISTRY

from integration_operator.domain.model.conditions import OTHER_REASON, State
from integration_operator.manager import ConnectionOperator, Operator
from integration_operator.metrics import ADMISSION_RESULTS, PREFIX
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime import reflector
from integration_operator.runtime.client import Client
from integration_operator.runtime.metrics import RESULTS
from integration_operator.runtime.reflector import WatchEnd
from integration_operator.settings import Settings
from integration_operator.state_metrics import AGES, LEADER_ONLY
from integration_operator.stores import CONNECTION_DELIVERIES, NO_DELIVERY, USER_DELIVERIES
from tools.reference.markdown import GENERATED, code, codes, table

RULES = Path(__file__).parents[2] / "deploy" / "kustomize" / "monitoring" / "prometheus-rule.yaml"

HEAD = f"""\
# Metrics

{GENERATED.format(source="the metrics in operator/integration_operator")}
`/metrics` serves them in Prometheus' text format, on the port of the setting `metrics_port`, for both processes: `run`
and `connection-controller`. `deploy/kustomize/monitoring` has a ServiceMonitor and the [alert rules](runbook.md), and
`deploy/grafana` a dashboard. No label has the name of an object, of a namespace or of a user. A scrape sends no
request and takes [about a millisecond](performance.md#metrics), whatever the number of pairs. With the setting
`metrics_authentication` it [needs a token](status-page.md#who-may-read), and costs two requests a minute.

## Replicas

Of two replicas, the one that leads reports what both know: Integrations, Connections, credentials, guards and circuits
have no series while a process stands by. So `sum by (state) ({PREFIX}_integrations)` is right with any number of
replicas. What each process reports of itself (requests, queue, kinds, memory) is summed over the replicas, or shown by
`pod`. `{PREFIX}_lease_transitions_total` is the same in each: take `max`. The label `job` tells the two processes
apart.

## All metrics

"""

TAIL = """
`promtool check metrics` finds no fault with them. There are no `_created` series. The Python client adds others that
begin with `process_` or `python_`, such as `process_resident_memory_bytes` and `process_start_time_seconds`.

## Labels

"""


LABELS = {
    "age": codes([*(f"under {days} days" for days in AGES), f"{AGES[-1]} days or more"]),
    "cause": f"{codes(get_args(WatchEnd))}: the server ended it after its time, the resourceVersion is too old (410), "
    "all else",
    "code": "HTTP status codes; `1xx` to `5xx` and `other` for uncommon ones; `none` without an answer",
    "component": "`operator`, `connection-controller`",
    "connection_delivery": codes([*CONNECTION_DELIVERIES, NO_DELIVERY]),
    "kind": "the kinds that are read, such as `AddressSpace`, `Syndesis` and `Integration`",
    "le": "upper bounds of a histogram, in seconds",
    "python": "the version of Python",
    "reason": "the [reasons](conditions.md) of the condition that shows the state; "
    f"`{OTHER_REASON}` for one of the API server or of a webhook",
    "resource": "the plural of a kind, with its subresource; an endpoint of Syndesis or Keycloak, without ids",
    "result": f"of a reconcile {codes(RESULTS)}: nothing is left to do, something is, not even that could be "
    f"reported, a defect; of a review {codes(ADMISSION_RESULTS)}",
    "state": f"of an Integration or Connection {codes(get_args(State))}; "
    f"of a kind {codes([state.name.lower() for state in reflector.State])}",
    "system": "`kubernetes` (with EnMasse's aggregated API), `syndesis`, `keycloak`",
    "user_delivery": codes([*USER_DELIVERIES, NO_DELIVERY]),
    "verb": "the HTTP verb, `GET` also for a LIST",
    "version": "the version of the operator",
}
"""The values of each label. A label means the same in all metrics."""


class Described(NamedTuple):
    """A metric; ``name`` is that of its series, without the ``_bucket`` of a histogram."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str
    components: tuple[str, ...]


def described() -> list[Described]:
    """Return all metrics of both processes, by name."""
    return sorted(asyncio.run(_described()))


async def _described() -> list[Described]:
    async def never() -> Any:
        raise AssertionError("nothing is requested")

    settings = Settings()
    processes = {
        "`run`": Operator(Client(never), TemplateFiles(), settings).state,
        "`connection-controller`": ConnectionOperator(Client(never), settings).state,
    }
    found: dict[str, tuple[Any, list[str]]] = {}
    for component, state in processes.items():
        for family in state.collect():
            found.setdefault(family.name, (family, []))[1].append(component)
    for instrument in set(REGISTRY._collector_to_names):
        for family in instrument.collect():
            if family.name.startswith(PREFIX):
                admission = family.name.startswith(f"{PREFIX}_admission")
                found[family.name] = instrument, ["`run`"] if admission else [*processes]
    return [
        Described(
            f"{name}_total" if _type(metric) == "counter" else name,
            _type(metric),
            tuple(metric._labelnames),
            metric._documentation if hasattr(metric, "_documentation") else metric.documentation,
            tuple(components),
        )
        for name, (metric, components) in found.items()
    ]


def _type(metric: Any) -> str:
    return str(metric._type if hasattr(metric, "_type") else metric.type)


def alerts_by_metric() -> Mapping[str, list[str]]:
    """Return the names of the alerts that use each metric."""
    by_metric: dict[str, list[str]] = {}
    for group in yaml.safe_load(RULES.read_text())["spec"]["groups"]:
        for rule in group["rules"]:
            for name in sorted(set(re.findall(rf"\b{PREFIX}_\w+", rule["expr"]))):
                by_metric.setdefault(re.sub("_(bucket|sum|count)$", "", name), []).append(rule["alert"])
    return by_metric


def page() -> str:
    """Return the text of the page."""
    alerts = alerts_by_metric()
    head = ("metric", "type", "labels", "meaning", "served by", "alerts")
    rows = [_row(metric, alerts.get(metric.name, [])) for metric in described()]
    labels = [(code(label), text) for label, text in sorted(LABELS.items())]
    return f"{HEAD}{table(head, rows)}{TAIL}{table(('label', 'values'), labels)}"


def _row(metric: Described, alerts: list[str]) -> tuple[str, ...]:
    meaning = metric.help.replace(f" {LEADER_ONLY}", " Leader only.")
    links = ", ".join(f"[{alert}](runbook.md#{alert.lower()})" for alert in alerts)
    served = "both" if len(metric.components) > 1 else metric.components[0]
    return code(metric.name), metric.type, codes(metric.labels), meaning, served, links
