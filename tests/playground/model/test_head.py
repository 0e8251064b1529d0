"""The head of distinct rows against the full table, multiplied and sorted in the plain way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from playground.model.candidates import Candidates, candidates, weigh
from playground.model.full_logits import full_rows, log_rests, rank
from playground.model.head import Head

VOCABULARY, HIDDEN, ROWS = 5_000, 16, 6


def make_table(distinct: int) -> torch.Tensor:
    """(vocabulary, hidden): so many rows of their own, scattered; two rows that others share."""
    torch.manual_seed(2)
    table = torch.randn(VOCABULARY, HIDDEN)
    common = torch.randperm(VOCABULARY)[distinct:]
    table[common] = table[0] * 0.3
    table[common[::7]] = -table[1]
    return table


@pytest.fixture(params=[VOCABULARY, 1_000, 300], ids="distinct={}".format)
def table(request: pytest.FixtureRequest) -> torch.Tensor:
    return make_table(request.param)


@pytest.fixture
def states() -> torch.Tensor:
    """(rows, hidden); the last ones point at shared rows, so that thousands of ids lead."""
    torch.manual_seed(3)
    found = torch.randn(ROWS, HIDDEN)
    found[-1], found[-2] = make_table(300)[0], -make_table(300)[1]
    return found


def full(table: torch.Tensor, states: torch.Tensor) -> np.ndarray:
    """(rows, vocabulary) float64 logits."""
    return (states.double() @ table.double().T).numpy()


def nearest(head: Head, states: torch.Tensor, count: int) -> list[Candidates]:
    """The likeliest ids of each row."""
    return candidates(head, weigh(head, states, head.logits(states), count))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_id_has_the_logit_of_its_row(
    table: torch.Tensor, states: torch.Tensor, dtype: torch.dtype
) -> None:
    head = Head(table, dtype)
    rounding = 1e-4 if dtype == torch.float32 else 0.2
    expected = full(table, states)
    slots = torch.from_numpy(head.slot_of)
    np.testing.assert_allclose(head.logits(states)[:, slots], expected, atol=rounding)
    np.testing.assert_allclose(
        head.exact(states, slots.expand(ROWS, -1)), expected, rtol=1e-5, atol=1e-4
    )
    assert head.counts.sum() == VOCABULARY
    assert int((head.counts > 0).sum()) == len(torch.unique(table, dim=0))


@pytest.mark.parametrize("count", [64, 256])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_candidates_are_the_first_of_a_full_sort(
    table: torch.Tensor, states: torch.Tensor, dtype: torch.dtype, count: int
) -> None:
    head = Head(table, dtype)
    for row, near in enumerate(nearest(head, states, count)):
        logits = full(table, states)[row]
        order = np.lexsort((np.arange(VOCABULARY), -np.round(logits, 4)))
        sure = count - 16  # the last few may lie across the head's rounding
        np.testing.assert_allclose(near.logits[:sure], logits[order[:sure]], atol=1e-3)
        np.testing.assert_allclose(near.logits, logits[near.ids], atol=1e-4)
        assert len(set(near.ids.tolist())) == count
        assert (np.diff(near.logits) <= 0).all()
        equal = np.diff(near.logits) == 0
        assert (np.diff(near.ids)[equal] > 0).all()  # equal ones by id
        if np.unique(np.round(logits[order[: sure + 1]], 3)).size == sure + 1:
            assert near.ids[:sure].tolist() == order[:sure].tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_totals_and_entropy_are_those_of_all_ids(
    table: torch.Tensor, states: torch.Tensor, dtype: torch.dtype
) -> None:
    head = Head(table, dtype)
    close = 1e-4 if dtype == torch.float32 else 0.1
    for row, near in enumerate(nearest(head, states, 64)):
        logits = full(table, states)[row]
        total = float(np.logaddexp.reduce(logits))
        shares = np.exp(logits - total)
        assert near.log_total == pytest.approx(total, abs=close)
        assert near.entropy == pytest.approx(-(shares * np.log(shares)).sum(), abs=close)
        assert near.shares == pytest.approx(np.sort(shares)[::-1][:10].tolist(), rel=close)


def test_ranks_and_the_rest_count_every_id(table: torch.Tensor, states: torch.Tensor) -> None:
    head = Head(table, torch.float32)
    logits = head.logits(states)
    for number, near in enumerate(nearest(head, states, 64)):
        plain = full(table, states)[number]
        one = slice(number, number + 1)
        (row,) = full_rows(head, [near], states[one], logits[one])
        np.testing.assert_allclose(row.logits, plain, atol=1e-4)
        for token_id in sorted(set(range(0, VOCABULARY, 251)) - set(near.ids.tolist())):
            logit = head.exact_logit(row.state, token_id)
            assert logit == pytest.approx(plain[token_id], abs=1e-4)
            if head.counts[head.slot_of[token_id]] == 1:
                least = int((plain > plain[token_id] + 1e-4).sum())
                most = int((plain > plain[token_id] - 1e-4).sum())
                assert least <= rank(head, near, row, token_id, logit) <= most
        rest = np.ones(VOCABULARY, dtype=bool)
        rest[near.ids] = False
        for temperature in (0.5, 1.0, 2.0):
            expected = float(np.logaddexp.reduce(plain[rest] / temperature))
            rests = log_rests(head, [near.ids], logits[one], [temperature])
            assert rests == pytest.approx([expected], abs=1e-3)
        assert math.isfinite(near.log_total)
