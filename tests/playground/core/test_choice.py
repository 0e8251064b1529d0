"""The core's choice: against its definition, against transformers, and its limits."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from transformers.generation import logits_process

from playground.core import library
from playground.core.library import NOT_A_NUMBER, NOTHING_LEFT, Head, uniform
from tests.playground.core.models import MACHINES, machine, questions_of

# Off the grid of sums of a few equal probabilities, where rounding would decide.
FRACTIONS = st.integers(0, 999).map(lambda place: (place + 0.1234567) / 1000)
SETTINGS = st.fixed_dictionaries(
    {
        "temperature": st.one_of(st.just(0.0), st.just(1.0), FRACTIONS.map(lambda x: 0.1 + 2 * x)),
        "top_k": st.one_of(st.just(0), st.integers(1, 200)),
        "top_p": st.one_of(st.just(1.0), st.just(0.0), FRACTIONS),
        "min_p": st.one_of(st.just(0.0), FRACTIONS),
        "repetition_penalty": st.one_of(st.just(1.0), FRACTIONS.map(lambda x: 0.5 + 1.5 * x)),
        "draw": FRACTIONS,
        "written": st.integers(0, 250),
        "words_form": st.integers(1, 2),
    }
)
# Of core/choice.c.
PULL, PULL_GROWTH, FINISH = 3, 3, 4
FITS, FITS_GROWTH, STEEP, CLEAR = 4, 1.2, 3, 4


def some_head(draws: np.random.Generator, ids: int) -> Head:
    """Some ids share a row, as in a storyteller; or none."""
    if draws.random() < 0.3:
        return Head(ids)
    rows = draws.integers(0, max(1, ids // 2), ids)
    _, firsts, row_of = np.unique(rows, return_index=True, return_inverse=True)
    return Head(np.argsort(np.argsort(firsts))[row_of])


def some_logits(draws: np.random.Generator, count: int) -> np.ndarray:
    """(count,) with many equal ones among them."""
    return np.round(draws.normal(0, 3, count), 1).astype(np.float32)


NO_IDS = np.array([], np.int32)


def asking(
    settings: dict[str, Any],
    seen: np.ndarray,
    banned: np.ndarray,
    begins: np.ndarray = NO_IDS,
    continues: np.ndarray = NO_IDS,
) -> np.ndarray:
    question = questions_of(1, **settings)
    for name, ids in zip(library.LISTS, (seen, banned, begins, continues), strict=True):
        question[name], question[f"num_{name}"] = ids.ctypes.data, len(ids)
    return question[0]


def ids_of(values: Any) -> np.ndarray:
    return np.array(values, np.int32)


def choice(
    logits: np.ndarray, q: np.void, seen: Any, banned: Any, begins: Any, continues: Any
) -> tuple[int, float]:
    """The definition, over the logits of all ids: the reference."""
    logits = logits.astype(np.float64)
    own, peak, hundreds = logits.copy(), logits.max(), q["written"] / 100
    odds = np.exp(own - peak) / np.exp(own - peak).sum()
    entropy = -(odds * np.log(odds)).sum()
    pull = PULL + PULL_GROWTH * hundreds * hundreds
    for token in set(seen.tolist()) if q["repetition_penalty"] != 1 else ():
        larger, smaller = (
            logits[token] / q["repetition_penalty"],
            logits[token] * q["repetition_penalty"],
        )
        logits[token] = np.float32(larger if logits[token] > 0 else smaller)
    for token in begins:
        fits = FITS + FITS_GROWTH * hundreds**3 + np.log(odds[token]) + entropy
        least = np.float32(peak + min(CLEAR, STEEP * fits))
        added = np.float32(logits[token] + pull)
        logits[token] = added if q["words_form"] == 1 else max(logits[token], least)
    for token in continues:
        added = np.float32(logits[token] + 2 * pull + FINISH)
        least = np.float32(peak + CLEAR)
        logits[token] = added if q["words_form"] == 1 else max(logits[token], least)
    order = [
        k for k in sorted(range(len(logits)), key=lambda k: (-logits[k], k)) if k not in banned
    ]
    if q["temperature"] == 0:
        return order[0], 1.0
    order = order[: int(q["top_k"]) or len(order)]
    weights = [math.exp((logits[k] - logits[order[0]]) / q["temperature"]) for k in order]
    total, before = sum(weights), 0.0
    kept: list[tuple[int, float]] = []
    for number, weight in zip(order, weights, strict=True):
        if kept and (before >= q["top_p"] * total or weight < q["min_p"]):
            break
        kept.append((number, weight))
        before += weight
    passed = np.cumsum([weight for _, weight in kept]) > q["draw"] * before
    number, weight = kept[int(passed.argmax()) if passed.any() else -1]
    return number, weight / before


BANS_ONLY = {"top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0, "draw": 0.5, "written": 0}
BANS_ONLY |= {"words_form": 1}


@given(SETTINGS, st.integers(0, 2**32), st.integers(1, 700))
@example({"temperature": 0.3, "top_k": 40, **BANS_ONLY}, 42281, 107)  # no id shares its row
def test_the_choice_is_its_definition(settings: dict[str, float], seed: int, ids: int) -> None:
    draws = np.random.default_rng(seed)
    head = some_head(draws, ids)
    logits = some_logits(draws, head.unique)
    seen = ids_of(draws.integers(0, ids, draws.integers(0, 30)))
    banned = ids_of(draws.permutation(ids)[: draws.choice([0, 0, ids // 9, ids // 2, ids - 1])])
    words = ids_of(draws.permutation(ids)[: draws.choice([0, 5])])
    begins, continues = np.split(words, [min(3, len(words))])
    q = asking(settings, seen, banned, begins, continues)
    answer = head.answer(logits, q)
    number, probability = choice(logits[head.unique_of], q, seen, banned, begins, continues)
    assert answer["id"] == number
    assert answer["chosen"] == pytest.approx(probability, rel=1e-9)


@pytest.mark.parametrize("shared", [False, True])
def test_a_banned_id_is_never_chosen(shared: bool) -> None:
    """The ranking was made before the bans: the banned ids are the likeliest of all but one."""
    head = Head(np.arange(40) // 2 if shared else 40)
    logits = np.arange(head.unique, 0, -1, np.float32)
    banned = ids_of(range(1, 30))
    for draw in np.linspace(0, 0.999, 50):
        settings = {"temperature": 1.0, "top_k": 20, **BANS_ONLY, "draw": draw}
        assert head.answer(logits, asking(settings, NO_IDS, banned))["id"] not in banned


@given(st.integers(0, 2**32), st.integers(1, 700))
def test_a_record_is_of_the_models_own_distribution(seed: int, ids: int) -> None:
    draws = np.random.default_rng(seed)
    head = some_head(draws, ids)
    logits = some_logits(draws, head.unique)
    known = int(draws.integers(0, ids))
    answer = head.answer(logits, questions_of(1, known=known, temperature=0.3)[0])
    full = logits[head.unique_of].astype(np.float64)
    order = np.lexsort((np.arange(ids), -full))
    log_total = full.max() + np.log(np.exp(full - full.max()).sum())
    odds = np.exp(full - log_total)
    assert (answer["id"], answer["chosen"]) == (known, 1.0)
    assert answer["rank"] == order.tolist().index(known)
    assert answer["probability"] == pytest.approx(odds[known], rel=1e-12)
    assert answer["log_total"] == pytest.approx(log_total, rel=1e-14, abs=1e-14)
    assert answer["entropy"] == pytest.approx(-(odds * np.log(odds)).sum(), rel=1e-10, abs=1e-12)
    few = min(10, ids)
    assert answer["num_alternatives"] == few
    assert answer["alternative"][:few].tolist() == order[:few].tolist()
    assert answer["alternative_probability"][:few] == pytest.approx(odds[order[:few]], rel=1e-12)
    found, values = head.ranking(logits, questions_of(1)[0])
    assert found.tolist() == order.tolist()
    assert values.tolist() == full[order].tolist()


def test_the_ranking_is_what_is_drawn_from() -> None:
    """The page's bars show it: without what is banned, and with words to use raised."""
    head, logits = Head(np.arange(300) // 2), np.linspace(0, 9, 150, dtype=np.float32)
    banned, begins = ids_of([299, 40]), ids_of([290])
    q = asking({"words_form": 2}, NO_IDS, banned, begins)
    found, values = head.ranking(logits, q)
    assert set(range(300)) - set(found.tolist()) == {299, 40}
    assert found[0] == 290 and (np.diff(values) <= 0).all()
    weights = np.exp(values - values[0])
    answer = head.answer(logits, q)
    assert answer["id"] == 290
    assert answer["chosen"] == pytest.approx(weights[0] / weights.sum(), rel=1e-9)


def test_the_choice_is_that_of_transformers() -> None:
    """300 random settings; the same limits, and the same probabilities of what they leave."""
    draws = np.random.default_rng(0)
    ids = 2_000
    head, nothing = Head(ids), ids_of([])
    for _ in range(300):
        logits = draws.normal(0, 3, ids).astype(np.float32)
        seen = ids_of(draws.integers(0, ids, 40))
        settings = {
            "temperature": float(draws.choice([0.3, 0.7, 1.0, 1.5, 2.0])),
            "top_k": int(draws.choice([0, 1, 5, 40, 200])),
            "top_p": float(draws.choice([1.0, 0.3, 0.9, 0.95])),
            "min_p": float(draws.choice([0.0, 0.02, 0.3])),
            "repetition_penalty": float(draws.choice([1.0, 0.8, 1.1, 2.0])),
            "draw": float(draws.random()),
        }
        scores = torch.from_numpy(logits).double()[None]
        processors: list[Any] = [
            logits_process.RepetitionPenaltyLogitsProcessor(settings["repetition_penalty"]),
            logits_process.TemperatureLogitsWarper(settings["temperature"]),
        ]
        if settings["top_k"]:
            processors.append(logits_process.TopKLogitsWarper(settings["top_k"]))
        if settings["top_p"] < 1:
            processors.append(logits_process.TopPLogitsWarper(settings["top_p"]))
        if settings["min_p"]:
            processors.append(logits_process.MinPLogitsWarper(settings["min_p"]))
        for processor in processors:
            scores = processor(torch.from_numpy(seen).long()[None], scores)
        odds = scores.softmax(-1)[0].numpy()
        order = np.argsort(-odds, kind="stable")
        passed = np.cumsum(odds[order]) > settings["draw"]
        answer = head.answer(logits, asking(settings, seen, nothing))
        assert answer["id"] == order[passed.argmax()]
        assert answer["chosen"] == pytest.approx(odds[answer["id"]], rel=1e-5)
        # The last id that the limits leave, and none behind it.
        kept = int((odds > 0).sum())
        if kept < ids:
            answer = head.answer(logits, asking(settings | {"draw": 1 - 1e-9}, seen, nothing))
            assert answer["id"] == order[kept - 1]


def test_draws_choose_in_proportion() -> None:
    """A chi-squared test over 20,000 draws; the bound is passed by chance once in a thousand."""
    logits = np.random.default_rng(1).normal(0, 1.5, 30).astype(np.float32)
    head, count = Head(30), 20_000
    question = questions_of(1, temperature=0.9)[0]
    odds = np.exp(logits / 0.9)
    expected = count * odds / odds.sum()
    seen = np.zeros(30)
    for position in range(count):
        question["draw"] = uniform(7, position)
        seen[head.answer(logits, question)["id"]] += 1
    assert ((seen - expected) ** 2 / expected).sum() < 58.3  # 29 degrees of freedom


def test_how_much_was_sorted_changes_no_bit() -> None:
    """Ids without any weight behind 60 others: alone these are sorted whole, with the others a part
    of the ranking is sorted at a time."""
    draws = np.random.default_rng(2)
    for _ in range(200):
        few = draws.normal(0, 2, 60).astype(np.float32)
        many = np.concatenate([few, np.full(4_000, -3_000, np.float32)])
        settings = {
            "temperature": float(draws.choice([0.5, 1.0, 2.0])),
            "top_k": int(draws.choice([0, 0, 50])),
            "top_p": float(draws.choice([1.0, 0.9])),
            "min_p": float(draws.choice([0.0, 0.01])),
            "draw": float(draws.choice([draws.random(), 1 - 2**-53])),
        }
        question = questions_of(1, **settings)[0]
        found, expected = Head(4_060).answer(many, question), Head(60).answer(few, question)
        assert found.tobytes() == expected.tobytes()


def test_a_probability_does_not_depend_on_the_draw() -> None:
    """Draws that reach ever deeper into the ranking, which is sorted part by part."""
    logits = np.random.default_rng(3).normal(0, 0.5, 5_000).astype(np.float32)
    head, chosen = Head(5_000), {}
    order = np.lexsort((np.arange(5_000), -logits)).tolist()
    places = []
    for draw in np.linspace(0, 1 - 2**-53, 400):
        answer = head.answer(logits, questions_of(1, temperature=2, draw=draw)[0])
        places.append(order.index(answer["id"]))
        chosen[int(answer["id"])] = float(answer["chosen"])
    assert places == sorted(places) and places[0] == 0 and places[-1] == 4_999
    weights = np.exp(logits.astype(np.float64) / 2)
    for number, probability in chosen.items():
        assert probability == pytest.approx(weights[number] / weights.sum(), rel=1e-12)


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_chooses_the_same(name: str) -> None:
    draws = np.random.default_rng(4)

    def answers(head: Head) -> bytes:
        return b"".join(head.answer(logits, q).tobytes() for logits, q in questions)

    row_of = np.arange(3_000) % 1_000
    questions, kept = [], []
    for _ in range(40):
        lists = [ids_of(draws.integers(0, 3_000, count)) for count in (20, 3, 5, 1)]
        kept += lists
        settings = {
            "temperature": draws.choice([0.0, 0.8, 2.0]), "top_k": draws.choice([0, 40]),
            "repetition_penalty": draws.choice([1.0, 1.2]), "draw": draws.random(),
            "written": draws.integers(0, 250),
        }  # fmt: skip
        questions.append((some_logits(draws, 1_000), asking(settings, *lists)))
    expected = answers(Head(row_of))
    with machine(name):
        assert answers(Head(row_of)) == expected


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_a_number_has_no_answer(wrong: float) -> None:
    logits = np.zeros(100, np.float32)
    logits[60] = wrong
    assert Head(100).answer(logits, questions_of(1)[0])["id"] == NOT_A_NUMBER
    assert Head(3).answer(np.full(3, -np.inf, np.float32), questions_of(1)[0])["id"] == NOT_A_NUMBER


def test_what_is_impossible_is_never_chosen() -> None:
    logits = np.full(300, -np.inf, np.float32)
    logits[200:202] = 0
    for draw in (0.0, 0.4, 0.6, 1 - 2**-53):
        answer = Head(300).answer(logits, questions_of(1, draw=draw, temperature=2)[0])
        assert answer["id"] == 200 + (draw > 0.5) and answer["chosen"] == 0.5
        assert answer["entropy"] == pytest.approx(math.log(2))


def test_all_ids_may_be_banned_but_then_there_is_none() -> None:
    logits = np.arange(50, dtype=np.float32)
    for top_k in (0, 7):
        settings = {"temperature": 0.7, "top_k": top_k}
        banned = ids_of([k for k in range(50) if k != 3])
        assert Head(50).answer(logits, asking(settings, banned, banned))["id"] == 3
        everything = ids_of(range(50))
        answer = Head(50).answer(logits, asking(settings, everything, everything))
        assert answer["id"] == NOTHING_LEFT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1), ("temperature", np.nan), ("top_p", 1.1), ("min_p", -0.1),
        ("repetition_penalty", 0), ("draw", 1), ("draw", np.nan), ("top_k", -1), ("known", 50),
        ("known", -2), ("alternatives", 11), ("num_seen", 1), ("num_banned", -1),
        ("num_begins", 1), ("num_continues", 1), ("written", -1),
    ],
)  # fmt: skip
def test_an_unsound_question_is_refused(name: str, value: float) -> None:
    question = questions_of(1, **{name: value})[0]
    with pytest.raises(ValueError, match="out of its range"):
        Head(50).answer(np.zeros(50, np.float32), question)


