"""What follows the last update of a run: the export, its final evaluation and its model card."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.corpus.store.token_store import TokenStore
from trainer.evaluate.characters import measure_characters
from trainer.evaluate.continuations import SAMPLED, Sampling, continue_stories, openings_of
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
    """Export the model; then evaluate it and complete its export, whatever of that fails."""
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
    """Evaluate a trained model in fp32, with the settings of its run; `say` is given messages about
    what takes time, and warnings.

    Returns:
        What training.json keeps of it: `validation`, the figures on the validation stories (None
        where the store has none); `prose`, of greedy and sampled continuations of these;
        `characters`, counts of its characters (characters.py), a row each way of sampling;
        `samples`, a story for each of the run's prompts, {prompt, story}, not picked.
    """
    stories = list(store.stories("validation", run.evaluate_stories))
    results: dict[str, Any] = {"validation": None, "prose": [], "characters": [], "samples": []}
    with best_effort("the evaluation", say):
        if stories:
            evaluation = evaluate(model, stories, tokenizer)
            results["validation"] = evaluation.summary("the validation split")
    with best_effort("the measures of its prose", say):
        prose = measure_writing(model, tokenizer, store, stories, run.continue_stories, say)
        results["prose"] = list(map(asdict, prose))
    with best_effort("the counts of its characters", say):
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
    """Measure how the model continues `count` of the stories, greedily and sampled."""
    openings = openings_of(model, stories, tokenizer, count)
    if not openings:
        return []
    written = [
        (way, continue_stories(model, openings, tokenizer, way)) for way in (Sampling(), SAMPLED)
    ]
    say(f"looking for what it wrote in {store.num_stories('train'):,} training stories")
    texts = [text for _, pairs in written for pair in pairs for text in pair.texts]
    training = find_in_training(store.stories("train"), texts)
    return [measure_prose(pairs, way, tokenizer, training) for way, pairs in written]
