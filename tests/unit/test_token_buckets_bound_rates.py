"""A token bucket allows a burst, and a steady rate after it."""

from __future__ import annotations

from integration_operator.runtime.token_bucket import MAX_KEYS, TokenBucket, TokenBuckets
from tests.support.clocks import Clock


def test_a_burst_and_then_the_rate() -> None:
    bucket = TokenBucket(rate=100, burst=2, now=0.0)
    assert [bucket.reserve(0.0) for _ in range(4)] == [0.0, 0.0, 0.01, 0.02]
    assert bucket.reserve(1.0) == 0.0, "it fills up again"


def test_without_a_token_none_is_taken() -> None:
    bucket = TokenBucket(rate=2, burst=1, now=0.0)
    assert bucket.take(0.0) == 0.0
    assert [bucket.take(0.0), bucket.take(0.0)] == [0.5, 0.5]
    assert bucket.take(0.5) == 0.0


def test_keys_do_not_share_tokens_and_the_oldest_is_forgotten() -> None:
    clock = Clock(now=0.0)
    buckets: TokenBuckets[int] = TokenBuckets(1, 1.0, clock)
    assert [buckets.take(1), buckets.take(2), buckets.take(1)] == [0.0, 0.0, 1.0]
    for key in range(3, MAX_KEYS + 3):
        buckets.take(key)
    assert buckets.take(1) == 0.0, "it was used longest ago"


def test_the_wait_is_until_the_next_whole_token() -> None:
    bucket = TokenBucket(rate=2, burst=2, now=0.0)
    assert [bucket.take(0.0), bucket.take(0.0), bucket.take(0.25)] == [0.0, 0.0, 0.25]
    assert bucket.take(0.5) == 0.0


def test_as_many_keys_as_there_may_be_are_remembered() -> None:
    buckets: TokenBuckets[int] = TokenBuckets(1, 1.0, Clock(now=0.0))
    for key in range(MAX_KEYS):
        buckets.take(key)
    assert buckets.take(0) > 0.0
