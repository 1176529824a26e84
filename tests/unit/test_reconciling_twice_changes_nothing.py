"""What is settled stays settled, and the order in which things became known never matters."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from integration_operator.controllers.integration.dry_run import DryRun
from integration_operator.domain.model.actions import Apply

from integration_operator.rendering.templates import TemplateFiles
from tests.support.builders import integration, space, syndesis
from tests.support.dry_runs import dry_run

RULES = ("same-namespace", "allowed-namespaces")
TEMPLATES = TemplateFiles()

specs = st.fixed_dictionaries(
    {"enabled": st.booleans()},
    optional={
        "tls": st.sampled_from(["auto", "required", "disabled"]),
        "deletionPolicy": st.sampled_from(["Delete", "Retain"]),
        "suspend": st.booleans(),
        "authorization": st.just([{"operations": ["recv"], "addresses": ["a/*"]}]),
        "delivery": st.sampled_from([{"user": "native"}, {"connection": "rest"}]),
        "serviceProvider": st.just("fuse"),
    },
)


@st.composite
def worlds(draw: st.DrawFn) -> list[dict[str, Any]]:
    where = draw(st.sampled_from(["shop", "fuse"]))
    annotations = draw(st.sampled_from([{}, {"integreatly.org/allowed-namespaces": "fuse"}]))
    documents = [
        space(annotations=annotations, ready=draw(st.booleans()), ca=draw(st.booleans())),
        syndesis(where, phase=draw(st.sampled_from(["Installed", "Starting"]))),
    ]
    if draw(st.booleans()):
        documents.append(integration(where, **draw(specs)))
    return documents


def settled(documents: list[dict[str, Any]]) -> tuple[DryRun, list[dict[str, Any]]]:
    snapshot = dry_run(documents, RULES)
    applied = []
    for pair in snapshot.pairs():
        actions, _ = snapshot.settle(pair, TEMPLATES)
        applied += [a.document for a in actions if isinstance(a, Apply)]
    for document in applied:
        for holder in (document.get("data"), (document.get("spec") or {}).get("authentication")):
            if holder and "password" in holder:
                holder["password"] = "*"
    return snapshot, applied


@settings(deadline=None)
@given(worlds())
def test_twice(documents: list[dict[str, Any]]) -> None:
    snapshot, _ = settled(documents)
    for pair in snapshot.pairs():
        assert snapshot.settle(pair, TEMPLATES)[0] == []


@settings(deadline=None)
@given(worlds().flatmap(lambda w: st.tuples(st.just(w), st.permutations(w))))
def test_in_any_order(orders: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    one, other = (settled(documents)[1] for documents in orders)
    assert one == other