def test_ids_beyond_the_last_are_refused() -> None:
    for wrong in (50, -1):
        bad, good = ids_of([3, wrong]), ids_of([])
        for place in range(len(library.LISTS)):
            question = asking({}, *(bad if k == place else good for k in range(4)))
            with pytest.raises(ValueError, match="out of its range"):
                Head(50).answer(np.zeros(50, np.float32), question)


def odds_of(logits: list[float], rest: list[tuple[float, float]], **settings: float) -> np.ndarray:
    """`choice_odds`: the probability of each logit, and of the rest."""
    function = ctypes.CDLL(str(library.library_file())).choice_odds
    address, whole = ctypes.c_void_p, ctypes.c_int32
    function.argtypes = [address, whole, address, whole, address, address, address]
    function.restype = ctypes.c_double
    question, values = questions_of(1, **settings), np.array(logits, np.float64)
    rest_logits, counts = (np.array([one[k] for one in rest], np.float64) for k in (0, 1))
    odds = np.zeros(len(logits))
    addresses = [one.ctypes.data for one in (question, values, rest_logits, counts, odds)]
    others = function(
        addresses[0], len(values), addresses[1], len(rest), addresses[2], addresses[3], addresses[4]
    )
    return np.append(odds, others)


@given(SETTINGS, st.integers(0, 2**32), st.integers(1, 100))
def test_odds_are_those_of_the_choice(settings: dict[str, float], seed: int, ids: int) -> None:
    """Where all ids are known, what remains between draws is each id's probability."""
    settings = settings | {"repetition_penalty": 1.0}
    logits = np.sort(np.random.default_rng(seed).normal(0, 3, ids).astype(np.float32))[::-1]
    odds = odds_of(logits.tolist(), [], **settings)
    assert odds[-1] == 0 and odds.sum() == pytest.approx(1)
    answer = Head(ids).answer(logits, questions_of(1, **settings)[0])
    assert answer["chosen"] == pytest.approx(odds[answer["id"]], rel=1e-9)
    assert np.cumsum(odds)[answer["id"]] == pytest.approx(
        max(settings["draw"], np.cumsum(odds)[answer["id"]])
    )


