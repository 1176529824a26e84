"""Reading connections from requests, and writing them into answers.

Reading is lenient, as Jackson is: unknown fields are dropped and numbers become strings; but a ``null`` in a map is
refused. Answers leave out everything that is empty.
"""

from __future__ import annotations

import json
import re
from typing import Any

from integration_operator_sandbox.platforms.syndesis_server.answers import BAD_BODY, Refused, rest_error
from integration_operator_sandbox.platforms.syndesis_server.database import Connection
from integration_operator_sandbox.platforms.syndesis_server.release import Release

MAPS = ("configuredProperties", "options", "metadata")
TEXTS = ("id", "name", "connectorId", "icon", "description", "userId", "organizationId")
DATES = ("createdDate", "lastUpdated")
DOCUMENTS = ("connector", "organization")

SOURCE = "(io.undertow.servlet.spec.ServletInputStreamImpl)"
MODEL = "io.syndesis.common.model.connection.Connection"
UP_TO_SPACE = "".join(map(chr, range(33)))
"""Characters that Java's ``trim`` removes."""


def parse(text: str) -> Any:
    """Parse the JSON of a body."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _unreadable(text, error) from None


def _unreadable(text: str, error: json.JSONDecodeError) -> Refused:
    rest = text[error.pos :]
    if not rest:
        kind, said = "io.JsonEOFException", "Unexpected end-of-input"
    else:
        expected = "double-quote to start field name" if "property name" in error.msg else "a valid value"
        kind, said = "JsonParseException", f"Unexpected character ('{rest[0]}' (code {ord(rest[0])}))"
        said += f": was expecting {expected}"
    place = f"line: {error.lineno}, column: {error.colno + 1}"
    return rest_error(400, BAD_BODY, f"com.fasterxml.jackson.core.{kind}: {said}\n at [Source: {SOURCE}; {place}]")


def read_connection(document: Any, text: str, release: Release) -> Connection:
    """Return the connection of a body. Errors point into ``text``, which is the body itself."""
    if not isinstance(document, dict):
        raise _unmappable(text, "", "Cannot deserialize instance")
    connection: Connection = {}
    for field in TEXTS:
        if document.get(field) is not None:
            connection[field] = _text(document[field], field, text)
    connection["name"] = connection.get("name", "").strip(UP_TO_SPACE)
    for field in MAPS:
        connection[field] = _map(document.get(field), field, text)
    for field in DATES:
        if document.get(field) is not None:
            if not isinstance(document[field], int):
                raise _unmappable(text, field, "Cannot deserialize value of type `java.util.Date`")
            connection[field] = document[field]
    for field in DOCUMENTS:
        if isinstance(document.get(field), dict):
            connection[field] = document[field]
    tags = document.get("tags") or []
    if not isinstance(tags, list):
        raise _unmappable(text, "tags", "Cannot deserialize instance")
    trimmed = {_text(tag, "tags", text).strip(UP_TO_SPACE) for tag in tags}
    connection["tags"] = sorted(trimmed - {""})
    connection["isDerived"] = document.get("isDerived") is True
    if not release.keeps_metadata:
        del connection["metadata"]
    return _without_empty(connection)


def read_properties(document: Any, text: str) -> dict[str, str | None]:
    """Return a map of properties. A ``null`` is not refused here, only when its value is used."""
    if not isinstance(document, dict):
        raise _unmappable(text, "", "Cannot deserialize instance")
    return {name: None if value is None else _text(value, name, text) for name, value in document.items()}


def show(document: Any) -> Any:
    """Return a value without everything that is empty: text, list or map."""
    if isinstance(document, dict):
        return _without_empty(document)
    return [show(item) for item in document] if isinstance(document, list) else document


def show_connection(connection: Connection) -> Connection:
    """Return a connection for an answer."""
    return _without_empty({"uses": 0, "isDerived": False, **connection})


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    shown = {name: show(value) for name, value in document.items()}
    return {name: value for name, value in shown.items() if value is not None and value not in ("", [], {})}


def _text(value: Any, field: str, text: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return json.dumps(value)
    if not isinstance(value, str):
        raise _unmappable(text, field, "Cannot deserialize instance of `java.lang.String`")
    return value


def _map(value: Any, field: str, text: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _unmappable(text, field, "Cannot deserialize instance")
    if None in value.values():
        raise _unmappable(text, field, f"{field} value")
    return {name: _text(inner, field, text) for name, inner in value.items()}


def _unmappable(text: str, field: str, said: str) -> Refused:
    """Return the error that names a field and the parser's position: the end of its value."""
    end = len(text)
    if found := re.search(rf'"{field}"\s*:\s*', text):
        _, end = json.JSONDecoder().raw_decode(text, found.end())
    line, column = text.count("\n", 0, end) + 1, end - (text.rfind("\n", 0, end) + 1)
    chain = f' (through reference chain: {MODEL}$Builder["{field}"])' if field else ""
    place = f"[Source: {SOURCE}; line: {line}, column: {column}]"
    exception = "com.fasterxml.jackson.databind.JsonMappingException"
    return rest_error(400, BAD_BODY, f"{exception}: {said}\n at {place}{chain}")
