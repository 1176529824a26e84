"""Programs that run on Java: fetched once from Maven Central, and kept in the user's cache."""

from __future__ import annotations

from integration_operator_sandbox.java.distribution import Distribution
from integration_operator_sandbox.java.programs import find_java

__all__ = ["Distribution", "find_java"]
