"""One release has one version: in the package, the chart, the bundle, the manifests and the commands of the pages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
IMAGE = re.compile(r"integration-operator(?:-bundle)?:(\d+\.\d+\.\d+)")


def test_of_the_chart() -> None:
    chart = yaml.safe_load((ROOT / "deploy/helm/integration-operator/Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == VERSION


def test_of_the_bundle() -> None:
    base = yaml.safe_load((ROOT / "deploy/olm/base.clusterserviceversion.yaml").read_text())
    assert base["spec"]["version"] == VERSION
    assert base["metadata"]["name"] == f"integration-operator.v{VERSION}"
    catalog = (ROOT / "deploy/olm/catalog.yaml").read_text()
    assert f"- name: integration-operator.v{VERSION}\n" in catalog


def test_of_the_label_of_the_image() -> None:
    assert f"ARG VERSION={VERSION}\n" in (ROOT / "deploy/Dockerfile").read_text()


@pytest.mark.parametrize("directory", ["deploy", "docs"])
def test_of_images(directory: str) -> None:
    files = [file for file in (ROOT / directory).rglob("*") if file.is_file()]
    named = {(file, version) for file in files for version in IMAGE.findall(file.read_text(errors="ignore"))}
    assert named
    assert {version for _, version in named} == {VERSION}
