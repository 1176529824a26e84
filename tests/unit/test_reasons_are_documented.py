"""Each condition and each of its reasons is in docs/conditions.md, which is generated from what the code knows of them.

The reasons of Events that no condition has are in docs/integration.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from integration_operator.domain.model.conditions import CHOSEN, INFORMATIVE, PROGRESS, ConditionType
from integration_operator.domain.model.reasons import OF_A_CONNECTION, REASONS, Effect, effect_of
from tools.reference.conditions import TYPES

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
    "Reconciling": "a type of a condition",
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


LISTED = {reason.name: reason for reason in REASONS}


def reasons_of_events() -> set[str]:
    section = (ROOT / "docs/integration.md").read_text().split("\n## Events\n")[1]
    return set(re.findall(r"^\| `([A-Z]\w+)`", section, re.MULTILINE))


def test_each_reason_is_listed() -> None:
    types = set(get_args(ConditionType))
    missing = reasons() - LISTED.keys() - NEVER_SHOWN.keys() - reasons_of_events() - types
    assert missing == set()


def test_each_reason_of_a_connection_is_listed() -> None:
    (connection,) = OF_A_CONNECTION
    own = {name for name, reason in LISTED.items() if connection in reason.types}
    assert reasons(["controllers/connection"]) - {"Ready"} <= own


def test_each_listed_reason_is_one() -> None:
    """No reason of an earlier version is left, and none is listed twice."""
    assert len(LISTED) == len(REASONS)
    files = {file for package in (*PACKAGES, "controllers") for file in (PACKAGE / package).rglob("*.py")}
    code = "\n".join(file.read_text() for file in files if file.name != "reasons.py")
    composed = ("NotServed", "NotFound", "Deleting", "NativeConnection", "RestConnection", "User")
    of_the_api_server = {"Forbidden", "Invalid", "ServiceUnavailable", "TooManyRequests", "Timeout", "ServerTimeout"}
    stale = {name for name in LISTED.keys() - of_the_api_server if name not in code and not name.endswith(composed)}
    assert stale == set()


def test_each_condition_is_described() -> None:
    assert {type_ for type_, _, _ in TYPES} == set(get_args(ConditionType))
    known = {*get_args(ConditionType), *OF_A_CONNECTION}
    assert {type_ for reason in REASONS for type_ in reason.types} <= known


def test_a_reason_that_a_user_has_to_act_on_says_what_to_do() -> None:
    assert [reason.name for reason in REASONS if reason.effect is Effect.USER and not reason.next_step] == []


def test_what_passes_is_told_from_what_a_user_chose() -> None:
    informative = {reason.name for reason in REASONS if set(reason.types) <= set(INFORMATIVE)}
    assert {effect_of(reason) for reason in PROGRESS - informative} == {Effect.PASSES}
    assert {reason for reason in LISTED if effect_of(reason) is Effect.CHOSEN} == CHOSEN.keys()
    assert effect_of("AReasonOfAWebhook") is Effect.USER


def test_reasons_are_found() -> None:
    """Each way in which the code gives a reason is seen."""
    assert reasons() >= {
        *("SameNamespace", "NamespaceNotAllowed", "SecretGenerated", "AuthorizationNotAllowed", "Suspended"),
        *("KeycloakNotAllowed", "SyndesisStarting", "ConnectorChanged", "RealmForeign", "OffersExhausted"),
        *("Overlap", "FieldContested", "ObjectContested", "TLSNotAvailable", "EnMasseUpgrading", "NoAnswer"),
    }
