"""Evaluates an export, or any causal language model folder that transformers opens.

    python -m trainer.evaluate MODEL --stories FILES [--train FILES] [--generate N] [--report DIR]
    python -m trainer.evaluate compare MODEL MODEL ... --stories FILES

Says how well the model predicts every story of the files (likelihood.py says what is counted) and,
with --generate N, how its own continuations of N of them read. Stories are scored as they stand,
without the space around them. A model that learned from cleaned stories, in lower case say, may be
evaluated on such: --clean applies the rules that its training.json names. That is another text.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.argument_parser import Parser
from trainer.corpus.cleaning import Cleaner
from trainer.device import usable_gpu
from trainer.evaluate.compare import Row, compare, table
from trainer.evaluate.continuations import Sampling, continue_stories, openings_of
from trainer.evaluate.figures import figures, plain_table, prose_table
from trainer.evaluate.likelihood import Evaluation, Likelihood, evaluate, score
from trainer.evaluate.load import open_model
from trainer.evaluate.prose import find_in_training, measure_prose, same_story
from trainer.evaluate.report import check_report_folder, write_report
from trainer.evaluate.story_files import cleaning_of, read_stories, source_of

__all__ = ["Evaluation", "evaluate", "main", "open_model"]


def parser() -> Parser:
    """The command line for one model."""
    found = Parser(
        prog="python -m trainer.evaluate",
        description="How well a model predicts true stories: perplexity, bits per byte.",
        epilog="`python -m trainer.evaluate compare MODEL MODEL ...` puts several side by side.",
    )
    found.add_argument(
        "model",
        metavar="MODEL",
        help="an export, run, checkpoint or snapshot; another causal model's folder; or a Hub name",
    )
    add_scoring_options(found)
    add = found.add_argument
    add("--clean", action="store_true", help="clean the stories as those in training.json were")
    add("--report", metavar="DIR", help="write a report there: Markdown and pictures")
    add("--train", metavar="FILES", help="training stories, to see what of all this is in them")
    more = found.add_argument_group("continuations of the first halves of stories")
    add = more.add_argument
    add("--generate", type=int, default=0, metavar="N", help="continue N stories and measure it")
    add("--temperature", type=float, default=0.8, help="beside the greedy ones (default: 0.8)")
    add("--top-k", type=int, default=40, help="tokens to draw from; 0: all (default: 40)")
    add("--seed", type=int, default=0, help="of the draws (default: 0)")
    return found


def compare_parser() -> Parser:
    """The command line for several models."""
    found = Parser(
        prog="python -m trainer.evaluate compare",
        description="Models side by side on the same stories, with paired differences.",
    )
    found.add_argument(
        "models", metavar="MODEL", nargs="+", help="as for one model; the others are compared to it"
    )
    add_scoring_options(found)
    return found


def add_scoring_options(found: Parser) -> None:
    """The options that both commands have."""
    add = found.add_argument
    add(
        "--stories",
        metavar="FILES",
        required=True,
        help="files, patterns or folders of stories, parted by commas; - is standard input",
    )
    add("--corpus.folder", default="data", metavar="DIR", help="token stores, for a checkpoint")
    add("--corpus.field", default="", metavar="NAME", help="field or column with the stories")
    add(
        "--corpus.separator",
        default="auto",
        choices=("auto", "mark", "line", "empty-line", "file"),
        help="what parts the stories of a .txt (default: auto, which is <|endoftext|> marks)",
    )
    add("--json", action="store_true", help="print one JSON object")
    add("--context", type=int, metavar="N", help="tokens to look back on (default: the model's)")
    add("--stride", type=int, metavar="N", help="tokens that long stories slide by (default: half)")
    add("--batch", type=int, default=16, metavar="N", help="windows at once (default: 16)")
    add("--device", default="auto", help="cpu, cuda, ... (default: a GPU when there is one)")


def files(options: argparse.Namespace, names: str, cleaner: Cleaner | None = None) -> Iterator[str]:
    """The stories of the files of that name."""
    settings = vars(options)
    source = source_of(names, settings["corpus.field"], settings["corpus.separator"])
    return read_stories(source, cleaner)


def stories_of(options: argparse.Namespace, cleaner: Cleaner | None = None) -> list[str]:
    """The stories to score.

    Raises:
        ValueError: there are none.
    """
    stories = list(files(options, options.stories, cleaner))
    if not stories:
        raise ValueError(f"{options.stories} holds no stories")
    return stories


def opened(
    options: argparse.Namespace, name: str
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model where it is to compute, and its tokenizer."""
    device = options.device
    if device == "auto":
        device = "cuda" if usable_gpu() else "cpu"
    return open_model(name, device=device, stores=vars(options)["corpus.folder"])


