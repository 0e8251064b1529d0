"""Print the last metrics of a run and draw its loss curve.

python -m trainer.metrics RUN [--plot]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from trainer.metrics.curve import plot
from trainer.metrics.log import METRICS, read
from trainer.output.console import print_every_character
from trainer.settings.argument_parser import Parser


def main(arguments: list[str] | None = None) -> int:
    """Print a run's last lines, and draw its curve if asked to: 0, or 2 with one sentence."""
    parser = Parser(prog="python -m trainer.metrics", description="Look at a run.")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--plot", action="store_true", help="draw the curve to RUN/curve.png")
    print_every_character()
    try:
        options = parser.parse_args(arguments)
        lines = read(options.run)
        if not lines:
            raise ValueError(f"there is no {METRICS} in {options.run}: name the folder of a run")
        for line in lines[-10:]:
            print(json.dumps(line), flush=True)
        if options.plot:
            plot(options.run, options.run / "curve.png")
            print(options.run / "curve.png")
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
