"""Each alert fires for what it is for, alone, and is quiet before that has lasted, and for what looks like it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.alert_rules import check_firing, rules
from tests.support.go_programs import BUILD_TIMEOUT

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT + 180)

POD = 'namespace="ops",job="operator",pod="a",instance="10.0.0.1:8081"'
API = 'system="kubernetes",verb="PATCH",resource="secrets"'
STANDBY = 'namespace="ops",job="operator",pod="b",instance="10.0.0.2:8081"'


def series(name: str, labels: str = "", *, pod: str = POD) -> str:
    """Return the notation of a series of one process."""
    return f"integration_operator_{name}{{{','.join(filter(None, (pod, labels)))}}}"


HEALTHY = {
    series("build_info", 'component="operator"'): "1x300",
    series("build_info", 'component="operator"', pod=STANDBY): "1x300",
    series("leader"): "1x300",
    series("leader", pod=STANDBY): "0x300",
    series("lease_transitions_total"): "7x300",
    series("lease_transitions_total", pod=STANDBY): "7x300",
    f"process_start_time_seconds{{{POD}}}": "1000x300",
    series("kind_state", 'kind="Syndesis",state="failing"'): "0x300",
    series("kind_state", 'kind="Connection",state="absent"'): "1x300",
    series("kind_last_answer_timestamp_seconds", 'kind="Syndesis"'): "0+60x300",
    series("reconciles_total", 'result="defect"'): "0x300",
    series("reconciles_total", 'result="retry"'): "0+9x300",
    series("requests_total", 'system="kubernetes",verb="PUT",resource="leases",code="200"'): "0+30x300",
    series("requests_total", 'system="kubernetes",verb="GET",resource="secrets",code="500"'): "0+3x300",
    series("requests_total", 'system="syndesis",verb="GET",resource="connections",code="403"'): "0+30x300",
    series("integrations", 'state="ready",reason="Ready"'): "90x300",
    series("integrations", 'state="disabled",reason="NotEnabled"'): "90x300",
    series("integrations", 'state="stalled",reason="NamespaceNotAllowed"'): "20x300",
    series("rotation_overdue_seconds"): "30x300",
    series("longest_running_reconcile_seconds"): "31x300",
    series("queue_seconds_bucket", 'le="1"'): "0+60x300",
    series("queue_seconds_bucket", 'le="30"'): "0+60x300",
    series("queue_seconds_bucket", 'le="60"'): "0+60x300",
    series("queue_seconds_bucket", 'le="+Inf"'): "0+60x300",
    series("mass_deletion_held", 'kind="Syndesis"'): "0x300",
    series("teardowns_postponed"): "0x300",
    series("offers_exhausted"): "0x300",
    series("circuits_open", 'system="keycloak"'): "0x300",
    series("circuits_open", 'system="syndesis"'): "0x300",
    series("admission_reviews_total", 'result="failed"'): "0x300",
}
"""Two replicas of which one leads, with users who make mistakes and an API server that fails now and then."""


@dataclass(frozen=True)
class Case:
    """What changes in a healthy history at 60 minutes, and after how many more the alert is quiet and fires."""

    history: dict[str, str]
    quiet: int
    fires: int
    count: int = 1


BEFORE = "x60 "
"""The first 60 minutes of a series are as in a healthy history."""

CASES = {
    "IntegrationOperatorAbsent": Case({s: f"1{BEFORE}stale" for s in HEALTHY if "build_info" in s}, 9, 12),
    "IntegrationOperatorNoLeader": Case({series("leader"): f"1{BEFORE}0x60"}, 1, 4),
    "IntegrationOperatorSeveralLeaders": Case({series("leader", pod=STANDBY): f"0{BEFORE}1x60"}, 2, 5),
    "IntegrationOperatorLeaderChanges": Case({series("lease_transitions_total"): f"7{BEFORE}7+1x20"}, 4, 15),
    "IntegrationOperatorRestarts": Case({f"process_start_time_seconds{{{POD}}}": f"1000{BEFORE}1000+100x20"}, 2, 6),
    "IntegrationOperatorKindUnreadable": Case(
        {series("kind_state", 'kind="Syndesis",state="failing"'): f"0{BEFORE}1x60"}, 9, 12
    ),
    "IntegrationOperatorKindStale": Case(
        {series("kind_last_answer_timestamp_seconds", 'kind="Syndesis"'): "0+60x60 3600x60"}, 15, 22
    ),
    "IntegrationOperatorForbidden": Case(
        {
            series(
                "requests_total", 'system="kubernetes",verb="PATCH",resource="secrets",code="403"'
            ): f"0{BEFORE}0+1x60",
        },
        14,
        25,
    ),
    "IntegrationOperatorAPIErrors": Case(
        {
            series(
                "requests_total", 'system="kubernetes",verb="GET",resource="secrets",code="none"'
            ): f"0{BEFORE}0+30x60",
        },
        14,
        30,
    ),
    "IntegrationOperatorDefect": Case({series("reconciles_total", 'result="defect"'): f"0{BEFORE}1x60"}, 0, 2),
    "IntegrationOperatorAdministratorNeeded": Case(
        {
            series("integrations", 'state="stalled",reason="TemplateRefused"'): f"0{BEFORE}3x60",
            series("integrations", 'state="stalled",reason="AdminRefused"'): f"0{BEFORE}3x60",
        },
        14,
        17,
        count=2,
    ),
    "IntegrationOperatorManyStalled": Case(
        {series("integrations", 'state="stalled",reason="SyndesisMalformed"'): f"0{BEFORE}70x60"}, 29, 32
    ),
    "IntegrationOperatorNotProgressing": Case(
        {series("integrations", 'state="reconciling",reason="UserPending"'): f"0{BEFORE}1x200"}, 119, 122
    ),
    "IntegrationOperatorDeletionStuck": Case(
        {series("integrations", 'state="deleting",reason="Ready"'): f"0{BEFORE}1x200"}, 119, 122
    ),
    "IntegrationOperatorRotationOverdue": Case({series("rotation_overdue_seconds"): f"30{BEFORE}3700+60x60"}, 14, 17),
    "IntegrationOperatorReconcileStuck": Case(
        {series("longest_running_reconcile_seconds"): f"31{BEFORE}60+60x60"}, 4, 8
    ),
    "IntegrationOperatorQueueSlow": Case(
        {
            series("queue_seconds_bucket", 'le="1"'): "0+60x60 3600x60",
            series("queue_seconds_bucket", 'le="30"'): "0+60x60 3600x60",
        },
        13,
        25,
    ),
    "IntegrationOperatorMassDeletionHeld": Case(
        {series("mass_deletion_held", 'kind="Syndesis"'): f"0{BEFORE}20x60"}, 0, 3
    ),
    "IntegrationOperatorTeardownsPostponed": Case({series("teardowns_postponed"): f"0{BEFORE}500x60"}, 0, 3),
    "IntegrationOperatorOffersExhausted": Case({series("offers_exhausted"): f"0{BEFORE}1x60"}, 29, 32),
    "IntegrationOperatorKeycloakUnavailable": Case(
        {series("circuits_open", 'system="keycloak"'): f"0{BEFORE}1x60"}, 9, 12
    ),
    "IntegrationOperatorSyndesisUnavailable": Case(
        {series("circuits_open", 'system="syndesis"'): f"0{BEFORE}2x60"}, 29, 32
    ),
    "IntegrationOperatorAdmissionFailing": Case(
        {series("admission_reviews_total", 'result="failed"'): f"0{BEFORE}1x60"}, 0, 2
    ),
}


def test_each_alert_is_tried() -> None:
    assert CASES.keys() == rules().keys()


@pytest.mark.parametrize("minutes", [5, 60, 290])
def test_a_healthy_operator_fires_nothing(minutes: int, tmp_path: Path) -> None:
    check_firing(tmp_path, HEALTHY, f"{minutes}m", {})


@pytest.mark.parametrize(("alert", "case"), CASES.items(), ids=CASES)
def test_an_alert_fires_alone_and_not_at_once(alert: str, case: Case, tmp_path: Path) -> None:
    history = HEALTHY | case.history
    check_firing(tmp_path, history, f"{60 + case.quiet}m", {})
    check_firing(tmp_path, history, f"{60 + case.fires}m", {alert: case.count})


def test_a_process_that_stands_by_with_no_pairs_fires_nothing(tmp_path: Path) -> None:
    """After a change of leader the series of pairs belong to another pod."""
    moved = {
        name.replace(POD, STANDBY): values
        for name, values in HEALTHY.items()
        if any(part in name for part in ("integrations{", "circuits_open", "teardowns", "mass_deletion", "rotation"))
    }
    gone = {name.replace(STANDBY, POD): "1x60 stale" for name in moved}
    arrived = {name: f"_x60 {values}" for name, values in moved.items()}
    leaders = {series("leader"): "1x60 0x100", series("leader", pod=STANDBY): "0x60 1x100"}
    check_firing(tmp_path, HEALTHY | gone | arrived | leaders, "100m", {})
