"""From rendered text to a document without reading the same YAML again and again.

Reading YAML is most of what a rendering costs, and from one pair to the next only values differ. So each value that a
template puts out through ``tojson`` is replaced by a token while rendering; what remains, the *skeleton*, is the same
for all pairs that take the same branches. It is read once, and the values are put where their tokens stand.

That is exact where a token is a whole value or key of the YAML, because JSON means the same there. Where it is not (a
value inside a longer text, in a comment, in a block that is captured and put out later) the skeleton says so and the
text is read in full.
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
"""Kept in memory: one for each template and combination of branches; more only where values are put out without
``tojson``.
"""

_TOKEN = re.compile("\ue000(\\d+)\ue001")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it: ten times faster


def _not_json(value: object) -> NoReturn:
    if isinstance(value, Undefined):
        str(value)  # raises what is undefined, by name
    raise TypeError(f"{type(value).__name__} is not JSON")


_encode = json.JSONEncoder(ensure_ascii=False, default=_not_json).encode  # json.dumps would make one for each call


class Json(str):
    """JSON text that remembers its value."""

    __slots__ = ("value",)
    value: Any

    @classmethod
    def of(cls, value: Any) -> Json:
        """Write a value as JSON. Raises ``TypeError`` where it has none."""
        text = cls(_encode(value))
        # A mapping is read back, so that what is put into a document is the document's own.
        text.value = value if isinstance(value, (str, int, float, bool, type(None))) else json.loads(text)
        return text


class NotWhole(Exception):
    """A value stands inside something else; only reading the text in full is exact."""


class Values:
    """Collects the values of one rendering; its ``finalize`` is Jinja's."""

    def __init__(self) -> None:
        self._values: list[Json] = []
        self._whole = True

    def begin(self) -> None:
        """Forget what an earlier rendering left, which may have failed half-way."""
        self._values, self._whole = [], True

    def finalize(self, value: Any) -> Any:
        """Put a token in the place of a JSON value."""
        if not isinstance(value, Json):
            return value
        self._whole = self._whole and "\ue000" not in value  # it holds a block that was captured with tokens in it
        self._values.append(value)
        return f"\ue000{len(self._values) - 1}\ue001"

    def read(self, rendered: str) -> Document:
        """The document. Raises ``NotWhole`` where the template is to be rendered without tokens."""
        try:
            skeleton = _skeleton(rendered)
        except yaml.YAMLError as error:
            raise NotWhole from error
        if not self._whole or skeleton.tokens != len(self._values):
            raise NotWhole
        return skeleton.filled(self._values)


def read_in_full(rendered: str) -> Document:
    """The document of a text without tokens. Raises ``yaml.YAMLError``."""
    return yaml.load(rendered, Loader=_Loader)  # noqa: S506  is safe


class _Skeleton:
    """A document with tokens; ``tokens`` is how many stand for a whole value or key, -1 where any does not."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.tokens = _count(document)

    def filled(self, values: list[Json]) -> Document:
        """The document with its values."""
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
