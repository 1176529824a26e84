"""The log of the process has the chosen level, and is JSON unless a person reads it on a terminal."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from integration_operator.runtime import logs


@pytest.fixture(autouse=True)
def logging_of_the_process() -> Iterator[None]:
    """Put logging back for the test that comes next."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    quiet = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.parametrize(
    ("format_", "on_terminal", "as_json"),
    [("json", True, True), ("text", False, False), ("auto", False, True), ("auto", True, False)],
)
def test_format(
    format_: str,
    on_terminal: bool,
    as_json: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: on_terminal)
    logs.configure("info", format_)
    structlog.get_logger("of.the.operator").info("applied", pair="shop/orders")
    line = capsys.readouterr().err
    assert "shop/orders" in line
    if as_json:
        assert json.loads(line)["event"] == "applied"
    else:
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(line)


def test_each_line_begins_with_time_level_and_event(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.get_logger("of.the.operator").bind(pair="shop/orders").warning("applied", kind="Secret")
    logging.getLogger("kopf").warning("a warning")
    lines = [list(json.loads(line)) for line in capsys.readouterr().err.splitlines()]
    assert lines == [["timestamp", "level", "event", "pair", "kind"], ["timestamp", "level", "event"]]


@pytest.mark.parametrize(
    ("level", "shown"), [("debug", ["debug", "info", "warning"]), ("info", ["info", "warning"]), ("error", [])]
)
def test_level(level: str, shown: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level, "json")
    log = structlog.get_logger("of.the.operator")
    for at in ("debug", "info", "warning"):
        getattr(log, at)("applied")
    assert [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()] == shown


def test_libraries_log_warnings_in_the_same_format_and_nothing_less(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", "json")
    for name in logs.QUIET:
        logging.getLogger(name).info("a detail")
        logging.getLogger(name).warning("a warning")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["a warning"] * len(logs.QUIET)
