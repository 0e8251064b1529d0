"""The head of distinct rows against the full table, multiplied and sorted in the plain way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from playground.model.candidates import Candidates, candidates_of, likeliest_rows
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


def candidates(head: Head, states: torch.Tensor, count: int) -> list[Candidates]:
    """The likeliest ids of each row."""
    return candidates_of(head, likeliest_rows(head, states, head.logits(states), count))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_id_has_the_logit_of_its_row(
    table: torch.Tensor, states: torch.Tensor, dtype: torch.dtype
) -> None:
    head = Head(table, dtype)
    rounding = 1e-4 if dtype == torch.float32 else 0.2
    expected = full(table, states)
    unique = torch.from_numpy(head.unique_of)
    np.testing.assert_allclose(head.logits(states)[:, unique], expected, atol=rounding)
    np.testing.assert_allclose(
        head.exact(states, unique.expand(ROWS, -1)), expected, rtol=1e-5, atol=1e-4
    )
    assert head.counts.sum() == VOCABULARY
    assert int((head.counts > 0).sum()) == len(torch.unique(table, dim=0))


@pytest.mark.parametrize("count", [64, 256])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_candidates_are_the_first_of_a_full_sort(
    table: torch.Tensor, states: torch.Tensor, dtype: torch.dtype, count: int
) -> None:
    head = Head(table, dtype)
    for row, found in enumerate(candidates(head, states, count)):
        logits = full(table, states)[row]
        order = np.lexsort((np.arange(VOCABULARY), -np.round(logits, 4)))
        sure = count - 16  # the last few may lie across the head's rounding
        np.testing.assert_allclose(found.logits[:sure], logits[order[:sure]], atol=1e-3)
        np.testing.assert_allclose(found.logits, logits[found.ids], atol=1e-4)
        assert len(set(found.ids.tolist())) == count
        assert (np.diff(found.logits) <= 0).all()
        equal = np.diff(found.logits) == 0
        assert (np.diff(found.ids)[equal] > 0).all()  # equal ones by id
        if np.unique(np.round(logits[order[: sure + 1]], 3)).size == sure + 1:
            assert found.ids[:sure].tolist() == order[:sure].tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_totals_and_entropy_are_those_of_all_ids(
    table: torch.Tensor, states: torch.Tensor, dtype: torch.dtype
) -> None:
    head = Head(table, dtype)
    close = 1e-4 if dtype == torch.float32 else 0.1
    for row, found in enumerate(candidates(head, states, 64)):
        logits = full(table, states)[row]
        total = float(np.logaddexp.reduce(logits))
        probabilities = np.exp(logits - total)
        assert found.log_total == pytest.approx(total, abs=close)
        assert found.entropy == pytest.approx(
            -(probabilities * np.log(probabilities)).sum(), abs=close
        )
        assert found.probabilities == pytest.approx(
            np.sort(probabilities)[::-1][:10].tolist(), rel=close
        )


def test_ranks_and_the_rest_count_every_id(table: torch.Tensor, states: torch.Tensor) -> None:
    head = Head(table, torch.float32)
    logits = head.logits(states)
    for number, found in enumerate(candidates(head, states, 64)):
        plain = full(table, states)[number]
        one = slice(number, number + 1)
        (row,) = full_rows(head, [found], states[one], logits[one])
        np.testing.assert_allclose(row.logits, plain, atol=1e-4)
        for token_id in sorted(set(range(0, VOCABULARY, 251)) - set(found.ids.tolist())):
            logit = head.exact_logit(row.state, token_id)
            assert logit == pytest.approx(plain[token_id], abs=1e-4)
            if head.counts[head.unique_of[token_id]] == 1:
                least = int((plain > plain[token_id] + 1e-4).sum())
                most = int((plain > plain[token_id] - 1e-4).sum())
                assert least <= rank(head, found, row, token_id, logit) <= most
        rest = np.ones(VOCABULARY, dtype=bool)
        rest[found.ids] = False
        for temperature in (0.5, 1.0, 2.0):
            expected = float(np.logaddexp.reduce(plain[rest] / temperature))
            rests = log_rests(head, [found.ids], logits[one], [temperature])
            assert rests == pytest.approx([expected], abs=1e-3)
        assert math.isfinite(found.log_total)
