"""Each reason that a condition or an Event can have is in docs/integration.md: users look them up there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator/integration_operator"
PACKAGES = ("domain", "backends", "controllers/integration", "runtime")
WORD = re.compile(r"[A-Z][a-zA-Z]{2,}")

GIVES_A_REASON = {"success", "failure", "blocked", "Condition", "_unpaired", "Event", "Failure"}
"""Calls that take a reason; those of failures are found by their definitions."""

NEVER_SHOWN = {
    "Gone": "a watch starts anew",
    "AlreadyExists": "the object is seen, and judged",
    "NotFound": "the object is seen to be gone",
    "Conflict": "tried again at once",
    "NotAList": "said in /readyz",
    "Normal": "a type of Event",
    "Warning": "a type of Event",
    "False": "a status",
    "True": "a status",
    "Unknown": "a status",
    "FinalizerMissing": "the next pass sets it",
    "IntegrationGone": "there is nothing to say it on",
    "KeycloakChanged": "tried again at once",
    "KeycloakFailure": "a base class",
    "UserForeign": "its reason is NameTaken",
    "AuthorizationAllowed": "a check that passed",
    "Incomplete": "the conditions say what is left to do",
    "NameFree": "a check that passed",
    "Served": "a check that passed",
    "AddressSpaceReady": "of explain",
    "SyndesisInstalled": "of explain",
    "NamespaceAccepted": "of explain",
}


def trees(packages: Sequence[str] = PACKAGES) -> Iterator[ast.Module]:
    for package in packages:
        for file in sorted((PACKAGE / package).rglob("*.py")):
            yield ast.parse(file.read_text())


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def failures() -> set[str]:
    """Return the names of the classes that are failures."""
    bases = {
        node.name: {name_of(base) for base in node.bases}
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {"Failure"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


def reasons(packages: Sequence[str] = PACKAGES) -> set[str]:
    known, found = failures(), set()
    for tree in trees(packages):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and "KeycloakFailure" in {name_of(base) for base in node.bases}:
                found.add(node.name)  # its reason is its name
            if not isinstance(node, ast.Call):
                continue
            if name_of(node.func) in GIVES_A_REASON | known:
                given = [*node.args[:4], *(word.value for word in node.keywords if word.arg == "reason")]
                found |= {str(arg.value) for arg in given if isinstance(arg, ast.Constant)}
            else:
                given = [word.value for word in node.keywords if word.arg == "reason"]
                found |= {str(arg.value) for arg in given if isinstance(arg, ast.Constant)}
    return {reason for reason in found if WORD.fullmatch(reason)}


def test_each_reason_is_documented() -> None:
    documented = set(re.findall(r"`([A-Z]\w+)`", (ROOT / "docs/integration.md").read_text()))
    missing = reasons() - documented - NEVER_SHOWN.keys()
    assert missing == set()


def test_each_reason_of_a_connection_is_documented() -> None:
    documented = set(re.findall(r"`([A-Z]\w+)`", (ROOT / "docs/compatibility.md").read_text()))
    assert reasons(["controllers/connection"]) - documented == set()


def test_reasons_are_found() -> None:
    """Each way in which the code gives a reason is seen."""
    assert reasons() >= {
        *("SameNamespace", "NamespaceNotAllowed", "SecretGenerated", "AuthorizationNotAllowed", "Suspended"),
        *("KeycloakNotAllowed", "SyndesisStarting", "ConnectorChanged", "RealmForeign", "OffersExhausted"),
        *("Overlap", "FieldContested", "ObjectContested", "TLSNotAvailable", "EnMasseUpgrading", "NoAnswer"),
    }


def test_each_documented_reason_is_one() -> None:
    """No reason of an earlier version stands in the tables."""
    text = (ROOT / "docs/integration.md").read_text()
    rows = [line for line in text.split("\n## Reasons\n")[1].splitlines() if line.startswith("| `")]
    listed = {reason for row in rows for reason in re.findall(r"`([A-Z]\w+)`", row.split("|")[1])}
    code = "\n".join(file.read_text() for package in PACKAGES for file in (PACKAGE / package).rglob("*.py"))
    composed = ("NotServed", "NotFound", "Deleting")  # of a kind
    conditions = {"DeliveryChosen", "ConnectionVerified", "Rotating"}
    stale = {reason for reason in listed - conditions if reason not in code and not reason.endswith(composed)}
    assert stale == set()
