"""Python still computes what the page's JavaScript is held to (vectors.py)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.vectors import FILE, PARTS, run_filters


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))


def flat(value: Any) -> list[Any]:
    """The leaves of nested lists and dictionaries, in order."""
    if isinstance(value, dict):
        return [leaf for key in value for leaf in [key, *flat(value[key])]]
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in flat(part)]
    return [value]


@pytest.mark.parametrize("part", ["uniform", "odds", "seams", "characters"])
def test_python_computes_what_the_file_says(part: str, kept: dict[str, Any]) -> None:
    assert flat(kept[part]) == flat(PARTS[part]())


def test_python_finds_in_a_filter_what_the_file_says(kept: dict[str, Any]) -> None:
    """The compressed bytes depend on the zlib that wrote them."""
    found = run_filters()
    for part in ("hashes", "traces"):
        assert flat(kept["run_filters"][part]) == flat(found[part])
