"""Reading a skeleton once and filling it gives what reading the whole text gives."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import StrictUndefined, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from integration_operator.rendering import templates
from integration_operator.rendering.skeleton import EmbeddedValue, Json, Values

TEMPLATES = [
    "a: {{ x | tojson }}\nb: [{{ y | tojson }}, { c: {{ x | tojson }} }]\n",
    "{{ k | tojson }}: {{ x | tojson }}\n",
    "{% if y %}\na: {{ x | tojson }}\n{% else %}\nb: 1\n{% endif %}\n",
    "a:\n{% for item in [1, 2, 3] %}\n- {{ item | tojson }}: {{ x | tojson }}\n{% endfor %}\n",
    "a: one {{ k }} two\n",
    "a: before {{ k | tojson }}\n",
    "a: {{ x | tojson }}  # {{ k | tojson }}\n",
    "{% set block %}{{ k | tojson }}{% endset %}\na: {{ block | tojson }}\nb: {{ x | tojson }}\n",
    "a: |\n  text {{ k | tojson }}\nb: {{ y | tojson }}\n",
    "a: {{ (k ~ '!') | tojson }}\n",
    "{% set b %}{{ k | tojson }}{% endset %}\na: {{ b | tojson }}\nc: {{ b }}\n",
]

text = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Co", "Zl", "Zp")), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


def environment(finalize: Any = None) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=finalize
    )
    made.filters["tojson"] = Json.of
    return made


@pytest.mark.parametrize("template", TEMPLATES)
@settings(deadline=None, max_examples=60)
@given(x=values, y=values, k=text.filter(str.strip))
def test_both_ways_are_one(template: str, x: Any, y: Any, k: str) -> None:
    variables = {"x": x, "y": y, "k": k}
    plain = environment().from_string(template).render(variables)
    try:
        expected = yaml.safe_load(plain)
    except yaml.YAMLError:
        return
    collected = Values()
    compiled = environment(collected.finalize).from_string(template)
    for _ in range(2):  # the second time the skeleton is known
        collected.begin()
        with suppress(EmbeddedValue):  # then the text is read in full, which is what is expected
            assert collected.parse(compiled.render(variables)) == expected


@pytest.mark.parametrize(("template", "whole"), [(t, n < 4) for n, t in enumerate(TEMPLATES) if n not in (4, 9)])
def test_the_common_ways_are_read_once(template: str, whole: bool) -> None:
    collected = Values()
    compiled = environment(collected.finalize).from_string(template)
    collected.begin()
    text = compiled.render({"x": "x", "y": ["y"], "k": "k"})
    if whole:
        collected.parse(text)
    else:
        with pytest.raises(EmbeddedValue):
            collected.parse(text)


def test_the_shipped_templates_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jinja evaluates a filter on a constant when it compiles: the value would be missing in each rendering."""

    def read_in_full(text: str) -> None:
        pytest.fail(text)

    monkeypatch.setattr(templates, "parse_in_full", read_in_full)
    templates.TemplateFiles().check()


def test_what_is_put_into_a_document_is_its_own() -> None:
    shared = {"a": [1]}
    collected = Values()
    compiled = environment(collected.finalize).from_string("one: {{ x | tojson }}\n")
    collected.begin()
    collected.parse(compiled.render({"x": shared}))["one"]["a"].append(2)
    assert shared == {"a": [1]}


def test_json_text_remembers_its_value() -> None:
    found = Json.of({"é": [1, None]})
    assert found == '{"é": [1, null]}'
    assert found.value == json.loads(found)
    with pytest.raises(TypeError):
        Json.of(object())
    with pytest.raises(UndefinedError, match="nothing"):
        Json.of(StrictUndefined(name="nothing"))
