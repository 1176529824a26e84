"""JSON of other systems is parsed as far as it is bounded in depth and in number; else one typed error says why."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_operator.runtime.json_text import MAX_DEPTH, Malformed, parse, parse_pruned, prune

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def nested(depth: int, left: str = "[", right: str = "]") -> str:
    return left * depth + right * depth


@given(anything, st.booleans())
def test_what_is_within_bounds_is_parsed(value: Any, ascii_only: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=ascii_only)) == value


@pytest.mark.parametrize("text", ['"[[[["', r'"\"["', r'"\\"', r'["\\\"[", "]"]', '{"{": "}"}', " [ [ ] , { } ] "])
def test_brackets_in_strings_are_no_structure(text: str) -> None:
    assert parse(text, max_depth=2) == json.loads(text)


def test_depth_is_bounded_exactly() -> None:
    assert parse(nested(MAX_DEPTH)) is not None
    with pytest.raises(Malformed, match="64 levels"):
        parse(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}"), ("[", "")])
def test_any_depth_is_an_error_and_no_exhausted_stack(depth: int, left: str, right: str) -> None:
    with pytest.raises(Malformed):
        parse(nested(depth, left, "1" + right if left == '{"a":' else right))


def test_the_number_of_values_is_bounded() -> None:
    assert len(parse(json.dumps([{}] * 400), max_values=1000)) == 400
    with pytest.raises(Malformed, match="1000 values"):
        parse(json.dumps([{}] * 600), max_values=1000)


@given(st.binary(max_size=60) | st.text(alphabet='[]{},:"\\ 1ae', max_size=60).map(str.encode))
def test_anything_else_is_the_same_error(data: bytes) -> None:
    with suppress(Malformed):
        parse(data)


@given(anything, st.integers(1, 3))
def test_pruned_keeps_all_that_is_not_deeper(value: Any, max_depth: int) -> None:
    def cut(value: Any, levels: int) -> Any:
        if isinstance(value, list | dict) and not levels:
            return None
        if isinstance(value, list):
            return [cut(item, levels - 1) for item in value]
        return {key: cut(item, levels - 1) for key, item in value.items()} if isinstance(value, dict) else value

    assert json.loads(prune(json.dumps(value).encode(), max_depth=max_depth)) == cut(value, max_depth)


def test_one_deep_member_is_pruned_and_the_others_are_read() -> None:
    text = '{"a":1,"deep":' + nested(9_000) + ',"b":{"c":[2]}}'
    found = parse_pruned(text.encode(), max_depth=10)
    assert (found["a"], found["b"]) == (1, {"c": [2]})
    assert json.dumps(found["deep"]) == nested(9, "[", "]").replace("[]", "[null]")


@pytest.mark.parametrize("text", ["[" * 5_000, '{"a":' * 5_000 + '"', "[" * 70 + "}" * 70])
def test_what_is_cut_off_is_malformed_however_deep(text: str) -> None:
    with pytest.raises(Malformed):
        parse_pruned(text.encode())
