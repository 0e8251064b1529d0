"""Start, watch and stop runs in the terminal, as the page does.

    python -m playground.runs list [--json]
    python -m playground.runs show NAME [--json]
    python -m playground.runs start NAME [--preset NAME] [--section.key value ...]
    python -m playground.runs pause | stop | resume | restart NAME
    python -m playground.runs delete NAME --yes NAME

A run that is started here trains in the background. The page shows it, and this command shows the
runs that the page started.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playground.command_line import Parser, run_command
from playground.runs import trainer_commands
from playground.runs.folder import RunsFolder
from playground.runs.training import ROOT, Training
from playground.runs.views import details, listing

RUN_COMMANDS = {
    "show": "print state, figures and settings of a run",
    "pause": "save and end; the list shows the run as paused",
    "stop": "save and end",
    "resume": "continue a run that was paused, stopped or killed",
    "restart": "start over and delete what was trained",
    "delete": "delete the folder of a run",
}


def parser() -> Parser:
    """Return the parser of the command line."""
    top = Parser(
        prog="python -m playground.runs", description="Show, start and stop runs of the trainer."
    )
    commands = top.add_subparsers(dest="command", required=True, parser_class=Parser)
    command = commands.add_parser("list", help="all runs, the newest activity first")
    add_options(command)
    for name, meaning in RUN_COMMANDS.items():
        command = commands.add_parser(name, help=meaning)
        command.add_argument("name", metavar="NAME", help="name of the run's folder")
        add_options(command)
        if name in ("delete", "restart"):
            command.add_argument(
                "--yes", metavar="NAME", default="", help="the name again, to be sure"
            )
    command = commands.add_parser("start", help="start a run in the background, as the page does")
    command.add_argument("name", metavar="NAME", help="name of the run's folder")
    add_options(command)
    command.add_argument(
        "--anyway", action="store_true", help="start even if another run is training"
    )
    return top


def add_options(command: Parser) -> None:
    """Add the options of every command."""
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--runs", type=Path, default=ROOT / "runs", help="folder of runs")


def result_of(options: argparse.Namespace, words: Sequence[str]) -> dict[str, Any]:
    """Run one command and return its result. `words`: the settings of a run to start."""
    runs = RunsFolder(options.runs)
    training = Training(runs)
    if words and options.command != "start":
        raise ValueError(f"{words[0]} is not an option of {options.command} (--help lists them)")
    if options.command == "list":
        return listing(runs)
    if options.command in ("delete", "restart") and options.yes != options.name:
        raise ValueError(
            f"this deletes the trained model: add --yes {options.name} to {options.command} it."
        )
    if options.command == "delete":
        training.delete(options.name, options.yes)
        return {}
    if options.command == "start":
        words = ["--preset", "storyteller", *words] if "--preset" not in words else list(words)
        trainer_commands.check(words)
        training.start(options.name, words, anyway=options.anyway)
    elif options.command in ("pause", "stop"):
        training.request_end(options.name, options.command)
    elif options.command in ("resume", "restart"):
        training.resume(options.name, fresh=options.command == "restart")
    return details(runs.run(options.name))


def row(run: dict[str, Any]) -> str:
    """Return the line of a run in the list."""
    steps = f"{run['steps']:,}" if run["steps"] else "?"
    parts = [f"{run['name']:24} {run['state']:10} {run['step']:>9,} of {steps:>9}"]
    if run["seconds_left"] and run["state"] == "running":
        parts.append(f"{duration(run['seconds_left'])} left")
    if run["validation_loss"] is not None:
        parts.append(f"validation {run['validation_loss']:.3f}")
    if run["perplexity"]:
        parts.append(f"perplexity {run['perplexity']['value']:.2f}")
    return "  ".join([*parts, run["message"]]).rstrip()


def duration(seconds: float) -> str:
    """Return a time in minutes or hours."""
    minutes = seconds / 60
    return f"{minutes / 60:.1f} hours" if minutes >= 90 else f"{minutes:.0f} minutes"


def print_result(result: dict[str, Any], as_json: bool) -> None:
    """Print the result of a command."""
    if as_json:
        print(json.dumps(result))
        return
    for run in result.get("runs", [result] if "name" in result else []):
        print(row(run))
    if "command" in result:
        print(f"\n{result['command']}")
        for sample in result["samples"][:1]:
            print(f"\nafter step {result['samples_step']:,}: {sample.get('story', '')}")
        for line in result["log"][-5:]:
            print(f"  {line}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""

    def run() -> None:
        options, words = parser().parse_known_args(arguments)
        print_result(result_of(options, words), options.json)

    return run_command(run)


if __name__ == "__main__":
    sys.exit(main())
