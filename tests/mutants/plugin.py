"""The plugin of pytest that runs tests on a mutant, or notes which functions each test executes."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest

from tests.mutants.mutations import mutated

MUTANT, SELECTION, RECORD = "MUTANT", "MUTANT_TESTS", "MUTANT_RECORD"
"""Environment variables: the module, file and number of a mutant; a file with the tests to run; a file to write."""


class MutantImporter(importlib.abc.MetaPathFinder):
    """Imports one module with a change."""

    def __init__(self, module: str, file: str, number: int) -> None:
        self._module, self._file, self._number = module, file, number

    def find_spec(
        self, name: str, path: Any, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of the module, None for others."""
        if name != self._module:
            return None
        loader = _Loader(name, self._file, self._number)
        return importlib.util.spec_from_file_location(name, self._file, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, file: str, number: int) -> None:
        super().__init__(name, file)
        self._number = number

    def get_code(self, fullname: str) -> CodeType:
        tree = mutated(Path(self.path).read_text(), self._number)
        code: CodeType = compile(tree, self.path, "exec", dont_inherit=True)
        return code


class _Recorder:
    """Notes the functions of the product that each test executes."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._functions: set[tuple[str, int]] = set()
        self._tests: dict[str, dict[str, Any]] = {}

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and "/integration_operator/" in code.co_filename:
            self._functions.add((code.co_filename.rpartition("/integration_operator/")[2], code.co_firstlineno))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._functions = set()
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            result = yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        self._tests.setdefault(item.nodeid, {})["functions"] = sorted(self._functions)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = self._tests.setdefault(report.nodeid, {})
        test["seconds"] = test.get("seconds", 0.0) + report.duration
        test["failed"] = test.get("failed", False) or report.failed

    def pytest_sessionfinish(self) -> None:
        Path(self._file).write_text(json.dumps(self._tests))


class _Selection:
    """Runs the tests that a file names, in its order."""

    def __init__(self, file: str) -> None:
        self._order = {test: number for number, test in enumerate(json.loads(Path(file).read_text()))}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid]
        )


def pytest_configure(config: pytest.Config) -> None:
    """Register what the environment asks for."""
    if file := os.environ.get(RECORD):
        config.pluginmanager.register(_Recorder(file))
    if file := os.environ.get(SELECTION):
        config.pluginmanager.register(_Selection(file))


if MUTANT in os.environ:  # before anything of the product is imported
    module_, file_, number_ = json.loads(os.environ[MUTANT])
    sys.meta_path.insert(0, MutantImporter(module_, file_, number_))