def scored(
    options: argparse.Namespace,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    stories: list[str],
) -> Likelihood:
    """The scores of all stories, as the options want them."""
    return score(
        model,
        stories,
        tokenizer,
        stride=options.stride,
        context=options.context,
        batch=options.batch,
        progress=True,
    )


def run_evaluation(options: argparse.Namespace) -> dict[str, Any]:
    """Evaluates one model, prints the figures unless they are wanted as JSON, and returns them.

    Raises:
        ValueError: one sentence on what cannot be done.
    """
    if options.generate < 0:
        raise ValueError(f"--generate must be 0 or more, not {options.generate}")
    ways = [Sampling(), Sampling(options.temperature, options.top_k, options.seed)]
    if options.report:
        check_report_folder(Path(options.report))
    model, tokenizer = opened(options, options.model)
    cleaner = Cleaner(cleaning_of(Path(options.model))) if options.clean else None
    stories = stories_of(options, cleaner)
    scores = scored(options, model, tokenizer, stories)
    openings = openings_of(model, stories, tokenizer, options.generate)
    if options.generate and not openings:
        raise ValueError(
            f"no story of {options.stories} can be continued: each has too few tokens, or a first "
            "half that leaves the model's context no room"
        )
    continuations = [
        (way, continue_stories(model, openings, tokenizer, way, batch=options.batch, progress=True))
        for way in (ways if options.temperature else ways[:1])
        if openings
    ]
    training, in_training = None, None
    if options.train:
        texts = [text for _, done in continuations for pair in done for text in pair.texts]
        training = find_in_training(files(options, options.train, cleaner), texts, stories)
        in_training = sum(same_story(story) in training.stories for story in stories)
    prose = [measure_prose(done, way, tokenizer, training) for way, done in continuations]
    evaluation = scores.evaluation()
    if options.report:
        name = f"{options.stories}, cleaned" if options.clean else options.stories
        write_report(
            Path(options.report), options.model, name, scores, evaluation, tokenizer, prose,
            in_training,
        )  # fmt: skip
    if not options.json:
        print(plain_table(figures(evaluation, in_training)))
        if prose:
            print("\n" + plain_table(prose_table(prose)))
            print(f"\nBLEU: {prose[0].bleu_signature}")
        if options.report:
            print(f"\nthe report is in {options.report}")
    found = {"model": options.model, "file": options.stories, "cleaned": options.clean}
    found |= dataclasses.asdict(evaluation)
    found |= {} if in_training is None else {"in_training": in_training}
    return found | ({"prose": list(map(dataclasses.asdict, prose))} if prose else {})


def run_comparison(options: argparse.Namespace) -> dict[str, Any]:
    """Compares models, prints the table unless it is wanted as JSON, and returns it.

    Raises:
        ValueError: one sentence on what cannot be done.
    """
    if len(options.models) < 2:
        raise ValueError("compare needs two models or more: name another")
    stories = stories_of(options)

    def all_scored() -> Iterator[tuple[str, Likelihood]]:
        for name in options.models:
            yield name, scored(options, *opened(options, name), stories)

    rows: list[Row] = list(compare(all_scored()))
    if not options.json:
        print(table(rows))
    return {"file": options.stories, "models": list(map(dataclasses.asdict, rows))}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 when the model was evaluated, 2 with one sentence when it cannot be."""
    arguments = sys.argv[1:] if arguments is None else arguments
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    try:
        if arguments[:1] == ["compare"]:
            options = compare_parser().parse_args(arguments[1:])
            found = run_comparison(options)
        else:
            options = parser().parse_args(arguments)
            found = run_evaluation(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
