"""Following an Integration while the operator works on it: each change of its state is one line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from integration_operator.cli.failure import NO_PAIR, UNFINISHED, fail
from integration_operator.cli.output import say
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.runtime.ref import Ref

if TYPE_CHECKING:
    from integration_operator.runtime.client import Client

NOT_SEEN = "the operator has not seen the change yet"

POLL = 0.5
"""Seconds between two requests for an Integration that is followed."""


async def follow(
    client: Client, path: str, ref: Ref, look: Callable[[Integration], tuple[str, bool]], *, within: float
) -> None:
    """Print the state of an Integration whenever it changes, until ``look`` says that it is done.

    ``look`` returns the state as a line, and whether it is the last one. ``within`` is in seconds.
    """
    from integration_operator.runtime.errors import NotFound

    printed = ""
    try:
        async with asyncio.timeout(within):
            while True:
                try:
                    current = parse_integration(await client.get(path))
                except NotFound:
                    fail(f"Integration {ref} was deleted meanwhile", NO_PAIR)
                state, done = look(current)
                if state != printed:
                    say(f"… {state}", indent=2)
                    printed = state
                if done:
                    say("done", indent=2)
                    return
                await asyncio.sleep(POLL)
    except TimeoutError:
        fail(f"{ref}: not done within {within:.0f} s; last: {printed}. Is the operator running?", UNFINISHED)


def described_summary(integration: Integration) -> str:
    """Return reason and message of the condition Ready, or of the one in its place."""
    return _described(integration.summary)


def described_condition(integration: Integration, type_: str) -> str:
    """Return reason and message of a condition."""
    return _described(integration.condition(type_))


def _described(condition: dict[str, Any]) -> str:
    return f"{condition.get('reason', '')}: {condition.get('message', '')}" if condition else NOT_SEEN
