"""Publish a model on the Hub, or the playground as a Space.

    python -m playground.publish model runs/storyteller/export USER/NAME [--snapshots]
    python -m playground.publish space USER/NAME --target zerogpu|cpu|static [--model USER/MODEL]

Both take --dry-run (nothing is sent) and --private. The same command updates a repository later.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from playground.browser import WEIGHTS
from playground.command_line import Parser, run_command
from playground.publish import model_repo, space_repo, static_repo
from playground.publish.staging import Say, Staging
from playground.sentences import first_line

if TYPE_CHECKING:
    from playground.folder.model_folder import ModelFolder

ROOT = Path(__file__).resolve().parents[2]
COSTS = {name: target.cost for name, target in space_repo.TARGETS.items()}
COSTS["static"] = static_repo.COST
SAMPLE_LENGTH = 130  # tokens


def parser() -> Parser:
    """Return the parser of the command line."""
    top = Parser(
        prog="python -m playground.publish",
        description="Publish a model or the playground on the Hub.",
    )
    kinds = top.add_subparsers(dest="kind", required=True, metavar="model|space")
    model = kinds.add_parser("model", help="a model: weights, tokenizer, card")
    model.add_argument("export", metavar="EXPORT", type=Path, help="the folder of an export")
    model.add_argument("--snapshots", action="store_true", help="send the training snapshots too")
    space = kinds.add_parser("space", help="the playground as a Space, with a model from the Hub")
    space.add_argument(
        "--target",
        default="zerogpu",
        choices=tuple(COSTS),
        help="; ".join(f"{name}: {cost}" for name, cost in COSTS.items()),
    )
    space.add_argument(
        "--model", metavar="USER/MODEL", help="model of the Space (default: the Space's own name)"
    )
    space.add_argument(
        "--export", metavar="EXPORT", help="folder to pack into a static Space (default: --model)"
    )
    space.add_argument(
        "--weights",
        choices=tuple(WEIGHTS),
        default="fp16",
        help="weights of a static Space (default: fp16)",
    )
    for kind in (model, space):
        kind.add_argument("name", metavar="USER/NAME", help="the repository on the Hub")
        kind.add_argument("--private", action="store_true", help="only you can see the repository")
        kind.add_argument("--dry-run", action="store_true", help="print what would be sent")
    return top


def checked_name(name: str) -> str:
    """Return a repository's name; ValueError if the Hub's client refuses it as owner/name."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    if name.count("/") != 1:
        raise ValueError(f"{name[:120]!r} is not a name on the Hub: give it as USER/NAME.")
    try:
        validate_repo_id(name)
    except HFValidationError as problem:
        reason = first_line(problem).removesuffix(f": '{name}'.")
        raise ValueError(f"{name[:120]!r} is not a name on the Hub. {reason}.") from None
    return name


def stage_model(options: argparse.Namespace) -> Staging:
    """Return the staged repository of a model. If its card has no sample stories, the model writes
    some now."""
    from playground.folder.model_folder import ModelFolder

    folder: Path = options.export
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: give the folder of an export.")
    model = ModelFolder.open(folder, device="cpu")  # an unusable model must not be published
    samples = [] if model_repo.has_samples(folder) else sample_stories(model)
    return model_repo.stage(folder, options.name, snapshots=options.snapshots, samples=samples)


def sample_stories(model: ModelFolder) -> list[tuple[str, str]]:
    """Return (settings in words, story) for each of some openings."""
    from playground.engine.engine import Engine
    from playground.sampling import Settings

    samples = []
    with Engine(model, max_streams=4) as engine:
        for opening in model_repo.OPENINGS:
            settings = Settings(length=SAMPLE_LENGTH, seed=1)
            story = engine.write(opening, settings).finish()
            words = f"temperature {settings.temperature:g}, top-k {settings.top_k}, seed 1"
            samples.append((words, story.text))
    return samples


def stage_space(options: argparse.Namespace) -> Staging:
    """Return the staged repository of a Space."""
    if options.target == "static":
        export = options.export or options.model
        return static_repo.stage(options.name, export, options.model, options.weights)
    return space_repo.stage(ROOT, options.name, options.model, options.target)


def show(staging: Staging, say: Say) -> None:
    """Print the files that would be sent, the card's front matter, and the files left out."""
    say(f"These files would be published:\n{staging.tree}\n")
    card = str(staging.files["README.md"])
    say(f"README.md begins:\n{card[: card.find('---', 4)]}---\n")
    say(f"Left out:\n{staging.remainder}\n")
    say("Nothing was sent.")


def run(options: argparse.Namespace, say: Say) -> None:
    """Stage a repository and, unless it is a dry run, publish it. `say` prints a line.

    Raises:
        ValueError: the repository cannot be staged or published.
    """
    checked_name(options.name)
    if options.kind == "space":
        options.model = checked_name(options.model or options.name)
    staging = stage_space(options) if options.kind == "space" else stage_model(options)
    if options.dry_run:
        show(staging, say)
        return
    for path in sorted(staging.left_out):
        if "looks like" in staging.left_out[path]:
            say(f"left out: {path} {staging.left_out[path]}")
    upload(options, staging, say)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command(
        lambda: run(parser().parse_args(arguments), lambda line: print(line, flush=True)),
        stopped="stopped: the repository on the Hub is as it was",
    )


def upload(options: argparse.Namespace, staging: Staging, say: Say) -> None:
    """Publish a staged repository, and wait until a Space runs."""
    from huggingface_hub import HfApi

    from playground.publish import hub

    api = HfApi(library_name="inkling")
    hub.check_login(api, options.name)
    is_space = options.kind == "space"
    gradio = space_repo.TARGETS.get(options.target) if is_space else None
    if is_space:
        hub.check_model(api, options.model)
    commit = hub.publish(
        api,
        options.name,
        options.kind,
        staging,
        private=options.private,
        hardware=gradio.hardware if gradio else None,
        say=say,
    )
    if not is_space:
        say(f"{api.endpoint}/{options.name} is published.")
        return
    host = hub.wait_until_it_runs(api, options.name, commit, say)
    if options.target == "static":
        say(f"It runs with the model {hub.page_model(host, private=options.private)}.")
    else:
        say(f"It runs, and writes: {hub.first_story(host, private=options.private)}")
    say(f"{api.endpoint}/spaces/{options.name}")


if __name__ == "__main__":
    sys.exit(main())
