"""Runs in the terminal, with the words of the page.

    python -m playground.runs list [--json]
    python -m playground.runs show NAME [--json]
    python -m playground.runs start NAME [--preset NAME] [--section.key value ...]
    python -m playground.runs pause | stop | resume | restart NAME
    python -m playground.runs delete NAME --yes NAME

A run that is started here trains in the background, as one that the page starts, and each shows the
other's.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playground.command_line import Parser, use_utf8
from playground.runs.details import details
from playground.runs.folder import RunsFolder
from playground.runs.listing import listing
from playground.runs.questions import Questions
from playground.runs.stories import StorySets
from playground.runs.training import ROOT, Training

NAMED = {
    "show": "what there is to say of a run",
    "pause": "save and end; the list says that it is to be resumed",
    "stop": "save and end",
    "resume": "continue a run that was paused, stopped or killed",
    "restart": "start over and drop what was trained",
    "delete": "delete the folder of a run",
}


def parser() -> Parser:
    """The command line."""
    found = Parser(prog="python -m playground.runs", description="Runs of the trainer.")
    commands = found.add_subparsers(dest="command", required=True, parser_class=Parser)
    one = commands.add_parser("list", help="all runs, the newest activity first")
    add_options(one)
    for name, meaning in NAMED.items():
        one = commands.add_parser(name, help=meaning)
        one.add_argument("name", metavar="NAME", help="of the run, its folder's")
        add_options(one)
        if name in ("delete", "restart"):
            one.add_argument("--yes", metavar="NAME", default="", help="the name again, to be sure")
    one = commands.add_parser("start", help="train in the background, as the page does")
    one.add_argument("name", metavar="NAME", help="of the run, its folder's")
    add_options(one)
    one.add_argument("--anyway", action="store_true", help="though another run trains")
    return found


def add_options(one: Parser) -> None:
    """Add the options that all commands have."""
    one.add_argument("--json", action="store_true", help="print JSON")
    one.add_argument("--runs", type=Path, default=ROOT / "runs", help="folder of runs")


def answer(options: argparse.Namespace, words: Sequence[str]) -> dict[str, Any]:
    """Do what is asked, and return what there is to say afterwards."""
    runs = RunsFolder(options.runs)
    training = Training(runs)
    if words and options.command != "start":
        raise ValueError(f"{words[0]} is not an option of {options.command} (--help lists them)")
    if options.command == "list":
        return listing(runs)
    if options.command in ("delete", "restart") and options.yes != options.name:
        raise ValueError(
            f"this drops what was trained: add --yes {options.name} to {options.command} it."
        )
    if options.command == "delete":
        training.delete(options.name, options.yes)
        return {}
    if options.command == "start":
        words = ["--preset", "storyteller", *words] if "--preset" not in words else list(words)
        Questions(StorySets(runs.folder.parent / "stories")).check(words)
        training.start(options.name, words, anyway=options.anyway)
    elif options.command in ("pause", "stop"):
        training.ask(options.name, options.command)
    elif options.command in ("resume", "restart"):
        training.resume(options.name, fresh=options.command == "restart")
    return details(runs.run(options.name))


def row(run: dict[str, Any]) -> str:
    """A run in a line."""
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
    """A time in words."""
    minutes = seconds / 60
    return f"{minutes / 60:.1f} hours" if minutes >= 90 else f"{minutes:.0f} minutes"


def say(found: dict[str, Any], as_json: bool) -> None:
    """Print what a command found."""
    if as_json:
        print(json.dumps(found))
        return
    for run in found.get("runs", [found] if "name" in found else []):
        print(row(run))
    if "command" in found:
        print(f"\n{found['command']}")
        for sample in found["samples"][:1]:
            print(f"\nafter step {found['samples_step']:,}: {sample.get('story', '')}")
        for line in found["log"][-5:]:
            print(f"  {line}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 when it is done, 2 with one message when it cannot be."""
    use_utf8()
    try:
        options, words = parser().parse_known_args(arguments)
        say(answer(options, words), options.json)
    except (ValueError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
