"""Intervals against what is known of them."""

import numpy as np
import pytest

from trainer.evaluate.bootstrap import middle, resampled_sums


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, size=2_000)
    drawn = resampled_sums(np.stack([values, np.ones_like(values)]))
    low, high = middle(drawn[:, 0] / drawn[:, 1])
    error = 1.96 * values.std() / len(values) ** 0.5
    assert low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_columns_are_drawn_together() -> None:
    values = np.random.default_rng(2).random(50)
    drawn = resampled_sums(np.stack([values, 3 * values]), draws=20)
    assert np.allclose(drawn[:, 1], 3 * drawn[:, 0])
    assert len(set(drawn[:, 0])) == 20


def test_the_same_seed_draws_the_same() -> None:
    columns = np.arange(30.0).reshape(1, 30)
    assert np.array_equal(resampled_sums(columns, 10, seed=4), resampled_sums(columns, 10, seed=4))
    assert not np.array_equal(resampled_sums(columns, 10, 4), resampled_sums(columns, 10, 5))
