"""Changes and faults at random for a while: everything ends as desired, and one process does not grow."""

from __future__ import annotations

import pytest

from tests.support.faults.soak import soak


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_two_minutes() -> None:
    assert await soak(2.0, seed=1) == []
