"""The metrics of a run while it trains: progress bar, metrics.jsonl, trackers and loss curve.

A resumed run appends to the same file: lines after its checkpoint are dropped, so every step has
one line. Each line has `seconds`, the training time so far, without pauses and compilation.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from trainer.output.console import best_effort
from trainer.output.picture import drawn
from trainer.storage.atomic import atomic_file

METRICS = "metrics.jsonl"


class MetricsLog:
    """The progress bar and the metrics file of one run; enabled on the main process only."""

    def __init__(
        self,
        folder: Path,
        num_steps: int,
        start: int,
        tokens_per_step: int,
        *,
        bytes_per_token: float,
        flops_per_token: float,
        peak: float,
        track: Callable[[dict[str, Any], int], None],
        enabled: bool,
    ) -> None:
        """Continue the metrics in `folder` after `start` steps.

        Args:
            bytes_per_token: UTF-8 bytes per token of the training stories.
            flops_per_token, peak: floating-point operations of training per token, and the most
                that all processes together do per second; see flops.py.
            track: receives each line and its step, for the trackers.
        """
        self.file = folder / METRICS
        self.enabled = enabled
        self.tokens_per_step = tokens_per_step
        self.bytes_per_token = bytes_per_token
        self.flops_per_token, self.peak = flops_per_token, peak
        self.track: Callable[[dict[str, Any], int], None] | None = track
        self.restart(start)
        self.trained, self.begin = 0.0, math.nan  # seconds before this session, and its first step
        self.bar = tqdm(
            total=num_steps,
            initial=start,
            bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} "
            "[{elapsed}<{remaining}{postfix}]",
            dynamic_ncols=True,
            disable=not enabled,
            smoothing=0.05,
        )
        if enabled:
            earlier = [line for line in read(folder) if line["step"] <= start]
            with atomic_file(self.file) as partial:  # a kill must not lose earlier lines
                text = "".join(json.dumps(line) + "\n" for line in earlier)
                partial.write_text(text, encoding="utf-8")
            timed = (line["seconds"] for line in reversed(earlier) if "seconds" in line)
            self.trained = next(timed, 0.0)

    def step(self) -> None:
        """Advance the progress bar by one update. Time counts from the end of the first, which
        compiles."""
        if math.isnan(self.begin):
            self.begin = time.perf_counter()
        self.bar.update()

    def restart(self, step: int) -> None:
        """Measure speed from here on: the time until now was not training."""
        self.since, self.at = time.perf_counter(), step

    def train(self, step: int, nats: float, norm: float, rate: float) -> None:
        """Log the loss since the last line, in nats per token, and the speed."""
        speed = (step - self.at) * self.tokens_per_step / (time.perf_counter() - self.since)
        bits = bits_per_byte(nats, self.bytes_per_token)
        mfu = speed * self.flops_per_token / self.peak
        self.restart(step)
        self.bar.set_postfix_str(
            f"loss {nats:.3f}, {bits:.3f} bits/byte, {speed:,.0f} tokens/s, MFU {mfu:.0%}"
        )
        self.write(
            {
                "step": step,
                "loss": nats,
                "bits_per_byte": bits,
                "grad_norm": norm,
                "lr": rate,
                "tokens_per_second": round(speed),
                "mfu": round(mfu, 4),
            }
        )

    def validation(
        self,
        step: int,
        nats: float | None,
        bytes_per_token: float,
        samples: list[dict[str, str]],
    ) -> None:
        """Log the validation loss, if there is one, and the sample stories, {prompt, story}
        each."""
        line: dict[str, Any] = {"step": step}
        message = f"step {step:,}: "
        if nats is not None:
            bits = bits_per_byte(nats, bytes_per_token)
            line |= {"validation_loss": nats, "validation_bits_per_byte": bits}
            message += f"validation {nats:.3f} nats per token, {bits:.3f} bits per byte\n  "
        self.write(line | {"samples": samples})
        self.message(message + (repr(samples[0]["story"]) if samples else "no sample story"))

    def message(self, text: str) -> None:
        """Print a line above the progress bar."""
        if self.enabled:
            self.bar.write(text, file=sys.stderr)

    def write(self, line: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl, and send it to the trackers, samples as one text."""
        if not self.enabled:
            return
        session = 0.0 if math.isnan(self.begin) else time.perf_counter() - self.begin
        line = line | {"seconds": round(self.trained + session, 3)}
        with self.file.open("a", encoding="utf-8") as metrics:
            metrics.write(json.dumps(line) + "\n")
        values = {key: value for key, value in line.items() if key != "step"}
        if "samples" in values:
            values["samples"] = "\n\n".join(sample["story"] for sample in values["samples"])
        if self.track is not None:
            track, self.track = self.track, None
            with best_effort("all later lines for the trackers", self.message):
                track(values, line["step"])
                self.track = track

    def close(self) -> None:
        """Stop the progress bar."""
        self.bar.close()


def bits_per_byte(nats: float, bytes_per_token: float) -> float:
    """Return nats per token as bits per byte, which do not depend on the tokenizer."""
    return nats / math.log(2) / bytes_per_token


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics, without a last line that a kill cut off."""
    file = folder / METRICS
    lines = []
    for text in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def plot(folder: Path, picture: Path) -> None:
    """Draw training and validation loss over the steps. Raises ValueError if the run has no metrics
    yet."""
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
