"""What follows the last update of a run: the export, its final evaluation and its model card."""

from __future__ import annotations

import copy

from trainer.evaluate.finished import evaluate_finished
from trainer.export.complete import complete
from trainer.export.model_card import describe
from trainer.export.transformers_folder import export
from trainer.output.best_effort import best_effort
from trainer.run.loop import Trainer
from trainer.storage import checkpoint, run_folder


def finish(trainer: Trainer) -> None:
    """Export the model; then evaluate it and complete its export, whatever of that fails."""
    weights = trainer.engine.weights()
    trainer.runtime.watchdog.finish_collectives()
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
