"""The flag ``--pairing-rules`` of the commands that decide without running."""

from __future__ import annotations

from typing import Annotated

import typer

from integration_operator.cli.failure import WRONG_INPUT, fail
from integration_operator.domain.pairing import DEFAULT_RULES, rules_named

ALL_DEFAULT_RULES = ",".join(DEFAULT_RULES)

Rules = Annotated[str, typer.Option("--pairing-rules", help="Pairing rules, in order, separated by commas.")]


def rules_of(text: str) -> tuple[str, ...]:
    """Return the rules that the flag names; end the command if one does not exist."""
    try:
        return rules_named(text)
    except ValueError as error:
        fail(f"--pairing-rules: {error}", WRONG_INPUT)
