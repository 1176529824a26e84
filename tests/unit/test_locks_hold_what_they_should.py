"""The image installs what the product needs and nothing else; every pin has hashes, and no lock names a registry."""

from __future__ import annotations

import re
import tomllib
from collections import deque
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
SANDBOX = tomllib.loads((TOP / "sandbox" / "pyproject.toml").read_text())
RUNTIME, DEVELOPMENT, BUILD = "requirements.lock", "requirements-dev.lock", "requirements-build.lock"
AMQP, OTEL, GO = "requirements-amqp.lock", "requirements-otel.lock", "requirements-go.lock"
LOCKS = (RUNTIME, DEVELOPMENT, BUILD, AMQP, OTEL, GO)
COMPILES = ["setuptools", "cffi"]
"""What builds python-qpid-proton (its pyproject.toml). It has no wheel for Linux."""


def pins(lock: str) -> dict[str, str]:
    """Return what a lock installs: versions by name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", (TOP / lock).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def needed(texts: list[str]) -> set[str]:
    """Return the names of all packages that requirements lead to, by what is installed here."""
    queue = deque(Requirement(text) for text in texts)
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        requirement = queue.popleft()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        for text in requires(requirement.name) or ():
            below = Requirement(text)
            extras = requirement.extras or {""}
            if below.marker is None or any(below.marker.evaluate({"extra": extra}) for extra in extras):
                queue.append(below)
    return {name for name, _ in seen}


def test_the_runtime_lock_is_what_the_product_needs() -> None:
    assert set(pins(RUNTIME)) == needed(PROJECT["project"]["dependencies"])


def test_no_package_of_development_is_in_it() -> None:
    tools = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependency-groups"]["dev"]}
    assert {"mypy", "pytest", "ruff", "hypothesis", "pre-commit", "hatchling"} <= tools
    assert tools & set(pins(RUNTIME)) == set()
    assert tools <= set(pins(DEVELOPMENT))


@pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT])
def test_it_satisfies_the_dependencies_of_the_project(lock: str) -> None:
    there = pins(lock)
    for text in PROJECT["project"]["dependencies"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(there[canonicalize_name(requirement.name)]), text


def test_the_development_lock_has_what_the_sandbox_needs() -> None:
    """The checkout installs the sandbox without its dependencies: they come from the lock, except for the product."""
    there = pins(DEVELOPMENT)
    others = [
        text for text in SANDBOX["project"]["dependencies"] if Requirement(text).name != PROJECT["project"]["name"]
    ]
    for text in others:
        requirement = Requirement(text)
        assert requirement.specifier.contains(there[canonicalize_name(requirement.name)]), text
    assert needed(others) - set(there) == set()
    assert SANDBOX["build-system"] == PROJECT["build-system"], "the build lock has the backend of both"


def test_the_go_lock_satisfies_the_sandbox() -> None:
    (text,) = SANDBOX["project"]["optional-dependencies"]["go"]
    requirement = Requirement(text)
    assert requirement.specifier.contains(pins(GO)[canonicalize_name(requirement.name)])


def test_the_library_of_the_extra_is_in_its_own_lock_alone() -> None:
    """It needs a C compiler: no other lock may fail to install without one."""
    (text,) = PROJECT["project"]["optional-dependencies"]["amqp"]
    library = canonicalize_name(Requirement(text).name)
    assert Requirement(text).specifier.contains(pins(AMQP)[library])
    assert [lock for lock in LOCKS if library in pins(lock)] == [AMQP]


def test_the_extra_adds_one_package_to_the_product() -> None:
    """The image installs that one without its dependencies, which it has already."""
    (text,) = PROJECT["project"]["optional-dependencies"]["amqp"]
    others = pins(AMQP)
    del others[canonicalize_name(Requirement(text).name)]
    assert others.items() <= pins(RUNTIME).items()
    assert others.items() <= pins(DEVELOPMENT).items()


def test_the_lock_for_traces_is_what_its_extra_needs() -> None:
    """Installed over the product it changes none of its packages, and is what is tested."""
    extra, there = PROJECT["project"]["optional-dependencies"]["otel"], pins(OTEL)
    assert set(there) == needed(extra)
    for text in extra:
        requirement = Requirement(text)
        assert requirement.specifier.contains(there[canonicalize_name(requirement.name)]), text
        assert canonicalize_name(requirement.name) not in pins(RUNTIME)
    assert there.items() <= pins(DEVELOPMENT).items()
    shared = there.keys() & pins(RUNTIME).keys()
    assert {name: there[name] for name in shared} == {name: pins(RUNTIME)[name] for name in shared}


def test_the_build_lock_has_the_backends_and_what_they_need() -> None:
    wanted = PROJECT["build-system"]["requires"]
    assert set(pins(BUILD)) == needed([*wanted, *COMPILES])
    assert set(COMPILES) <= set(pins(DEVELOPMENT)), "make builds it without isolation, too"


def test_what_is_tested_is_what_is_installed() -> None:
    for lock in (RUNTIME, BUILD):
        assert pins(lock).items() <= pins(DEVELOPMENT).items()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash_and_no_registry_is_named(lock: str) -> None:
    text = (TOP / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links|--trusted-host)\b", text, re.MULTILINE)
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
