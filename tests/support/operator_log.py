"""The log of an operator that runs in the test's process."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from integration_operator.runtime import logs as operator_logging


@pytest.fixture
def operator_log() -> Iterator[io.StringIO]:
    """Return the stream that the operator logs to, in JSON as its process does.

    Logging belongs to the whole process, so that it is put back for the test that comes next.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    operator_logging.configure("debug", "json")
    structlog.configure(cache_logger_on_first_use=False)
    stream = io.StringIO()
    for handler in root.handlers:
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
