"""A Syndesis of any shape is read; what is malformed counts as missing, and what is long as cut."""

from __future__ import annotations

from typing import Any

import pytest
from integration_operator.domain.policies.readiness import can_connect
from integration_operator.platforms.syndesis import syndesis

from integration_operator.api import names


def document(annotations: Any = None, status: Any = None) -> dict[str, Any]:
    return {"metadata": {"namespace": "fuse", "name": "app", "annotations": annotations}, "status": status}


@pytest.mark.parametrize("annotations", [None, "text", ["a"], 7, {names.SYNDESIS_CREATED_BY: ["ann"]}])
def test_annotations_of_any_type(annotations: Any) -> None:
    found = syndesis(document(annotations))
    assert (found.created_by, found.native_connections) == (None, False)


@pytest.mark.parametrize("creator", ["x" * 254, "a\x07b", " "])
def test_a_creator_that_is_no_users_name_is_none(creator: str) -> None:
    assert syndesis(document({names.SYNDESIS_CREATED_BY: creator})).created_by is None


@pytest.mark.parametrize("phase", ["x" * 10_000, "\x1b]0;owned\x07", {"a": 1}, [["b"]], 5])
def test_a_phase_of_any_kind_is_short_and_shows_safely(phase: Any) -> None:
    found = syndesis(document(status={"phase": phase, "reason": phase}))
    verdict = can_connect(found)
    assert len(verdict.message) < 256
    assert verdict.message.isprintable()
    assert len(found.status_reason) <= 64


@pytest.mark.parametrize("status", [None, "text", ["a"], {"phase": None}])
def test_a_status_of_any_type_is_not_installed(status: Any) -> None:
    assert can_connect(syndesis(document(status=status))).reason == "SyndesisNotInstalled"
