"""JSON of other systems, parsed with limits on depth and number of values.

Python's parser recurses: 1,000 levels of nesting raise ``RecursionError`` there, or later when the result is compared,
copied or printed. Each ``{}`` of two bytes becomes an object of 64.
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
    """The text is not JSON, is nested too deep or has too many values. The message quotes nothing of it."""


class NestedTooDeep(Malformed):
    """The text is nested too deep or truncated."""


def parse(text: bytes | str, *, max_depth: int = MAX_DEPTH, max_values: int | None = None) -> Any:
    """Parse a JSON text. Raises ``Malformed``.

    ``max_values`` bounds the members and items of all objects and lists together.
    """
    data = text.encode(errors="replace") if isinstance(text, str) else text
    _check_structure(data, max_depth, max_values)
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("it cannot be parsed") from None


def parse_pruned(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Parse a JSON text, with None in place of deeper values. Raises ``Malformed``.

    A list can then be read although a tenant has nested one object of it too deep.
    """
    try:
        return parse(data, max_depth=max_depth)
    except NestedTooDeep:
        return parse(prune(data, max_depth=max_depth), max_depth=max_depth)


def prune(data: bytes, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Return a JSON text with null in place of each list and object that is nested deeper than ``max_depth``."""
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
    """Refuse a text that is nested too deep or has too many values, without parsing it, at the speed of ``bytes``."""
    without_escapes = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    quoted = without_escapes.translate(None, delete=_NO_STRUCTURE)
    structure = _STRING.sub(
        b"", quoted.replace(b'""', b"")
    )  # an empty string does not change how the other quotes pair
    if max_values is not None and structure.count(b",") + structure.count(b"{") + structure.count(b"[") > max_values:
        raise Malformed(f"it holds more than {max_values} values")
    rest = structure.replace(b",", b"")
    for _ in range(max_depth):
        if not rest:
            return
        rest = rest.replace(b"[]", b"").replace(b"{}", b"")
    if rest:
        raise NestedTooDeep(f"it is truncated or nested more than {max_depth} levels deep")
