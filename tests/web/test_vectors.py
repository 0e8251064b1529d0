"""Python still computes what the page's JavaScript is held to (vectors.py)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.vectors import FILE, vectors


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return vectors()


def flat(value: Any) -> list[Any]:
    """The leaves of nested lists and dictionaries, in order."""
    if isinstance(value, dict):
        return [leaf for key in value for leaf in [key, *flat(value[key])]]
    if isinstance(value, list):
        return [leaf for part in value for leaf in flat(part)]
    return [value]


@pytest.mark.parametrize("part", ["uniform", "odds", "choices", "qr"])
def test_python_computes_what_the_file_says(
    part: str, kept: dict[str, Any], made: dict[str, Any]
) -> None:
    """Numbers may differ in their last digits: exp() is not the same on every processor."""
    assert len(flat(kept[part])) == len(flat(made[part]))
    for old, new in zip(flat(kept[part]), flat(made[part]), strict=True):
        assert old == pytest.approx(new, rel=1e-9) if isinstance(old, float) else old == new