def test_odds_of_the_rest() -> None:
    rest = [(0.0, 50.0), (-2.0, 100.0)]
    full = np.array([3.0, 2.0, *[0.0] * 50, *[-2.0] * 100])
    weights = np.exp(full / 1.5)
    expected = [*weights[:2], weights[2:].sum()] / weights.sum()
    assert odds_of([3.0, 2.0], rest, temperature=1.5) == pytest.approx(expected)
    assert odds_of([3.0, 2.0], rest, top_k=2)[-1] == 0
    assert odds_of([3.0, 2.0], rest, top_p=0.1).tolist() == [1, 0, 0]
    assert odds_of([3.0, 2.0], rest, temperature=0).tolist() == [1, 0, 0]
    half = odds_of([3.0, 2.0], rest, top_p=0.8)
    whole = np.exp(full).sum()
    assert half[-1] == pytest.approx(1 - (np.exp(3) + np.exp(2)) / (0.8 * whole))
    assert odds_of([3.0, 2.0], rest, min_p=np.exp(-4.0))[-1] == pytest.approx(
        50 / (np.exp(3) + np.exp(2) + 50)
    )


def test_draws_are_splitmix64() -> None:
    """Its published test vector: seed 1234567, the first five numbers of a stream (Vigna 2015)."""
    assert uniform(0, 0) == (0xE220A8397B1DCDAF >> 11) / 2**53
    assert uniform(0, 1) == (0x6E789E6AA1B965F4 >> 11) / 2**53
    assert 0 <= uniform(2**32 - 1, 2**32 - 1) < 1
