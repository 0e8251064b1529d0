"""Judges an export, or any causal language model folder that transformers opens.

    python -m trainer.evaluate MODEL --stories FILE [--json]

Says how well the model predicts every story of a file (likelihood.py tells what is
counted) and, with --generate N, how its own continuations of N of them read. Stories are judged as
they stand, without the space around them. A model that read cleaned stories, in lower case say, may
be judged on such: --clean applies the rules that its training.json names. That is another text.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import transformers

from trainer.config import Corpus
from trainer.corpus.cleaning import Cleaner
from trainer.corpus.sources import open_source
from trainer.device import usable_gpu
from trainer.evaluate.generation import Prose, continue_stories, judge_prose
from trainer.evaluate.likelihood import Evaluation, evaluate
from trainer.evaluate.load import open_model

__all__ = ["Evaluation", "evaluate", "main", "open_model"]


class Parser(argparse.ArgumentParser):
    """Complains as every command of the project does: with a ValueError, which `main` prints."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (--help lists the options)")


def parser() -> Parser:
    """The command line."""
    found = Parser(
        prog="python -m trainer.evaluate",
        description="How well a model predicts true stories: perplexity, bits per byte.",
    )
    add = found.add_argument
    add(
        "model",
        metavar="MODEL",
        help="an export, run, checkpoint or snapshot; another causal model's folder; or a Hub name",
    )
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
    add("--clean", action="store_true", help="clean the stories as those in training.json were")
    add("--context", type=int, metavar="N", help="tokens to look back on (default: the model's)")
    add("--stride", type=int, metavar="N", help="tokens that long stories slide by (default: half)")
    add("--batch", type=int, default=16, metavar="N", help="windows at once (default: 16)")
    add("--device", default="auto", help="cpu, cuda, ... (default: a GPU when there is one)")
    more = found.add_argument_group("continuations of the first halves of stories")
    add = more.add_argument
    add("--generate", type=int, default=0, metavar="N", help="continue N stories, judge the prose")
    add("--train", metavar="FILE", help="training stories, to see what is copied from them")
    add("--temperature", type=float, default=0.0, help="0, the default, takes the likeliest token")
    add("--seed", type=int, default=0, help="of the draws above temperature 0 (default: 0)")
    return found


def cleaning_of(folder: Path) -> Corpus:
    """The corpus settings that a model was trained with, from its training.json.

    Raises:
        ValueError: the folder has no such file, or it names no cleaning.
    """
    try:
        kept = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        kept = kept["settings"]["corpus"]
        known = {key.name for key in dataclasses.fields(Corpus)}
        return Corpus(**{key: value for key, value in kept.items() if key in known})
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        raise ValueError(
            f"{folder / 'training.json'} tells no rules of cleaning: leave out --clean"
        ) from problem


def stories_of(source: Corpus, cleaner: Cleaner | None) -> Iterator[str]:
    """The stories of files as they are to be scored, without those that the cleaner drops.

    Raises:
        ValueError: they cannot be read.
    """
    with open_source(source) as opened:
        stories = (story for piece in opened.train() for story in piece.stories())
        yield from prepared(stories, opened.name, cleaner)


def prepared(stories: Iterable[str], name: str, cleaner: Cleaner | None) -> Iterator[str]:
    """Stories without the space around them, cleaned if asked for."""
    for number, story in enumerate(stories, start=1):
        if any("\ud800" <= letter <= "\udfff" for letter in story):
            raise ValueError(
                f"story {number:,} of {name} holds half a character (a lone surrogate): mend it or "
                "take it out"
            )
        cleaned = story if cleaner is None else cleaner.clean(story, Counter())
        if isinstance(cleaned, str) and cleaned.strip():
            yield cleaned.strip()


def source_of(options: argparse.Namespace, files: str) -> Corpus:
    """Files as a source of stories; the copy of standard input is in a folder for such."""
    settings = vars(options)
    return Corpus(
        source=files,
        folder=tempfile.gettempdir(),
        field=settings["corpus.field"],
        separator=settings["corpus.separator"],
    )


def judge(options: argparse.Namespace) -> tuple[Evaluation, Prose | None]:
    """Does what the command line asks for.

    Raises:
        ValueError: one sentence on what cannot be done.
    """
    if options.generate < 0:
        raise ValueError(f"--generate must be 0 or more, not {options.generate}")
    if not 0 <= options.temperature < float("inf"):
        raise ValueError(f"--temperature must be 0 or more, not {options.temperature}")
    if options.train and not options.generate:
        raise ValueError("--train is for the prose that --generate N writes: give both")
    device = options.device
    if device == "auto":
        device = "cuda" if usable_gpu() else "cpu"
    stores = vars(options)["corpus.folder"]
    model, tokenizer = open_model(options.model, device=device, stores=stores)
    cleaner = Cleaner(cleaning_of(Path(options.model))) if options.clean else None
    stories = list(stories_of(source_of(options, options.stories), cleaner))
    if not stories:
        raise ValueError(f"{options.stories} holds no stories")
    likelihood = evaluate(
        model,
        stories,
        tokenizer,
        stride=options.stride,
        context=options.context,
        batch=options.batch,
        progress=True,
    )
    if not options.generate:
        return likelihood, None
    continuations = continue_stories(
        model,
        stories,
        tokenizer,
        count=options.generate,
        temperature=options.temperature,
        seed=options.seed,
        batch=options.batch,
        progress=True,
    )
    training = stories_of(source_of(options, options.train), cleaner) if options.train else None
    return likelihood, judge_prose(continuations, training)


def table(likelihood: Evaluation, prose: Prose | None) -> str:
    """The figures for people."""
    rows = [
        ("nats per token", f"{likelihood.nats_per_token:.4f}"),
        ("perplexity", f"{likelihood.perplexity:.3f}"),
        ("bits per byte", f"{likelihood.bits_per_byte:.4f}"),
        ("stories", f"{likelihood.stories:,}"),
        ("tokens", f"{likelihood.tokens:,}"),
        ("bytes", f"{likelihood.bytes:,}"),
        ("context, stride", f"{likelihood.context}, {likelihood.stride}"),
        ("seconds", f"{likelihood.seconds:.1f}"),
    ]
    if prose:
        rows += [
            ("stories continued", f"{prose.stories:,}"),
            ("BLEU", f"{prose.bleu:.2f}"),
            ("4-word runs repeated", f"{prose.repeated:.2%} (true: {prose.repeated_in_true:.2%})"),
        ]
    if prose and prose.copied is not None:
        shares = f"{prose.copied:.2%} (true: {prose.copied_in_true:.2%})"
        rows.append(("8-word runs copied", shares))
    return "\n".join(f"{name:22}{value}" for name, value in rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 when the model was judged, 2 with one sentence when it cannot be."""
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    try:
        options = parser().parse_args(arguments)
        likelihood, prose = judge(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    if options.json:
        found: dict[str, Any] = {"model": options.model, "file": options.stories}
        found |= {"cleaned": options.clean, **dataclasses.asdict(likelihood)}
        print(json.dumps(found | ({"prose": dataclasses.asdict(prose)} if prose else {})))
    else:
        print(table(likelihood, prose))
    return 0


if __name__ == "__main__":
    sys.exit(main())
