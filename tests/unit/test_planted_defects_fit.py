"""The defects that fault runs have to find can be planted into the operator as it is now."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.faults.faults import FAULTS
from tests.support.faults.planted import DEFECTS, PACKAGE
from tests.support.faults.scenarios import SCENARIOS


@pytest.mark.parametrize("title", DEFECTS)
def test_a_defect_fits(title: str, tmp_path: Path) -> None:
    defect = DEFECTS[title]
    defect.plant(tmp_path)
    for file, _, after in defect.edits:
        changed = (tmp_path / PACKAGE / file).read_text()
        ast.parse(changed)
        assert after in changed


def test_each_names_a_scenario_and_faults_that_exist() -> None:
    for defect in DEFECTS.values():
        assert defect.scenario in SCENARIOS
        assert set(defect.faults) <= set(FAULTS)


def test_there_are_enough() -> None:
    assert len(DEFECTS) >= 20
