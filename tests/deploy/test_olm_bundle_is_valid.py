"""The bundle passes the validators of operator-sdk, and opm makes a catalog of it whose upgrade graph is connected."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.support import olm
from tests.support.documents import Document

CATALOG = olm.OLM / "catalog.yaml"
EARLIER = "integration-operator.v0.0.9"


def template(tmp_path: Path, entries: list[Document], *bundles: Path) -> Path:
    """Return a file with the template of the catalog, with these entries of its channel and these bundles."""
    catalog = yaml.safe_load(CATALOG.read_text())
    package, channel, bundle = catalog["entries"]
    channel["entries"] = entries
    catalog["entries"] = [package, channel, *({**bundle, "image": str(directory)} for directory in bundles)]
    file = tmp_path / "catalog.yaml"
    file.write_text(yaml.safe_dump(catalog))
    return file


def earlier(tmp_path: Path) -> Path:
    """Return the directory of a bundle of version 0.0.9."""
    directory = tmp_path / "earlier"
    shutil.copytree(olm.BUNDLE, directory)
    (file,) = (directory / "manifests").glob("*.clusterserviceversion.yaml")
    document = olm.cluster_service_version()
    document["metadata"]["name"], document["spec"]["version"] = EARLIER, "0.0.9"
    file.write_text(yaml.safe_dump(document))
    return directory


def test_the_bundle() -> None:
    assert olm.findings(olm.BUNDLE) == []


def test_a_bundle_without_one_of_its_kinds(tmp_path: Path) -> None:
    broken = tmp_path / "bundle"
    shutil.copytree(olm.BUNDLE, broken)
    (broken / "manifests" / "integrations.integreatly.org.yaml").unlink()
    assert any("not found in bundle" in finding for finding in olm.findings(broken))


def test_the_catalog(tmp_path: Path) -> None:
    shipped = yaml.safe_load(CATALOG.read_text())["entries"][1]["entries"]
    entries = olm.catalog(template(tmp_path, shipped, olm.BUNDLE))
    assert [entry["schema"] for entry in entries] == ["olm.package", "olm.channel", "olm.bundle"]
    package, named, bundle = entries
    metadata = yaml.safe_load((olm.BUNDLE / "metadata" / "annotations.yaml").read_text())["annotations"]
    labels = "operators.operatorframework.io.bundle"
    assert package["defaultChannel"] == named["name"] == metadata[f"{labels}.channel.default.v1"]
    assert bundle["package"] == package["name"] == metadata[f"{labels}.package.v1"]
    assert named["entries"][-1]["name"] == bundle["name"] == olm.cluster_service_version()["metadata"]["name"]


def test_the_graph(tmp_path: Path) -> None:
    """A release whose entry replaces nothing would leave the users of the earlier one behind."""
    name = olm.cluster_service_version()["metadata"]["name"]
    bundles = (earlier(tmp_path), olm.BUNDLE)
    with pytest.raises(olm.OLMError, match="multiple channel heads"):
        olm.catalog(template(tmp_path, [{"name": EARLIER}, {"name": name}], *bundles))
    olm.catalog(template(tmp_path, [{"name": EARLIER}, {"name": name, "replaces": EARLIER}], *bundles))


def test_the_image_has_the_labels_of_the_metadata() -> None:
    annotations = yaml.safe_load((olm.BUNDLE / "metadata" / "annotations.yaml").read_text())["annotations"]
    lines = (olm.OLM / "bundle.Dockerfile").read_text().splitlines()
    labels = dict(line.removeprefix("LABEL ").split("=") for line in lines if line.startswith("LABEL "))
    assert labels == annotations


def test_everything_of_the_bundle_is_in_its_image() -> None:
    copied = [line.split()[1] for line in (olm.OLM / "bundle.Dockerfile").read_text().splitlines() if "COPY" in line]
    assert {Path(path).name for path in copied} == {path.name for path in olm.BUNDLE.iterdir()}
