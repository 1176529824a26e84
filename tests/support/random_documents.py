"""Malformed documents: valid ones in which some values are replaced."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]

LONGEST = 1024
"""Bytes of any message of another system that reaches a condition, an Event or a log line."""


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": [value]}
    return value


texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", " ", "\x1b]0;owned\x07", "a\nb", "..", "../x", "a/b", "\u202e", "x" * 5_000, "é" * 5_000, "²", "NaN"]
    ),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.sampled_from([10**40, -1, 65536, 2**63])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
) | st.sampled_from([deep(20), [{}] * 500, ["x" * 500] * 50])


def places(document: Any, at: Path = ()) -> Iterator[Path]:
    """Yield the path of each value below a document."""
    inside = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inside:
        yield (*at, key)
        yield from places(value, (*at, key))


@st.composite
def mutated(draw: st.DrawFn, document: Any, keep: tuple[Path, ...] = ()) -> Any:
    """Draw a copy of the document in which up to four places, except those to ``keep``, hold anything or nothing."""
    changed = copy.deepcopy(document)
    here = [path for path in places(document) if not any(kept[: len(path)] == path for kept in keep)]
    chosen = draw(st.lists(st.sampled_from(here), max_size=4, unique=True))
    for *way, last in sorted(chosen, key=len, reverse=True):  # what is inside of another place goes first
        parent = changed
        for key in way:
            parent = parent[key]
        if draw(st.booleans()) or isinstance(parent, list):
            parent[last] = copy.deepcopy(draw(values))
        else:
            del parent[last]
    return changed


def is_safe(message: object) -> bool:
    """Return whether a message is bounded and moves no cursor."""
    return isinstance(message, str) and len(message.encode()) <= LONGEST and message.isprintable()
