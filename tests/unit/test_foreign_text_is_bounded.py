"""Text of other systems is shown on one line, bounded, and moves no cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from integration_operator.runtime.text import CUT, sanitized


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\r\n\tand  more ", "two lines and more"),
        ("\x1b]0;owned\x07after", "\ufffd]0;owned\ufffdafter"),
        ("abc\u202edef", "abc\ufffddef"),
        ("zero\x00byte", "zero\ufffdbyte"),
        (12, "12"),
    ],
)
def test_control_characters_are_replaced(text: object, shown: str) -> None:
    assert sanitized(text) == shown


def test_a_long_text_is_cut_at_a_character_and_marked() -> None:
    shown = sanitized("é" * 1000, 101)
    assert shown.endswith(CUT)
    assert len(shown.encode()) <= 101
    assert set(shown[:-1]) == {"é"}


@given(st.text(max_size=400), st.integers(4, 200))
def test_never_more_than_the_limit(text: str, limit: int) -> None:
    shown = sanitized(text, limit)
    assert len(shown.encode()) <= limit
    assert shown.isprintable()
