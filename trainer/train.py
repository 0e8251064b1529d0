"""The training command: it reads the settings, then carries out the run.

    accelerate launch trainer/train.py [--preset NAME] [--section.key value ...]
    python trainer/train.py --help [--json]
    python trainer/train.py --check [--preset NAME] [--section.key value ...]
    python trainer/train.py --run.dry_run [--json] [--preset NAME] [--section.key value ...]

Importing run/run.py takes seconds (PyTorch, transformers), so help and errors in the settings come
before. The same command resumes a stopped run.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

if __package__ in (None, ""):  # started as a file: the project's folder is not on the path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from trainer.output.console import print_every_character, quick_imports, refusal
from trainer.settings.command_line import described, help_text, parse


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 0, 2 after one error message, or 130 if the run was stopped."""
    arguments = sys.argv[1:] if arguments is None else arguments
    print_every_character()
    if "--help" in arguments or "-h" in arguments:
        return print_help(json.dumps(described()) if "--json" in arguments else help_text())
    start = time.monotonic()
    try:
        as_json, is_check = "--json" in arguments, "--check" in arguments
        config = parse([word for word in arguments if word not in ("--json", "--check")])
        if is_check:
            return check_packages()
        if as_json and not config.run.dry_run:
            raise ValueError("--json is for --run.dry_run and for --help: leave it out")
        with quick_imports():
            from trainer.run.run import run
    except (ValueError, ModuleNotFoundError) as error:
        print(f"error: {refusal(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped before the run began", file=sys.stderr)
        return 130
    return run(config, start, as_json=as_json)


def check_packages() -> int:
    """Return 0 if the packages of a run are installed, without importing them, which takes seconds.

    Raises:
        ModuleNotFoundError: a package is missing.
    """
    for name in ("torch", "transformers", "accelerate", "ftfy"):
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(name=name)
    return 0


def print_help(text: str) -> int:
    """Print every setting; return 0, also if the reader closes the pipe, as `| head` does."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's last flush
    return 0


if __name__ == "__main__":
    sys.exit(main())
