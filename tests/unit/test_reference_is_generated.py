"""The pages of the reference are those that the code has now, and name everything that a user can write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
import yaml

from integration_operator.cli import app
from integration_operator.rendering.samples import VARIABLES
from integration_operator.settings import Settings
from tools.reference import names, settings, template_variables
from tools.reference.__main__ import PAGES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def first_column(page: str) -> set[str]:
    """Return what the rows of all tables of a page begin with."""
    return set(re.findall(r"^\| `([^`]+)`", (DOCS / page).read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_a_fresh_generation(path: str) -> None:
    """`make reference` writes it."""
    assert (DOCS / path).read_text() == PAGES[path]()


def test_no_other_page_is_in_its_directory() -> None:
    assert {f"reference/{file.name}" for file in (DOCS / "reference").iterdir()} < set(PAGES)


def test_each_setting_is_there_and_no_other_is_explained() -> None:
    assert set(Settings.model_fields) < first_column("reference/settings.md")
    assert settings.DETAILS.keys() <= set(Settings.model_fields)


def test_each_command_and_flag_is_there() -> None:
    page = (DOCS / "reference/commands.md").read_text()
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        flags = {parameter.opts[-1] for parameter in command.params if parameter.opts[-1].startswith("--")}
        missing = {flag[2:].replace("-", "_") for flag in flags if f"`{flag}`" not in section}
        assert missing <= (set(Settings.model_fields) if "[setting" in section else set())


def test_each_field_of_the_kinds_is_there() -> None:
    listed = first_column("reference/kinds.md")
    for file in ("integrations.integreatly.org.yaml", "connections.syndesis.io.yaml"):
        version = yaml.safe_load((ROOT / "crds" / file).read_text())["spec"]["versions"][0]
        for part in version["schema"]["openAPIV3Schema"]["properties"].values():
            assert set(part.get("properties", ())) <= listed
    assert {"addressSpaceRef.namespace", "authorization[].operations", "configuredPropertiesFrom[].property"} <= listed


def test_each_variable_of_a_template_is_there_and_no_other_is_explained() -> None:
    there = template_variables.variables()
    groups = {name.rpartition(".")[0] for name in there}
    assert there.keys() - groups <= template_variables.MEANINGS.keys() <= there.keys()
    assert set().union(*VARIABLES.values()) <= there.keys()


def test_each_name_on_objects_has_a_section_and_a_module() -> None:
    listed = list(names.names())
    assert len(listed) >= 21
    assert {name.section for name in listed} == names.WRITERS.keys()
    used = names.modules()
    assert [name.constant for name in listed if not used[name.constant]] == []
