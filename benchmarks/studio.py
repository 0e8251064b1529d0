"""Mutual slow-down of writing and training on one machine: first words while a run trains on all
cores, and the run's speed beside an idle app.

    python benchmarks/studio.py STORIES.jsonl [--model DIR] [--seconds 30] [--stories 60]

The run is started as the page does, by `python -m playground.runs start`. Its speed comes from the
metrics of some seconds: alone, then beside the app, then alone again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from serving import OPENINGS, ROOT, percentile, running_app, with_surprise

NAME = "benchmark"
SETTINGS: tuple[str, ...] = ("--preset", "storyteller", "--optim.global_batch", "4")
SETTINGS += ("--run.log_every", "1")
SETTINGS += ("--optim.steps", "100000", "--run.validate_every", "100000", "--run.snapshots", "0")
PAUSE = 0.3  # s between two stories


def runs(place: Path, action: str, *words: str) -> None:
    """Run a command of playground.runs."""
    command = [sys.executable, "-m", "playground.runs", action, NAME, "--runs", str(place / "runs")]
    subprocess.run([*command, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def updates(place: Path) -> list[dict[str, float]]:
    """Return the lines of the run's metrics."""
    file = place / "runs" / NAME / "metrics.jsonl"
    text = file.read_text() if file.is_file() else ""
    return [json.loads(line) for line in text.splitlines() if '"loss"' in line]


def speed(place: Path, seconds: float) -> float:
    """Return the updates per second during the next seconds."""
    first = updates(place)[-1]
    time.sleep(seconds)
    last = updates(place)[-1]
    return (last["step"] - first["step"]) / (last["seconds"] - first["seconds"])


def waits(url: str, stories: int) -> list[float]:
    """Return the milliseconds until the first token of stories, written one after the other."""
    times = []
    for seed in range(stories):
        begin = time.perf_counter()
        story = with_surprise(url, 0, OPENINGS[seed % len(OPENINGS)], seed)
        times.append(next(1000 * (time.perf_counter() - begin) for count in story if count))
        for _ in story:
            pass
        time.sleep(PAUSE)
    return times


def main() -> None:
    """Print the speeds and the waits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "storyteller")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--stories", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        words = ("--corpus.source", str(options.source), "--corpus.folder", f"{place}/data")
        runs(place, "start", *SETTINGS, *words)
        try:
            while len(updates(place)) < 5:
                time.sleep(0.5)
            before = speed(place, options.seconds)
            with running_app(options.model) as (url, _):
                waits(url, 3)  # the first story warms everything up
                beside = speed(place, options.seconds)
                found = waits(url, options.stories)
            after = speed(place, options.seconds)
        finally:
            runs(place, "stop")
            time.sleep(5)  # until the run has saved
    alone = (before + after) / 2
    print(f"alone {before:.3f} and {after:.3f} updates/s, beside an idle app {beside:.3f}:")
    print(f"a loss of {100 * (1 - beside / alone):.1f} %")
    print(
        f"first token of {len(found)} stories while it trains: median {percentile(found, 50):.0f}"
    )
    print(f"ms, 95th percentile {percentile(found, 95):.0f} ms")


if __name__ == "__main__":
    main()
