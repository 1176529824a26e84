"""Find the Java that runs a program and the Maven that fetches it, or name what to install."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from integration_operator_sandbox.errors import ToolchainMissing

OLDEST_JAVA = 17
"""What Keycloak 26 (https://www.keycloak.org/server/configuration) and Artemis 2.40 run on."""


class JavaMissing(ToolchainMissing):
    """There is no Java that can run the program."""


class MavenMissing(ToolchainMissing):
    """There is no Maven that can fetch the program, and the program is not cached."""


def find_java(program: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the ``java`` of ``JAVA_HOME``, otherwise that on ``PATH``; ``program`` is what needs it, for the error.

    Raises ``JavaMissing``, also for an old one.
    """
    home = environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else environ.get("PATH", os.defpath))
    version = _version(found) if found else None
    if found is None or version is None or version < OLDEST_JAVA:
        seen = "there is none" if version is None else f"{found} is Java {version}"
        raise JavaMissing(
            f"{program} runs on Java {OLDEST_JAVA} or newer, and {seen}: install a JRE (openjdk-17-jre-headless)"
        )
    return Path(found)


def find_maven(program: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the ``mvn`` on ``PATH``; ``program`` is what it fetches. Raises ``MavenMissing``."""
    found = shutil.which("mvn", path=environ.get("PATH", os.defpath))
    if found is None:
        raise MavenMissing(f"{program} is fetched once with Maven, and there is no mvn on PATH: install Maven")
    return Path(found)


def _version(java: str) -> int | None:
    """Return the feature release: 17 for ``openjdk version "17.0.15"``, 8 for ``java version "1.8.0_412"``."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(found[1]) if found else None
