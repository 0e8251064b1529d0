"""Print the last metrics of a run and draw its loss curve.

python -m trainer.metrics RUN [--plot]
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

from trainer.metrics.log import METRICS, plot, read
from trainer.output.console import Parser, run_command


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: see `run_command`."""
    parser = Parser(
        prog="python -m trainer.metrics", description="Print the last metrics of a run."
    )
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--plot", action="store_true", help="draw the curve to RUN/curve.png")
    return run_command(lambda: show(parser.parse_args(arguments)))


def show(options: Namespace) -> None:
    """Print a run's last lines, and draw its curve with --plot."""
    lines = read(options.run)
    if not lines:
        raise ValueError(f"there is no {METRICS} in {options.run}: name the folder of a run")
    for line in lines[-10:]:
        print(json.dumps(line), flush=True)
    if options.plot:
        plot(options.run, options.run / "curve.png")
        print(options.run / "curve.png")


if __name__ == "__main__":
    sys.exit(main())
