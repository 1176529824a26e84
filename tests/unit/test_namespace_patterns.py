"""An annotation names namespaces exactly or by patterns; what is beyond its bounds is counted and matches nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_operator.domain.model.patterns import LONGEST_PATTERN, LONGEST_TEXT, MOST_PATTERNS, NamespacePatterns


@pytest.mark.parametrize(
    ("text", "namespace", "matched"),
    [
        ("fuse", "fuse", "fuse"),
        ("fuse", "fuse-2", None),
        ("a, fuse ,b", "fuse", "fuse"),
        ("*", "any", "*"),
        ("team-*", "team-a", "team-*"),
        ("team-*", "team-", "team-*"),
        ("team-*", "my-team-a", None),
        ("*-prod", "shop-prod", "*-prod"),
        ("*shop*", "shop", "*shop*"),
        ("*shop*", "my-shop-2", "*shop*"),
        ("*shop*", "sho-p", None),
        ("a*a", "a", None),
        ("a*a", "aa", "a*a"),
        ("a*b*c", "a-c-b", None),
        ("a*b*b*c", "a-b-c", None),
        ("a*b*b*c", "a-b-b-c", "a*b*b*c"),
    ],
)
def test_match(text: str, namespace: str, matched: str | None) -> None:
    assert NamespacePatterns.parse(text).match(namespace) == matched


texts = st.text("ab*", min_size=1, max_size=6)


@given(texts, st.text("ab", max_size=8))
def test_a_pattern_matches_as_in_a_shell(pattern: str, name: str) -> None:
    expected = re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name) is not None
    assert (NamespacePatterns.parse(pattern).match(name) is not None) == expected


def test_what_names_nothing_is_false() -> None:
    assert not NamespacePatterns.parse("")
    assert not NamespacePatterns.parse(" , ")
    assert not NamespacePatterns.parse("[abc]")
    assert NamespacePatterns.parse("fuse")
    assert NamespacePatterns.parse("*")


def test_what_is_invalid_or_too_much_is_counted() -> None:
    assert NamespacePatterns.parse("fuse,[abc],Fuse,fuse,team-*").ignored == 2
    assert NamespacePatterns.parse("x" * LONGEST_PATTERN).ignored == 0
    assert NamespacePatterns.parse("x" * (LONGEST_PATTERN + 1)).ignored == 1
    many = NamespacePatterns.parse(",".join(f"n-{number}" for number in range(MOST_PATTERNS + 3)))
    assert (len(many.names), many.ignored) == (MOST_PATTERNS, 3)
    assert many.match(f"n-{MOST_PATTERNS}") is None


def test_a_text_that_is_too_long_is_not_read_to_its_end() -> None:
    exactly = "a," + " " * (LONGEST_TEXT - 3) + "b"
    assert len(exactly) == LONGEST_TEXT
    assert NamespacePatterns.parse(exactly).ignored == 0
    beyond = NamespacePatterns.parse(f"a,{' ' * LONGEST_TEXT},b,c")
    assert (beyond.names, beyond.match("b")) == (frozenset("a"), None)
    assert beyond.ignored == 3
