"""Visitors by address, and how many requests of each are under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def visitor(request: Any) -> str:
    """Return a visitor's address, "" if unknown; `request` is Gradio's, Starlette's or None. Behind
    a trusted proxy it is the address that the proxy names (proxies.py)."""
    return request.client.host if request is not None and request.client else ""


@contextmanager
def one_more(running: Counter[str], name: str) -> Iterator[None]:
    """Count one more request of a visitor while the block runs."""
    running[name] += 1
    try:
        yield
    finally:
        running[name] -= 1
        if not running[name]:
            del running[name]
