"""Bootstrap intervals: the range of the figures for other stories of the same kind.

As many stories as there are, drawn with replacement, give one value per draw; the interval is the
middle 95 % of some thousand values (the percentile bootstrap of Efron, 1979). Whole stories are
drawn, not tokens, because the tokens of a story depend on each other. For two models the same
stories are drawn, so the difficulty of a story cancels in their difference.
"""

from __future__ import annotations

import numpy as np

DRAWS = 2_000
COVERAGE = 0.95


def resampled_sums(columns: np.ndarray, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return sums over stories drawn with replacement: (draws, k), of columns (k, stories)."""
    num_stories = columns.shape[1]
    random = np.random.default_rng(seed)
    sums = np.empty((draws, len(columns)))
    for draw in range(draws):
        drawn = random.integers(0, num_stories, num_stories)
        sums[draw] = columns @ np.bincount(drawn, minlength=num_stories)
    return sums


def middle(values: np.ndarray) -> tuple[float, float]:
    """Return the two values between which the middle 95 % lie."""
    tail = (1 - COVERAGE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
