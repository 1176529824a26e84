"""JSON that another system wrote, parsed within bounds of depth and of number of values.

Python's parser recurses: a document that is nested a thousand times raises ``RecursionError`` there, or later wherever
the result is compared, copied or shown. And each ``{}`` of two bytes becomes an object of 64.
"""

from __future__ import annotations

import json
import re
from typing import Any

DEEPEST = 64
"""Levels of nesting. An AddressSpace has 8, a connection of Syndesis with its connector 10, a CRD 40."""

_STRING = re.compile(rb'"[^"]*"')
_NO_STRUCTURE = bytes(set(range(256)) - set(b'{}[],"'))


class Malformed(ValueError):
    """The text is no JSON, or is nested too deep, or has too many values. The message quotes nothing of it."""


class Nested(Malformed):
    """The text is nested too deep, unless it is cut off."""


def parse(text: bytes | str, *, deepest: int = DEEPEST, most_values: int | None = None) -> Any:
    """Return what a JSON text holds. Raises ``Malformed``.

    ``most_values`` bounds the number of members and items of all objects and lists together.
    """
    data = text.encode(errors="replace") if isinstance(text, str) else text
    _check_structure(data, deepest, most_values)
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("it cannot be parsed") from None


def parse_pruned(data: bytes, *, deepest: int = DEEPEST) -> Any:
    """Return what a JSON text holds, with None in place of what is nested deeper. Raises ``Malformed``.

    For texts of many objects, of which one that a tenant has nested deep must not keep the others from being read.
    """
    try:
        return parse(data, deepest=deepest)
    except Nested:
        return parse(pruned(data, deepest=deepest), deepest=deepest)


def pruned(data: bytes, *, deepest: int = DEEPEST) -> bytes:
    """Return a JSON text with null in place of each list and object that is nested deeper than ``deepest``."""
    kept, depth, begin = [], 0, 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', data, re.DOTALL):
        match data[token.start() : token.start() + 1]:
            case b"[" | b"{":
                depth += 1
                if depth == deepest + 1:
                    kept.append(data[begin : token.start()])
            case b"]" | b"}":
                depth -= 1
                if depth == deepest:
                    kept.append(b"null")
                    begin = token.end()
    return b"".join((*kept, data[begin:]))


def _check_structure(data: bytes, deepest: int, most_values: int | None) -> None:
    """Refuse what is nested too deep or has too many values, without parsing it and at the speed of ``bytes``."""
    without_escapes = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    quoted = without_escapes.translate(None, delete=_NO_STRUCTURE)
    structure = _STRING.sub(b"", quoted.replace(b'""', b""))  # two quotes side by side change nothing about the others
    if most_values is not None and structure.count(b",") + structure.count(b"{") + structure.count(b"[") > most_values:
        raise Malformed(f"it holds more than {most_values} values")
    rest = structure.replace(b",", b"")
    for _ in range(deepest):
        if not rest:
            return
        rest = rest.replace(b"[]", b"").replace(b"{}", b"")
    if rest:
        raise Nested(f"it is cut off, or is nested more than {deepest} levels deep")
