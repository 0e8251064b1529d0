"""Models side by side on the same stories, with paired differences.

The difference to the first model is computed per story, its interval by the bootstrap: two models
may differ significantly though their own intervals overlap, since these mostly depend on the
difficulty of the stories for both. Bits per byte compare models with different tokenizers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from trainer.evaluate.bootstrap import middle, resampled_sums
from trainer.evaluate.likelihood import Evaluation, Likelihood
from trainer.evaluate.report.tables import Row as TableRow
from trainer.evaluate.report.tables import plain_table


@dataclass(frozen=True)
class Difference:
    """The difference of a model's scores from the first model's.

    Attributes:
        bits_per_byte: bits per byte minus those of the first model; below 0 is better.
        interval: its 95 % interval, (low, high).
        better_stories: part of the stories that the model predicts better, 0 to 1.
    """

    bits_per_byte: float
    interval: tuple[float, float]
    better_stories: float


@dataclass(frozen=True)
class Row:
    """A line of the table; the first model has no difference."""

    model: str
    evaluation: Evaluation
    difference: Difference | None


def compare(models: Iterable[tuple[str, Likelihood]]) -> Iterator[Row]:
    """Yield a row per model, each as soon as it is scored; `models` are names and scores of the
    same stories. Raises ValueError if the stories are not the same."""
    first: Likelihood | None = None
    for name, scores in models:
        if first is None:
            first = scores
            yield Row(name, scores.evaluation(), None)
        else:
            yield Row(name, scores.evaluation(), difference(first, scores))


def difference(first: Likelihood, scores: Likelihood) -> Difference:
    """Return the difference of `scores` from `first` on the same stories."""
    if not np.array_equal(first.bytes, scores.bytes):
        raise ValueError("two models can only be compared by the same stories")
    bits = np.stack([scores.nats_of_story - first.nats_of_story]) / math.log(2)
    columns = np.concatenate([bits, first.bytes[None]])
    drawn = resampled_sums(columns)
    return Difference(
        bits_per_byte=float(bits.sum() / first.bytes.sum()),
        interval=middle(drawn[:, 0] / drawn[:, 1]),
        better_stories=float((bits < 0).mean()),
    )


def table(rows: list[Row]) -> str:
    """Return the rows as a table for a terminal."""
    lines: list[TableRow] = [
        ("model", "nats per token", "perplexity", "bits per byte", "less the first", "better on")
    ]
    for row in rows:
        evaluation, less = row.evaluation, row.difference
        low, high = evaluation.bits_interval
        lines.append(
            (
                row.model,
                f"{evaluation.nats_per_token:.4f}",
                f"{evaluation.perplexity:.3f}",
                f"{evaluation.bits_per_byte:.4f} ({low:.4f} to {high:.4f})",
                f"{less.bits_per_byte:+.4f} ({less.interval[0]:+.4f} to {less.interval[1]:+.4f})"
                if less
                else "-",
                f"{less.better_stories:.1%} of stories" if less else "-",
            )
        )
    return plain_table(lines)
