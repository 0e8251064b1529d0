"""Settings, draws, and the choice against a plain implementation of its definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.sampling import Settings, choose, choose_among_all, penalise, uniform

NUMBERS = (
    "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "length", "seed",
)  # fmt: skip
# Off the grid of sums of a few equal probabilities, where rounding would decide.
FRACTIONS = st.integers(0, 999).map(lambda place: (place + 0.1234567) / 1000)
SETTINGS = st.builds(
    Settings,
    temperature=st.one_of(st.just(0.0), st.just(1.0), FRACTIONS.map(lambda share: 0.1 + share)),
    top_k=st.one_of(st.just(0), st.integers(1, 200)),
    top_p=st.one_of(st.just(1.0), st.just(0.0), FRACTIONS),
    min_p=st.one_of(st.just(0.0), FRACTIONS),
)


def some_logits(seed: int, count: int) -> np.ndarray:
    """(count,) with many equal ones among them."""
    return np.round(np.random.default_rng(seed).normal(0, 3, count), 1)


def choice(logits: np.ndarray, settings: Settings, roll: float) -> tuple[int, float]:
    """The definition, over all ids: the reference."""
    order = sorted(range(len(logits)), key=lambda number: (-logits[number], number))
    if settings.temperature == 0:
        return order[0], 1.0
    order = order[: settings.top_k or len(order)]
    weights = [math.exp((logits[one] - logits[order[0]]) / settings.temperature) for one in order]
    total, before = sum(weights), 0.0
    kept: list[tuple[int, float]] = []
    for number, weight in zip(order, weights, strict=True):
        if kept and (before >= settings.top_p * total or weight < settings.min_p):
            break
        kept.append((number, weight))
        before += weight
    passed = np.cumsum([weight for _, weight in kept]) > roll * before
    number, weight = kept[int(passed.argmax()) if passed.any() else -1]
    return number, weight / before


@given(SETTINGS, FRACTIONS, st.integers(0, 10_000), st.integers(1, 400))
def test_the_choice_among_all_is_the_definition(
    settings: Settings, roll: float, seed: int, count: int
) -> None:
    logits = some_logits(seed, count)
    expected = choice(logits, settings, roll)
    for near in (200, 256, count):  # how many are looked at first changes nothing
        found = choose_among_all(logits, settings, roll, near)
        assert found == (expected[0], pytest.approx(expected[1]))


@given(SETTINGS, FRACTIONS, st.integers(0, 10_000), st.integers(200, 400))
def test_a_choice_among_the_likeliest_is_the_one_among_all_or_none(
    settings: Settings, roll: float, seed: int, count: int
) -> None:
    logits = some_logits(seed, 400)
    order = np.lexsort((np.arange(400), -logits))
    rest = logits[order[count:]] / (settings.temperature or 1)
    log_rest = float(np.log(np.exp(rest).sum())) if len(rest) else -math.inf
    found = choose(logits[order[:count]], log_rest, settings, roll)
    if found is None:
        assert not settings.top_k
        assert count < 400
    else:
        number, chance = choice(logits, settings, roll)
        assert (order[found[0]], found[1]) == (number, pytest.approx(chance))


def test_a_choice_beyond_the_likeliest_is_asked_again() -> None:
    logits = np.zeros(4)
    everything = Settings(temperature=1, top_k=0)
    assert choose(logits, math.log(4), everything, 0.4) == (3, pytest.approx(1 / 8))
    assert choose(logits, math.log(4), everything, 0.6) is None
    assert choose_among_all(np.zeros(8), everything, 0.6, 4) == (4, pytest.approx(1 / 8))
    assert choose_among_all(np.zeros(8), everything, 1 - 2**-53, 4)[0] == 7


def test_what_is_impossible_is_never_chosen() -> None:
    logits = np.array([0.0, -np.inf, 1.0, -np.inf])
    found = {
        choose_among_all(logits, Settings(temperature=2, top_k=top_k), roll)[0]
        for roll in np.linspace(0, 1, 50, endpoint=False)
        for top_k in (0, 1, 3, 200)
    }
    assert found == {0, 2}


def test_penalty_makes_what_was_there_less_likely_once() -> None:
    logits = np.array([2.0, -2.0, 2.0, -2.0])
    penalise(logits, [0, 1, 0, 0], 2.0)
    assert logits.tolist() == [1.0, -4.0, 2.0, -2.0]


def test_dice_are_splitmix64() -> None:
    # The first three numbers of the generator that starts at 0, as its authors' program gives them.
    published = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)
    assert [uniform(0, place) for place in range(3)] == [(one >> 11) / 2**53 for one in published]
    assert uniform(7, 0) == 0.7210923611323953
    assert uniform(2**32 - 1, 999) == 0.24008424471428247


def test_dice_are_uniform_along_a_story_and_across_seeds() -> None:
    along = [uniform(3, place) for place in range(10_000)]
    across = [uniform(seed, 0) for seed in range(10_000)]
    for rolls in (along, across):
        counts = np.histogram(rolls, bins=10, range=(0, 1))[0]
        assert counts.min() > 880
        assert counts.max() < 1120
        assert 0 <= min(rolls) <= max(rolls) < 1
    assert abs(np.corrcoef(along, across)[0, 1]) < 0.05
    assert abs(np.corrcoef(along[1:], along[:-1])[0, 1]) < 0.05


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        -1,
        -0.5,
        1e300,
        10**400,
        10**5000,
        "1",
        "",
        None,
        True,
        [1],
        1j,
    ],
    ids=lambda value: str(value)[:8] if not isinstance(value, int) else f"{float(min(value, 9))}",
)
def test_a_bad_number_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError) as refusal:
        Settings(**{name: value})
    check_sentence(str(refusal.value), name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 2.1),
        ("top_k", 201),
        ("top_k", 1.5),
        ("top_p", 1.01),
        ("repetition_penalty", 0),
        ("length", 0),
        ("length", 1001),
        ("seed", 2**32),
        ("banned_words", "a" * 101),
        ("banned_words", ("",)),
        ("banned_words", (" \n",)),
        ("banned_words", (7,)),
        ("banned_words", None),
        ("banned_words", 7),
        ("banned_words", ["a"] * 101),
        ("banned_words", ["a" * 101]),
        ("banned_words", ["\ud800"]),
        ("stop_at_end", "yes"),
        ("stop_at_end", 1),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError) as refusal:
        Settings(**{name: value})
    check_sentence(str(refusal.value), name)


def check_sentence(text: str, name: str) -> None:
    """One short sentence that names the setting."""
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
def test_a_temperature_near_0_takes_the_likeliest(temperature: float) -> None:
    logits = np.array([3.0, 9.0, 8.9, -400.0, 0.0])
    settings = Settings(temperature=temperature, top_k=0, top_p=0.9, min_p=0.1)
    with np.errstate(all="raise", under="ignore"):
        assert choose_among_all(logits, settings, 0.999) == (1, 1.0)
    assert Settings(temperature=temperature).temperature in (0.0, temperature)


def test_a_text_of_banned_words_has_commas_between_them() -> None:
    words = ("fox", "big bad wolf", "狼", "狐", "cat")
    assert Settings(banned_words="fox, big bad wolf,, 狼、狐，cat ,").banned_words == words  # type: ignore[arg-type]
    assert Settings(banned_words="fox").banned_words == ("fox",)  # type: ignore[arg-type]
    assert Settings(banned_words=" ").banned_words == ()  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match="as a list or as a text with commas between them, not '5'"
    ):
        Settings(banned_words=5)  # type: ignore[arg-type]


def test_all_but_a_few_ids_may_be_banned() -> None:
    logits = np.full(1000, -np.inf)
    logits[[7, 900]] = 1.0, 0.0
    chosen = {choose_among_all(logits, Settings(top_k=0), uniform(1, k))[0] for k in range(50)}
    assert chosen == {7, 900}
