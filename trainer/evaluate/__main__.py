"""Evaluate an export, or any causal language model folder that transformers opens.

    python -m trainer.evaluate MODEL --stories FILES [--train FILES] [--generate N] [--report DIR]
    python -m trainer.evaluate compare MODEL MODEL ... --stories FILES

Prints how well the model predicts every story of the files (likelihood.py defines the figures) and,
with --generate N, the quality of its own continuations of N of them. Stories are scored unchanged,
without the space around them; --clean first applies the rules in the model's training.json, for a
model that learned from cleaned stories, such as in lower case. The figures are then of another
text.

command.py imports PyTorch and transformers, which takes seconds: help and the errors of options
come before."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from trainer.output.console import Parser, quick_imports, run_command


def parser() -> Parser:
    """Return the command line for one model."""
    command = Parser(
        prog="python -m trainer.evaluate",
        description="Measure how well a model predicts true stories: perplexity, bits per byte.",
        epilog="`python -m trainer.evaluate compare MODEL MODEL ...` compares several models.",
    )
    command.add_argument(
        "model",
        metavar="MODEL",
        help="an export, run, checkpoint or snapshot; another causal model's folder; or a Hub name",
    )
    add_scoring_options(command)
    add = command.add_argument
    add("--clean", action="store_true", help="clean the stories by the rules in training.json")
    add("--report", metavar="DIR", help="write a report there: Markdown and pictures")
    add(
        "--train",
        metavar="FILES",
        help="training stories, to measure what the model copied from them",
    )
    more = command.add_argument_group("continuations of the first halves of stories")
    add = more.add_argument
    add(
        "--generate",
        type=int,
        default=0,
        metavar="N",
        help="continue N stories and measure the results",
    )
    add(
        "--temperature", type=float, default=0.8, help="of the sampled continuations (default: 0.8)"
    )
    add("--top-k", type=int, default=40, help="tokens to draw from; 0: all (default: 40)")
    add("--seed", type=int, default=0, help="seed of the random numbers (default: 0)")
    return command


def compare_parser() -> Parser:
    """Return the command line for several models."""
    command = Parser(
        prog="python -m trainer.evaluate compare",
        description="Compare models on the same stories, with paired differences.",
    )
    command.add_argument(
        "models",
        metavar="MODEL",
        nargs="+",
        help="models as for one evaluation; the first is the reference",
    )
    add_scoring_options(command)
    return command


def add_scoring_options(command: Parser) -> None:
    """Add the options that both commands have."""
    add = command.add_argument
    add(
        "--stories",
        metavar="FILES",
        required=True,
        help="files, patterns or folders of stories, separated by commas; - is standard input; "
        "or a token store, whose validation stories are scored",
    )
    add(
        "--corpus.folder",
        default="data",
        metavar="DIR",
        help="folder of the token stores, for a checkpoint",
    )
    add("--corpus.field", default="", metavar="NAME", help="field or column with the stories")
    add(
        "--corpus.separator",
        default="auto",
        choices=("auto", "mark", "line", "empty-line", "file"),
        help="what separates the stories of a .txt (default: auto, which is <|endoftext|> marks)",
    )
    add("--json", action="store_true", help="print one JSON object")
    add("--context", type=int, metavar="N", help="context in tokens (default: the model's)")
    add(
        "--stride",
        type=int,
        metavar="N",
        help="stride of the window in long stories (default: half the context)",
    )
    add("--batch", type=int, default=16, metavar="N", help="windows at once (default: 16)")
    add("--device", default="auto", help="cpu, cuda, ... (default: a GPU when there is one)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: see `run_command`."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_command(lambda: evaluate(words))


def evaluate(words: Sequence[str]) -> None:
    """Evaluate one model, or compare several."""
    compares = words[:1] == ["compare"]
    options = compare_parser().parse_args(words[1:]) if compares else parser().parse_args(words)
    with quick_imports():
        from trainer.evaluate.command import run_comparison, run_evaluation

    result = run_comparison(options) if compares else run_evaluation(options)
    if options.json:
        print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
