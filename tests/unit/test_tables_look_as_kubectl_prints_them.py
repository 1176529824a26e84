"""Tables and ages are as a user of kubectl expects them."""

from __future__ import annotations

import sys

import pytest

from integration_operator.cli.table import SHORTEST, Table
from integration_operator.runtime.durations import human_duration


def test_columns_are_padded_and_a_missing_value_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(("NAME", "READY", "MESSAGE"))
    table.show([("a", "True", "all is well"), ("another", "", "evil \x1b[31m text\nin two lines")])
    assert capsys.readouterr().out.splitlines() == [
        "NAME      READY    MESSAGE",
        "a         True     all is well",
        "another   <none>   evil \ufffd[31m text in two lines",
    ]
    table.show([("b", "True", "later")])
    assert capsys.readouterr().out == "b         True     later\n"


@pytest.mark.parametrize(("columns", "cut"), [(60, True), (40, False), (200, False)])
def test_only_the_last_column_is_cut_and_only_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int, cut: bool
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    row = ("a-name-of-a-usual-length", "word " * 20)
    Table(("NAME", "MESSAGE")).show([row])
    whole = capsys.readouterr().out.splitlines()[1]
    assert whole.endswith("word word"), "piped output is whole"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    Table(("NAME", "MESSAGE")).show([row])
    shown = capsys.readouterr().out.splitlines()[1]
    assert (shown != whole) == cut
    assert not cut or (shown.endswith("…") and len(shown) <= columns and len(shown) >= len(row[0]) + SHORTEST)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<unknown>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (600, "10m"),
        (10799, "179m"), (10800, "3h"), (12060, "3h21m"), (28800, "8h"), (172799, "47h"), (172800, "2d"),
        (180000, "2d2h"), (691200, "8d"), (63071999, "729d"), (63072000, "2y"), (94694400, "3y1d"), (400000000, "12y"),
    ],
)  # fmt: skip
def test_ages(seconds: float, shown: str) -> None:
    assert human_duration(seconds) == shown
