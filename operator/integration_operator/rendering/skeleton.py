"""Conversion of rendered text to a document, without parsing the same YAML for each pair.

Most of the time of a rendering is YAML parsing, and only values differ between pairs. So each output of ``tojson`` is
replaced by a token. The remaining text, the *skeleton*, is the same for all pairs that take the same branches. It is
parsed once, and tokens are replaced by values.

This is exact if each token is a whole value or key, because JSON is YAML. If a token is part of a longer text, a
comment or a captured block, the text is rendered without tokens and parsed in full.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, NoReturn

import yaml
from jinja2 import Undefined

Document = Any

SKELETONS = 256
"""Skeletons in memory: one for each template and combination of branches. There are more only if a template outputs
values without ``tojson``."""

_TOKEN = re.compile("\ue000(\\d+)\ue001")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times faster, if PyYAML has it


def _not_json(value: object) -> NoReturn:
    if isinstance(value, Undefined):
        str(value)  # raises UndefinedError with the name
    raise TypeError(f"{type(value).__name__} is not JSON")


_encode = json.JSONEncoder(
    ensure_ascii=False, default=_not_json
).encode  # json.dumps would create an encoder for each call


class Json(str):
    """JSON text with its value."""

    __slots__ = ("value",)
    value: Any

    @classmethod
    def of(cls, value: Any) -> Json:
        """Encode a value as JSON. Raises ``TypeError`` if that is not possible."""
        text = cls(_encode(value))
        # A mapping is parsed again, so that the document has a copy of its own.
        text.value = value if isinstance(value, (str, int, float, bool, type(None))) else json.loads(text)
        return text


class EmbeddedValue(Exception):
    """A token is not a whole value or key, so the text has to be parsed in full."""


class Values:
    """Collects the values of one rendering; ``finalize`` is passed to Jinja."""

    def __init__(self) -> None:
        self._values: list[Json] = []
        self._whole = True

    def begin(self) -> None:
        """Drop the values of an earlier rendering."""
        self._values, self._whole = [], True

    def finalize(self, value: Any) -> Any:
        """Replace a JSON value by a token."""
        if not isinstance(value, Json):
            return value
        self._whole = self._whole and "\ue000" not in value  # a captured block contains tokens
        self._values.append(value)
        return f"\ue000{len(self._values) - 1}\ue001"

    def parse(self, text: str) -> Document:
        """Parse rendered text with tokens. Raises ``EmbeddedValue``."""
        try:
            skeleton = _skeleton(text)
        except yaml.YAMLError as error:
            raise EmbeddedValue from error
        if not self._whole or skeleton.tokens != len(self._values):
            raise EmbeddedValue
        return skeleton.fill(self._values)


def parse_in_full(text: str) -> Document:
    """Parse rendered text without tokens. Raises ``yaml.YAMLError``."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  is safe


class _Skeleton:
    """A document with tokens; ``tokens`` is their number, -1 if one is not a whole value or key."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.tokens = _count(document)

    def fill(self, values: list[Json]) -> Document:
        """Return the document with values in place of tokens."""
        return _fill(self._document, values)


@lru_cache(maxsize=SKELETONS)
def _skeleton(text: str) -> _Skeleton:
    return _Skeleton(yaml.load(text, Loader=_Loader))  # noqa: S506  is safe


def _count(node: Document) -> int:
    if isinstance(node, dict):
        counts = [_count(part) for pair in node.items() for part in pair]
    elif isinstance(node, list):
        counts = [_count(item) for item in node]
    elif isinstance(node, str) and "\ue000" in node:
        return 1 if _TOKEN.fullmatch(node) else -1
    else:
        return 0
    return -1 if -1 in counts else sum(counts)


def _fill(node: Document, values: list[Json]) -> Document:
    if isinstance(node, dict):
        return {_fill(key, values): _fill(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(item, values) for item in node]
    if isinstance(node, str) and node[:1] == "\ue000":
        return values[int(node[1:-1])].value
    return node
