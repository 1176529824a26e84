"""The status page shows what its query asks for, a bounded number at a time, and any text as text."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_operator.cache import Cache
from integration_operator.controllers.integration.controller import IntegrationController, Options
from integration_operator.domain.model.reasons import REASONS
from integration_operator.runtime.text import MAX_FOREIGN_TEXT
from integration_operator.status_page.page import page
from integration_operator.status_page.query import InvalidQuery, Query
from integration_operator.status_page.report import (
    EFFECTS,
    PAGE_SIZE,
    Kind,
    Process,
    Report,
    Reporter,
    Row,
    plain,
    row_of,
)
from integration_operator.stores import integrations
from tests.support import builders
from tests.support.api_server import ApiServer
from tests.support.documents import Document
from tests.support.operated import ENABLE_NEW, SOON, TEMPLATES, both, operated
from tests.support.status_pages import markup_of, rows
from tests.support.virtual_time import run

HOSTILE = "</td><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;{{ 7 * 7 }}{% raw %}"
MANY = 10_000
MAX_PAGE = 400_000
AT = datetime(2026, 1, 1, tzinfo=UTC)
CPU_SECONDS = 0.1
"""For a page of 10,000: five times what it takes."""


def many(count: int) -> list[Document]:
    """Return disabled Integrations for AddressSpaces that do not exist, in five namespaces."""
    names = ((f"ns-{number % 5}", f"i-{number:05}") for number in range(count))
    return [builders.integration(namespace, name) for namespace, name in names]


def test_pages_have_each_integration_once_and_in_order() -> None:
    async def scenario() -> None:
        async with operated(*both(), *many(250)) as scene:
            first, second, third, beyond = (scene.reporter.report(Query(page=number)) for number in (1, 2, 3, 9))
            assert (first.total, first.pages) == (251, 3)
            shown = [row for report in (first, second, third) for row in report.integrations]
            assert len({(row.namespace, row.name) for row in shown}) == 251
            assert [len(report.integrations) for report in (first, second, third)] == [PAGE_SIZE, PAGE_SIZE, 51]
            ranks = [list(EFFECTS).index(row.state) for row in shown]  # type: ignore[arg-type]
            assert ranks == sorted(ranks)
            assert beyond.query.page == 3, "the last one"
            assert "Next page" not in page(third)
            assert "?page=2" in page(third)

    run(scenario())


def test_a_query_chooses() -> None:
    async def scenario() -> None:
        async with operated(*both(), *many(20)) as scene:
            scene.specify(enabled=True)
            await asyncio.sleep(SOON)
            chosen = scene.reporter.report(Query(state="ready"))
            assert [(row.namespace, row.reason) for row in chosen.integrations] == [("shop", "Ready")]
            chosen = scene.reporter.report(Query(namespace="ns-3"))
            assert [row.name for row in chosen.integrations] == ["i-00003", "i-00008", "i-00013", "i-00018"]
            assert sum(chosen.states.values()) == 21, "of all, whatever is chosen"
            assert scene.reporter.report(Query(reason="NameTaken")).integrations == []

    run(scenario())


async def test_a_page_of_ten_thousand_takes_little() -> None:
    cache = Cache(cast(Any, ApiServer()))
    reporter = Reporter(cache, IntegrationController(cache, TEMPLATES, Options(plan=ENABLE_NEW)), {})
    for number, document in enumerate(many(MANY)):
        document["metadata"] |= {"uid": str(number), "resourceVersion": str(number + 1)}
        cache.integrations.apply_event("ADDED", document)
    for query in (Query(), Query(page=100), Query(namespace="ns-3")):
        began = time.process_time()
        text = page(reporter.report(query))
        assert time.process_time() - began < CPU_SECONDS
        assert len(rows(text)) == PAGE_SIZE
        assert len(text) < MAX_PAGE


@pytest.mark.parametrize(
    "status",
    [
        {"conditions": [{"type": "Stalled", "status": "True", "reason": {"a": 1}, "message": ["x"]}]},
        {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": 7}]},
        {"conditions": "text"},
        {"conditions": [{"type": "Stalled", "status": "True", "reason": "x" * 100_000, "message": "y" * 100_000}]},
        [],
    ],
)
def test_a_status_that_a_tenant_wrote_is_shown(status: Any) -> None:
    store = integrations()
    document = {**builders.integration(), "status": status}
    document["metadata"] |= {"uid": "1", "resourceVersion": "1"}
    store.apply_event("ADDED", document)
    (integration,) = store
    row = row_of(integration, AT)
    assert row.state in EFFECTS
    assert max(len(row.reason.encode()), len(row.message.encode())) <= MAX_FOREIGN_TEXT


def report_with(text: str) -> Report:
    """Return a report with this text wherever a text is."""
    process = Process(**dict.fromkeys((f.name for f in fields(Process)), text))
    row = Row(**dict.fromkeys((f.name for f in fields(Row)), text))
    return Report(text, process, [Kind(text, text, text, 1, 1)], [], {text: 1}, [text], Query(text), 1, 1, [row])


@given(st.sampled_from([HOSTILE, "'", '"', "&amp;", "<!--", "]]>"]) | st.text(min_size=1, max_size=40))
def test_any_text_is_text(text: str) -> None:
    """The page has the same elements and attributes whatever the texts are."""
    for role in ("standing by", "leading"):
        pages = []
        for shown in (text, "text"):
            report = report_with(shown)
            pages.append(markup_of(page(replace(report, process=replace(report.process, role=role)))))
        assert [(tag, attrs.keys()) for tag, attrs in pages[0].elements] == [
            (tag, attrs.keys()) for tag, attrs in pages[1].elements
        ]


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=70)), max_size=5))
def test_any_query_is_valid_or_refused(parameters: list[tuple[str, str]]) -> None:
    with suppress(InvalidQuery):
        query = Query.parse(parameters)
        assert dict(parse_qsl(str(query))).items() >= {(name, value) for name, value in parameters if value}


def test_a_link_to_a_page_is_the_same_query() -> None:
    query = Query("shop", "stalled", "NameTaken", 3)
    assert Query.parse(parse_qsl(str(query))) == query


def test_each_next_step_is_plain_text() -> None:
    for reason in REASONS:
        assert not {"`", "[", "]("} & set(plain(reason.next_step)), reason.name
