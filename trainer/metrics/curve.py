"""The loss curve of a run as a picture."""

from __future__ import annotations

import math
from pathlib import Path

from trainer.metrics.log import METRICS, read
from trainer.output.picture import new_figure


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
    figure, axes = new_figure(8, 4.5)
    axes.plot(*zip(*train, strict=True), color="#8aa0b8", linewidth=1, label="training")
    if validated:
        axes.plot(
            *zip(*validated, strict=True),
            color="#b5482a",
            marker="o",
            markersize=3,
            label="validation",
        )
    axes.set(xlabel="step", ylabel="nats per token", xscale="log")
    last = validated or train
    axes.set_ylim(top=min(train[0][1], 10.0), bottom=0.9 * min(value for _, value in train + last))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(picture, dpi=110, format="png")
