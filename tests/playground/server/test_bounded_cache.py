"""The cache stays under its bound, and keeps what was asked for last."""

from __future__ import annotations

import random

from playground.server.bounded_cache import BoundedCache


def test_the_oldest_goes_first() -> None:
    cache = BoundedCache(10)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    assert cache.get("a") == b"1234"
    cache.put("c", b"1234")
    assert cache.get("b") is None
    assert (cache.get("a"), cache.get("c")) == (b"1234", b"1234")
    cache.put("a", b"12")
    assert cache.size == 6
    cache.put("d", b"x" * 11)
    assert cache.get("d") is None and cache.size == 0


def test_it_stays_under_its_bound() -> None:
    cache, draw = BoundedCache(1_000), random.Random(1)
    for _ in range(2_000):
        cache.put(draw.randrange(50), b"x" * draw.randrange(300))
        assert cache.size <= 1_000
        assert cache.size == sum(len(data) for data in cache._values.values())
