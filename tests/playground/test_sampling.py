"""Settings: what they refuse and what they become. The choice is tested with the core."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from playground.sampling import Settings

NUMBERS = (
    "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "length", "seed",
)  # fmt: skip


NO_NUMBERS = [
    math.nan, math.inf, -math.inf, -1, -0.5, 1e300, 10**400, 10**5000, "1", "", None, True, [1], 1j,
]  # fmt: skip
BAD = [
    ("temperature", 2.1), ("top_k", 201), ("top_k", 1.5), ("top_p", 1.01),
    ("repetition_penalty", 0), ("length", 0), ("length", 1001), ("seed", 2**32),
    ("banned_words", "a" * 101), ("banned_words", ("",)), ("banned_words", (" \n",)),
    ("banned_words", (7,)), ("banned_words", None), ("banned_words", 7),
    ("banned_words", ["a"] * 101), ("banned_words", ["a" * 101]), ("banned_words", ["\ud800"]),
    ("stop_at_end", "yes"), ("stop_at_end", 1),
]  # fmt: skip
BAD += [(name, value) for name in NUMBERS for value in NO_NUMBERS]


@pytest.mark.parametrize(("name", "value"), BAD, ids=range(len(BAD)))
def test_a_bad_value_is_refused_by_name(name: str, value: Any) -> None:
    """In one short sentence."""
    with pytest.raises(ValueError) as refusal:
        Settings(**{name: value})
    text = str(refusal.value)
    assert text.startswith(name)
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 200


def test_whole_numbers_may_come_as_decimals() -> None:
    settings = Settings(top_k=40.0, seed=np.int64(3), temperature=1, banned_words=["a"])  # type: ignore[arg-type]
    assert settings == Settings(top_k=40, seed=3, temperature=1.0, banned_words=("a",))
    assert isinstance(settings.top_k, int)
    assert isinstance(settings.seed, int)


@pytest.mark.parametrize("values", [None, [], "x", {"speed": 3}, {"top_k": "many"}])
def test_settings_of_a_record_are_checked(values: Any) -> None:
    with pytest.raises(ValueError):
        Settings.from_json(values)
    assert Settings.from_json({"top_k": 3}) == Settings(top_k=3)


@pytest.mark.parametrize("temperature", [5e-324, 1e-308, 1e-30, 9e-7, 1e-6, 1e-3])
def test_a_temperature_near_0_is_0(temperature: float) -> None:
    expected = 0.0 if temperature < 1e-6 else temperature
    assert Settings(temperature=temperature).temperature == expected


def test_a_text_of_banned_words_has_commas_between_them() -> None:
    words = ("fox", "big bad wolf", "狼", "狐", "cat")
    assert Settings(banned_words="fox, big bad wolf,, 狼、狐，cat ,").banned_words == words  # type: ignore[arg-type]
    assert Settings(banned_words="fox").banned_words == ("fox",)  # type: ignore[arg-type]
    assert Settings(banned_words=" ").banned_words == ()  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match="as a list or as a text with commas between them, not '5'"
    ):
        Settings(banned_words=5)  # type: ignore[arg-type]
