"""Compare the time estimate of a dry run, which the page Train shows, with the time of the run.

    python benchmarks/estimates.py STORIES.jsonl [--stories 20000] [--only pocket] [--steps 30]

After a dry run of the same settings, each preset is trained for a few updates from scratch, and the
storyteller also from the shipped model. The token store exists before. The estimate excludes the
seconds of importing libraries and opening the store; the real time is printed with and without.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Name: settings.
RUNS = {
    "pocket": ("--preset", "pocket"),
    "storyteller": ("--preset", "storyteller"),
    "model": ("--preset", "storyteller", "--model.init_from", "models/storyteller"),
}


def train(*words: str) -> tuple[str, float]:
    """Run the trainer; return its output and its seconds."""
    begin = time.perf_counter()
    command = [sys.executable, "trainer/train.py", *words]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout, time.perf_counter() - begin


def main() -> None:
    """Print a row for each run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("--stories", type=int, default=20_000)
    parser.add_argument("--only", choices=RUNS)
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        stories = place / "stories.jsonl"
        with options.source.open(encoding="utf-8") as lines:
            few = itertools.islice(lines, options.stories)
            stories.write_text("".join(few), encoding="utf-8")
        for run, preset in RUNS.items():
            if options.only in (None, run):
                words = (
                    *preset,
                    "--corpus.source",
                    str(stories),
                    "--corpus.folder",
                    f"{place}/data",
                )
                words += ("--optim.steps", str(options.steps))
                print(f"{run:12}{measure(words, place / run)}", flush=True)


def measure(words: tuple[str, ...], folder: Path) -> str:
    """Make a dry run and the run; return both times as a row."""
    printed, _ = train(*words, "--run.dry_run", "--json")
    estimate = json.loads(printed.splitlines()[-1])
    started = time.time()
    _, real = train(*words, "--run.dir", str(folder))
    opened = (folder / "run.json").stat().st_mtime - started
    run = real - opened
    return (
        f"estimate {estimate['seconds']:6.1f} s, real {run:6.1f} s "
        f"({estimate['seconds'] / run:.2f}); with its start {real:.1f} s; an update "
        f"{estimate['seconds_per_step']:.2f} s estimated"
    )


if __name__ == "__main__":
    main()
