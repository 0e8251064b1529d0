"""The pictures of a report, drawn from the scores of every token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from trainer.evaluate.bootstrap import middle, resampled_sums
from trainer.evaluate.likelihood import Likelihood
from trainer.output.picture import drawn

NEARLY_BLACK = "#1d2733"
BLUE = "#2f6690"
RUST = "#b5482a"
NUM_BINS = 10  # of the calibration curve


def by_position(scores: Likelihood) -> list[tuple[int, int, float, float, float]]:
    """Return the loss by position in the story, in bins that double: rows of first and last
    position (from 1), mean nats per token and its 95 % interval over stories."""
    longest = int(scores.tokens_of_story.max())
    first, rows = 1, []
    position = np.arange(len(scores.nats)) - np.repeat(scores.starts[:-1], scores.tokens_of_story)
    story = np.repeat(np.arange(len(scores.bytes)), scores.tokens_of_story)
    while first <= longest:
        last = min(max(first, 2 * first - 1), longest)
        inside = (position + 1 >= first) & (position + 1 <= last)
        nats = np.bincount(story[inside], scores.nats[inside], minlength=len(scores.bytes))
        tokens = np.bincount(story[inside], minlength=len(scores.bytes))
        there = tokens > 0
        drawn = resampled_sums(np.stack([nats[there], tokens[there]]))
        low, high = middle(drawn[:, 0] / drawn[:, 1])
        rows.append((first, last, float(nats.sum() / tokens.sum()), low, high))
        first = last + 1
    return rows


def draw_positions(file: Path, rows: list[tuple[int, int, float, float, float]]) -> None:
    """Draw the loss by position, with its interval."""
    middles = [(first * last) ** 0.5 for first, last, *_ in rows]
    nats, low, high = zip(*(row[2:] for row in rows), strict=True)
    labels: dict[str, Any] = {
        "xlabel": "token of the story",
        "ylabel": "nats per token",
        "ylim": (0, None),
    }
    with drawn(file, xscale="log", **labels) as axes:
        axes.fill_between(middles, low, high, color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(middles, nats, color=BLUE, marker="o", markersize=4)


def by_frequency(scores: Likelihood) -> list[tuple[int, int, int, float, float]]:
    """Return the loss by a token's frequency in the stories, in bins of a factor of ten: rows of
    the lowest and highest count, predicted tokens, their mean nats and their part of all nats."""
    counts = np.bincount(scores.ids)[scores.ids]
    rows, low = [], 1
    while low <= counts.max():
        inside = (counts >= low) & (counts < 10 * low)
        if inside.any():
            nats = scores.nats[inside].astype(np.float64)
            rows.append(
                (low, 10 * low - 1, len(nats), float(nats.mean()),
                 float(nats.sum() / scores.nats_of_story.sum()))
            )  # fmt: skip
        low *= 10
    return rows


def draw_frequencies(file: Path, rows: list[tuple[int, int, int, float, float]]) -> None:
    """Draw the loss by frequency, and the part of the loss in each bin."""
    names = [f"{low:,} to {high:,}" for low, high, *_ in rows]
    parts = [f"{row[4]:.0%} of the loss" for row in rows]
    with drawn(file, xlabel="times that the token occurs", ylabel="nats per token") as axes:
        bars = axes.bar(names, [row[3] for row in rows], color=BLUE)
        axes.bar_label(bars, parts, color=NEARLY_BLACK, padding=3)


def calibration(scores: Likelihood) -> tuple[list[tuple[float, float, int]], float]:
    """Return how often the likeliest token is right, by the probability that the model gives it.

    Returns:
        Rows of mean probability, part of right tokens and number of tokens, for bins of equal
        width; and the expected calibration error: the mean distance of probability and part,
        weighted by tokens (Naeini et al., 2015).
    """
    which = np.minimum((scores.confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    rows = []
    for number in range(NUM_BINS):
        inside = which == number
        if count := int(inside.sum()):
            mean = float(scores.confidence[inside].mean(dtype=np.float64))
            rows.append((mean, float(scores.correct[inside].mean()), count))
    error = sum(abs(mean - right) * count for mean, right, count in rows) / len(scores.ids)
    return rows, error


def draw_calibration(file: Path, rows: list[tuple[float, float, int]]) -> None:
    """Draw the calibration curve, with point sizes by number of tokens, and the diagonal."""
    means, right, counts = (np.array(column) for column in zip(*rows, strict=True))
    labels = {
        "xlabel": "probability of the likeliest token",
        "ylabel": "part of the times that it is right",
    }
    with drawn(file, legend=True, xlim=(0, 1), ylim=(0, 1), **labels) as axes:
        axes.plot([0, 1], [0, 1], color=NEARLY_BLACK, linewidth=1, linestyle=":", label="perfect")
        axes.plot(means, right, color=RUST, linewidth=1)
        axes.scatter(means, right, s=20 + 200 * counts / counts.max(), color=RUST, label="model")
