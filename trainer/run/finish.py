"""Finish a run after its last update: the export, its final evaluation and its model card."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.corpus.store.token_store import TokenStore
from trainer.evaluate.characters import measure_characters
from trainer.evaluate.continuations import (
    SAMPLED,
    Sampling,
    continue_stories,
    not_continued,
    openings_of,
)
from trainer.evaluate.likelihood import evaluate
from trainer.evaluate.prose import Prose, find_in_training, measure_prose
from trainer.evaluate.validation import write_samples
from trainer.export.complete import complete
from trainer.export.model_card import describe
from trainer.export.transformers_folder import export
from trainer.output.console import best_effort
from trainer.run.loop import Trainer
from trainer.settings.run import Run
from trainer.storage import checkpoint, run_folder


def finish(trainer: Trainer) -> None:
    """Export the model, evaluate it and write its model card. A failed evaluation leaves its part
    of the card out."""
    weights = trainer.engine.weights()
    trainer.runtime.watchdog.is_finished = True
    if not trainer.runtime.is_main:
        return
    config, step = trainer.config, trainer.step
    if config.run.export_checkpoint == "best":
        best = checkpoint.best(trainer.folder / "checkpoints", trainer.run_id)
        if best is not None:
            step, weights = best.step, best.weights
            trainer.say(f"step {step:,} had the lowest validation loss: it is exported")
    decoder = trainer.full(weights)
    training = describe(
        decoder,
        config.to_dict(),
        name=config.name,
        preset=config.preset,
        corpus=trainer.store.summary("train"),
        steps=step,
        tokens_seen=step * trainer.global_batch * trainer.context,
        validation=None,
    )
    is_half = config.run.export_precision == "fp16"
    exported = copy.deepcopy(decoder).half() if is_half else decoder
    folder = trainer.folder / run_folder.EXPORT
    export(folder, exported, trainer.store.tokenizer, training)
    trainer.say(f"the model is exported to {folder}; evaluating it for its model card")
    with best_effort("the evaluation", trainer.say):
        training |= evaluate_finished(
            decoder, trainer.tokenizer, trainer.store, config.run, trainer.say
        )
    complete(folder, training, trainer.folder, config.model.init_from, trainer.say)
    trainer.say(f"the model is in {folder}: python app.py --model {folder} opens it")


def evaluate_finished(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    store: TokenStore,
    run: Run,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Evaluate a trained model in fp32, with the settings of its run. `say` prints progress and
    warnings.

    Returns:
        Entries of training.json: `validation`, the metrics on the validation stories (None without
        any); `prose`, of greedy and sampled continuations of these; `characters`, their characters
        (characters.py), a row per sampling method; `samples`, a story for each of the run's
        prompts, {prompt, story}, not picked.
    """
    stories = list(store.stories("validation", run.evaluate_stories))
    results: dict[str, Any] = {"validation": None, "prose": [], "characters": [], "samples": []}
    with best_effort("the evaluation", say):
        if stories:
            evaluation = evaluate(model, stories, tokenizer)
            results["validation"] = evaluation.summary("the validation split")
    with best_effort("the prose metrics", say):
        prose = measure_writing(model, tokenizer, store, stories, run.continue_stories, say)
        results["prose"] = list(map(asdict, prose))
    with best_effort("the character metrics", say):
        results["characters"] = measure_characters(
            model, tokenizer, stories, run.continue_stories, (Sampling(), SAMPLED)
        )
    with best_effort("the sample stories", say):
        results["samples"] = write_samples(
            model, tokenizer, run.sample_prompts, seed=run.seed, length=run.sample_length
        )
    return results


def measure_writing(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    store: TokenStore,
    stories: list[str],
    count: int,
    say: Callable[[str], None],
) -> list[Prose]:
    """Return prose metrics of greedy and sampled continuations of `count` stories."""
    openings = openings_of(model, stories, tokenizer, count)
    if not openings:
        return []
    written = [
        (sampling, continue_stories(model, openings, tokenizer, sampling))
        for sampling in (Sampling(), SAMPLED)
    ]
    say(f"searching {store.num_stories('train'):,} training stories for copied text")
    texts = [text for _, pairs in written for pair in pairs for text in pair.texts]
    training = find_in_training(
        store.stories("train"), texts, unread=not_continued(stories, openings)
    )
    return [measure_prose(pairs, sampling, tokenizer, training) for sampling, pairs in written]
