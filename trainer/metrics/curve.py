"""The loss curve of a run as a picture."""

from __future__ import annotations

import math
from pathlib import Path

from trainer.metrics.log import METRICS, read
from trainer.output.picture import drawn


def plot(folder: Path, picture: Path) -> None:
    """Draw training and validation loss over the steps.

    Raises:
        ValueError: the run has no metrics yet.
    """
    lines = read(folder)
    train = [
        (line["step"], line["loss"]) for line in lines if math.isfinite(line.get("loss", math.nan))
    ]
    validated = [
        (line["step"], line["validation_loss"]) for line in lines if "validation_loss" in line
    ]
    if not train:
        raise ValueError(
            f"there is no training step in {folder / METRICS}: name the folder of a run"
        )
    last = validated or train
    lowest, highest = min(loss for _, loss in train + last), min(train[0][1], 10.0)
    labels = {"xlabel": "step", "ylabel": "nats per token", "xscale": "log"}
    with drawn(picture, legend=True, ylim=(0.9 * lowest, highest), **labels) as axes:
        axes.plot(*zip(*train, strict=True), color="#8aa0b8", linewidth=1, label="training")
        if validated:
            axes.plot(
                *zip(*validated, strict=True),
                color="#b5482a",
                marker="o",
                markersize=3,
                label="validation",
            )
