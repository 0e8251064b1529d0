"""Time and memory of the list of many long runs and their curves, for the page Models.

    python benchmarks/runs.py [--runs 50] [--lines 100000]

Each run has a metrics file with a validation and samples after each thousandth line. First the list
is read, from files that are still in the page cache; then the curve of each run; then both again.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground.runs.folder import RunsFolder
from playground.runs.metrics import curve
from playground.runs.views import listing


def write_run(folder: Path, lines: int) -> None:
    """Write the folder of a run with that many lines of metrics."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"format": 1, "inkling": "0.1.0", "id": "a"}')
    about = {"state": "stopped", "steps": 10 * lines, "tokens_per_step": 32768, "time": 1.0}
    (folder / "state.json").write_text(json.dumps(about))
    samples = [{"prompt": "Once upon a time", "story": "Once upon a time there was. " * 20}] * 3
    with (folder / "metrics.jsonl").open("w") as file:
        for number in range(1, lines + 1):
            line: dict[str, Any] = {
                "step": 10 * number, "loss": 2.0 + 1 / number, "bits_per_byte": 0.7654321987654321,
                "grad_norm": 0.9423097372055054, "lr": 0.0020833333333333333,
                "tokens_per_second": 10854, "mfu": 0.0279, "seconds": round(30.5 * number, 3),
            }  # fmt: skip
            file.write(json.dumps(line) + "\n")
            if number % 1000 == 0:
                line = {"step": 10 * number, "validation_loss": 2.1, "samples": samples}
                file.write(json.dumps(line) + "\n")


def measured(name: str, work: Callable[[], Any]) -> None:
    """Print the time of some work, and the process's peak memory so far."""
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {name} | {1000 * seconds:,.0f} ms | {peak:,.0f} MB |", flush=True)


def main() -> None:
    """Write the runs, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--lines", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        runs = RunsFolder(Path(place))
        for number in range(options.runs):
            write_run(runs.folder / f"run-{number:02d}", options.lines)
        size = sum(file.stat().st_size for file in runs.folder.glob("*/metrics.jsonl")) / 1e6
        print(f"{options.runs} runs of {options.lines:,} lines, {size:,.0f} MB\n")
        print("| what | time | peak memory of the process |\n|---|---|---|")
        files = sorted(runs.folder.glob("*/metrics.jsonl"))
        measured("the list, first time", lambda: listing(runs))
        measured("the list again", lambda: listing(runs))
        measured("a curve of 400 points", lambda: curve(files[0], 400, 32768))
        measured("the curves of all runs", lambda: [curve(file, 400, 32768) for file in files])
        measured("the same again", lambda: [curve(file, 400, 32768) for file in files])


if __name__ == "__main__":
    main()
