"""JSON that another system wrote, parsed within bounds of depth and of number of values.

Python's parser recurses: a document that is nested a thousand times raises ``RecursionError`` there, or later wherever
the result is compared, copied or shown. And each ``{}`` of two bytes becomes an object of 64.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 64
"""Levels of nesting. An AddressSpace has 8, a connection of Syndesis with its connector 10, a CRD 40."""

_STRING = re.compile(rb'"[^"]*"')
_NO_STRUCTURE = bytes(set(range(256)) - set(b'{}[],"'))


class Malformed(ValueError):
    """The text is no JSON, or is nested too deep, or has too many values. The message quotes nothing of it."""


class NestedTooDeep(Malformed):
    """The text is nested too deep, unless it is cut off."""


def parse(text: bytes | str, *, max_depth: int = MAX_DEPTH, max_values: int | None = None) -> Any:
    """Return what a JSON text holds. Raises ``Malformed``.

    ``most_values`` bounds the number of members and items of all objects and lists together.
    """
    data = text.encode(errors="replace") if isinstance(text, str) else text
    _check_structure(data, max_depth, max_values)
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("it cannot be parsed") from None


def parse_pruned(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Return what a JSON text holds, with None in place of what is nested deeper. Raises ``Malformed``.

    For texts of many objects, of which one that a tenant has nested deep must not keep the others from being read.
    """
    try:
        return parse(data, max_depth=max_depth)
    except NestedTooDeep:
        return parse(pruned(data, max_depth=max_depth), max_depth=max_depth)


def pruned(data: bytes, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Return a JSON text with null in place of each list and object that is nested deeper than ``deepest``."""
    kept, depth, begin = [], 0, 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', data, re.DOTALL):
        match data[token.start() : token.start() + 1]:
            case b"[" | b"{":
                depth += 1
                if depth == max_depth + 1:
                    kept.append(data[begin : token.start()])
            case b"]" | b"}":
                depth -= 1
                if depth == max_depth:
                    kept.append(b"null")
                    begin = token.end()
    return b"".join((*kept, data[begin:]))


def _check_structure(data: bytes, max_depth: int, max_values: int | None) -> None:
    """Refuse what is nested too deep or has too many values, without parsing it and at the speed of ``bytes``."""
    without_escapes = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    quoted = without_escapes.translate(None, delete=_NO_STRUCTURE)
    structure = _STRING.sub(b"", quoted.replace(b'""', b""))  # two quotes side by side change nothing about the others
    if max_values is not None and structure.count(b",") + structure.count(b"{") + structure.count(b"[") > max_values:
        raise Malformed(f"it holds more than {max_values} values")
    rest = structure.replace(b",", b"")
    for _ in range(max_depth):
        if not rest:
            return
        rest = rest.replace(b"[]", b"").replace(b"{}", b"")
    if rest:
        raise NestedTooDeep(f"it is cut off, or is nested more than {max_depth} levels deep")
