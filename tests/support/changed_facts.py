"""Facts of a pair with some of them changed, wherever in the facts they are."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from integration_operator.domain.model.facts import Children, Facts, Holds, Login, PlanSettings

PARTS: dict[str, type] = {"children": Children, "login": Login, "holds": Holds, "settings": PlanSettings}


def changed_facts(facts: Facts, **changes: Any) -> Facts:
    """Return the facts with changes to them or to one of their parts."""
    for part, type_ in PARTS.items():
        names = {field.name for field in fields(type_)} & changes.keys()
        if names:
            inner = {name: changes.pop(name) for name in names}
            facts = replace(facts, **{part: replace(getattr(facts, part), **inner)})
    return replace(facts, **changes)
