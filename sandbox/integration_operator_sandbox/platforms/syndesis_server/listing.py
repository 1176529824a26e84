"""Filtering, sorting and paging of lists.

A malformed filter is ignored rather than refused: the answer is then the whole list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration_operator_sandbox.platforms.syndesis_server.answers import BAD_LIST, Refused, rest_error

Document = dict[str, Any]

FILTER = re.compile(r"(?P<property>[A-Za-z0-9_]+)(?:(?P<operation>\s*=\s*)(?P<value>[\x20-\x7e]+))?")
DEFAULT_PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class Listed:
    """A kind of object that can be listed, and the fields to filter by; the name of a connection is not one."""

    model: str
    fields: frozenset[str]


CONNECTIONS = Listed(
    "io.syndesis.common.model.connection.Connection", frozenset({"connectorId", "userId", "description", "icon"})
)
CONNECTORS = Listed("io.syndesis.common.model.connection.Connector", frozenset({"name", "description", "icon"}))


@dataclass(frozen=True, slots=True)
class Page:
    """The items of a page, and how many items matched in all."""

    items: list[Document]
    matched: int


def page_of(documents: Sequence[Document], query: Mapping[str, str], listed: Listed) -> Page:
    """Return the page that the query parameters select."""
    found = [*documents]
    for field, value in _filters(query.get("query", ""), listed):
        found = [document for document in found if document.get(field) == value]
    if sort := query.get("sort"):
        if sort not in listed.fields:
            raise _illegal(f"Cannot find field {sort} in {listed.model} as int or String field")
        found.sort(key=lambda document: str(document.get(sort) or ""), reverse=query.get("direction") == "desc")
    page, per_page = _number(query.get("page", "1")), _number(query.get("per_page", str(DEFAULT_PER_PAGE)))
    if page < 1:
        raise _illegal("Page number must be greater than 0")
    if per_page < 1:
        raise _illegal("Per page must be greater than 0")
    return Page(found[(page - 1) * per_page : page * per_page], len(found))


def _filters(query: str, listed: Listed) -> list[tuple[str, str]]:
    filters = []
    for part in query.split(","):
        found = FILTER.fullmatch(part)
        if not found or found["operation"] is None:
            continue
        if found["property"] not in listed.fields:
            raise _illegal(f"Cannot find field {found['property']} in {listed.model} as field")
        if found["operation"] != "=":
            raise _illegal(f"Unknown filter operation {found['operation']}")
        filters.append((found["property"], found["value"]))
    return filters


def _number(value: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", value):
        raise _illegal(f'For input string: "{value}"')
    return int(value)


def _illegal(message: str) -> Refused:
    return rest_error(400, BAD_LIST, f"Illegal Argument on Call {message}")
