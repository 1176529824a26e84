"""A dry run on documents, as the commands make it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from integration_operator.controllers.integration.dry_run import DryRun
from integration_operator.controllers.integration.offline import cache_of_documents
from integration_operator.domain.model.facts import PlanSettings


def dry_run(documents: Iterable[dict[str, Any]], rules: tuple[str, ...], *, enable_new: bool = True) -> DryRun:
    """Return a dry run in which new Integrations are enabled, unless told otherwise."""
    return DryRun(cache_of_documents(documents), PlanSettings(rules=rules, enable_new=enable_new))
