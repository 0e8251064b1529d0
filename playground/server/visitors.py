"""Who asks, and how much of what they asked for is under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def visitor(request: Any) -> str:
    """The address of who asks, "" where nobody knows; `request` is Gradio's, Starlette's or None.
    Behind a trusted proxy it is the one that the proxy names (proxies.py)."""
    return request.client.host if request is not None and request.client else ""


@contextmanager
def one_more(running: Counter[str], name: str) -> Iterator[None]:
    """While it lasts one more of the visitor's is under way."""
    running[name] += 1
    try:
        yield
    finally:
        running[name] -= 1
        if not running[name]:
            del running[name]
