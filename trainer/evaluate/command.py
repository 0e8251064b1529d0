"""The work of `python -m trainer.evaluate`: read stories, score models, print tables."""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.corpus.read.sources import open_source
from trainer.corpus.store.cleaning import Cleaner
from trainer.corpus.store.token_store import open_store
from trainer.evaluate.characters import measure_characters
from trainer.evaluate.continuations import (
    Sampling,
    continue_stories,
    not_continued,
    openings_of,
)
from trainer.evaluate.likelihood import Likelihood, score
from trainer.evaluate.prose import find_in_training, measure_prose, same_story
from trainer.evaluate.report.compare import Row, compare, table
from trainer.evaluate.report.report import check_report_folder, write_report
from trainer.evaluate.report.tables import characters_table, figures, plain_table, prose_table
from trainer.model.device import usable_gpu
from trainer.model.load import open_model
from trainer.settings.corpus import Corpus


def files(options: argparse.Namespace, names: str, cleaner: Cleaner | None = None) -> Iterator[str]:
    """Yield the stories of some files for scoring, without those that the cleaner drops. Raises
    ValueError if the files cannot be read."""
    settings = vars(options)
    source = Corpus(
        source=names,
        folder=tempfile.gettempdir(),  # for a copy of standard input
        field=settings["corpus.field"],
        separator=settings["corpus.separator"],
    )
    with open_source(source) as opened:
        chunks = opened.validation or opened.train  # of a source with splits, the validation part
        stories = (story for chunk in chunks() for story in chunk.stories())
        yield from prepared(stories, opened.name, cleaner)


def prepared(stories: Iterable[str], name: str, cleaner: Cleaner | None) -> Iterator[str]:
    """Yield stories without the space around them, cleaned if there is a cleaner."""
    for number, story in enumerate(stories, start=1):
        if any("\ud800" <= letter <= "\udfff" for letter in story):
            raise ValueError(
                f"story {number:,} of {name} holds half a character (a lone surrogate): mend it or "
                "take it out"
            )
        cleaned = story if cleaner is None else cleaner.clean(story, Counter())
        if isinstance(cleaned, str) and cleaned.strip():
            yield cleaned.strip()


def cleaning_of(folder: Path) -> Corpus:
    """Return the corpus settings that a model was trained with, from its training.json, or that of
    a run's export. Raises ValueError if there is no such file, or it has no such settings."""
    if (folder / "export").is_dir():
        folder = folder / "export"
    try:
        values = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        values = values["settings"]["corpus"]
        names = {key.name for key in dataclasses.fields(Corpus)}
        return Corpus(**{key: value for key, value in values.items() if key in names})
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        raise ValueError(
            f"{folder / 'training.json'} names no rules of cleaning: leave out --clean"
        ) from problem


def stories_of(options: argparse.Namespace, cleaner: Cleaner | None = None) -> list[str]:
    """Return the stories to score. Raises ValueError if the files hold no stories."""
    if Path(options.stories, "store.json").is_file():  # a token store: its held-out stories
        stories = list(open_store(options.stories).stories("validation"))
    else:
        stories = list(files(options, options.stories, cleaner))
    if not stories:
        raise ValueError(f"{options.stories} holds no stories")
    return stories


def opened(
    options: argparse.Namespace, name: str
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return a model on the device that computes, and its tokenizer."""
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    device = options.device
    if device == "auto":
        device = "cuda" if usable_gpu() else "cpu"
    return open_model(name, device=device, stores=vars(options)["corpus.folder"])


def scored(
    options: argparse.Namespace, model: Any, tokenizer: Any, stories: list[str]
) -> Likelihood:
    """Score all stories by the options."""
    how = {"stride": options.stride, "context": options.context, "batch": options.batch}
    return score(model, stories, tokenizer, **how)


def run_evaluation(options: argparse.Namespace) -> dict[str, Any]:
    """Evaluate one model, print the figures unless --json is given, and return them. Raises
    ValueError for options or stories that cannot be used."""
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
    ways = ways if options.temperature else ways[:1]
    continuations = [
        (way, continue_stories(model, openings, tokenizer, way, batch=options.batch))
        for way in ways
        if openings
    ]
    characters = measure_characters(model, tokenizer, stories, options.generate, ways)
    training, in_training = None, None
    if options.train:
        texts = [text for _, pairs in continuations for pair in pairs for text in pair.texts]
        source = files(options, options.train, cleaner)
        training = find_in_training(source, texts, stories, not_continued(stories, openings))
        in_training = sum(same_story(story) in training.stories for story in stories)
    prose = [measure_prose(pairs, way, tokenizer, training) for way, pairs in continuations]
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
        if characters:
            print("\n" + plain_table(characters_table(characters)))
        if options.report:
            print(f"\nthe report is in {options.report}")
    result = {"model": options.model, "file": options.stories, "cleaned": options.clean}
    result |= dataclasses.asdict(evaluation)
    result |= {} if in_training is None else {"in_training": in_training}
    result |= {"characters": characters} if characters else {}
    return result | ({"prose": list(map(dataclasses.asdict, prose))} if prose else {})


def run_comparison(options: argparse.Namespace) -> dict[str, Any]:
    """Compare models, print the table unless --json is given, and return it. Raises ValueError for
    options or stories that cannot be used."""
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
