"""A computation of a fixed number of rows, asked for any number of them."""

from __future__ import annotations

import pytest
import torch

from playground.model.cuda_graph import FixedBatch

ROWS = 4


@pytest.mark.parametrize("count", [1, ROWS, ROWS + 1, 3 * ROWS])
def test_any_number_of_rows_is_computed_in_parts_of_the_same_number(count: int) -> None:
    seen: list[list[int]] = []

    def function(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(rows[:, 0].tolist())
        return rows * 2, rows.sum(1)

    values = torch.arange(2 * count).view(count, 2)
    doubled, total = FixedBatch(function, torch.full((ROWS, 2), -1))(values)
    assert torch.equal(doubled, values * 2)
    assert torch.equal(total, values.sum(1))
    assert [len(part) for part in seen] == [ROWS] * -(-count // ROWS)
    padding = [number for part in seen for number in part][count:]
    assert padding == [-1] * (-count % ROWS), "a row of another call was computed again"


def test_what_was_answered_stays_when_more_is_asked() -> None:
    graph = FixedBatch(lambda rows: (rows,), torch.zeros(ROWS, 1))
    before = graph(torch.ones(1, 1))[0]
    graph(torch.full((1, 1), 2.0))
    assert before.item() == 1
