"""The training loop: set up, resume, update, log, validate, save.

A run is (weights, optimizer moments, step); the learning rate, the blocks and the dropout noise are
functions of the step. So repeating the command resumes a stopped run from its newest checkpoint
exactly, on any number of processes.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from trainer.corpus.store.block_order import BlockOrder
from trainer.corpus.store.token_store import TokenStore, find_store, recipe_differences
from trainer.distributed.broadcast import agree, checkpoint_from_main, do_on_main
from trainer.distributed.runtime import Runtime, compile_model, seed_noise
from trainer.distributed.training_engine import TrainingEngine
from trainer.evaluate.validation import validation_loss, write_samples
from trainer.export import snapshots
from trainer.export.complete import is_complete
from trainer.metrics.log import METRICS, MetricsLog
from trainer.model.attention import DocumentMasking, attend_on_gpu, max_stories
from trainer.model.build import full_decoder, new_decoder, refill
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.model.flops import flops_per_token, matmul_peak
from trainer.model.load import trained_ids
from trainer.model.loss import NextTokenLoss
from trainer.model.pretrained import copy_weights, over_compact_ids, weights_fingerprint
from trainer.optim.optimizer import new_optimizer
from trainer.optim.schedule import learning_rate, level_steps
from trainer.output.console import best_effort
from trainer.run.batch_loader import BatchLoader
from trainer.run.steps import Due, steps_of
from trainer.settings.config import Config
from trainer.storage import checkpoint, run_folder
from trainer.storage.checkpoint import Checkpoint
from trainer.storage.resume import differences, is_extended, run_identity
from trainer.storage.run_state import STATE


class Trainer:
    """A run: settings, model, optimizer, batches and checkpoints. `run.py` calls its methods."""

    def __init__(
        self,
        config: Config,
        store: TokenStore,
        start: float | None = None,
        pretrained: PreTrainedModel | None = None,
        teachers: Sequence[PreTrainedModel] = (),
    ) -> None:
        """`start`: monotonic time from which run.minutes counts, by default now; `pretrained`: the
        model of model.init_from; `teachers`: those of model.teachers."""
        self.config = config
        self.store = store
        self.folder = config.folder
        start = time.monotonic() if start is None else start
        self.deadline = start + 60 * config.run.minutes if config.run.minutes else math.inf
        self.context, self.global_batch = config.model.context, config.optim.global_batch
        self.order = BlockOrder(
            store.num_blocks("train", self.context), self.global_batch, config.run.seed
        )
        self.steps = steps_of(config, self.order.num_blocks)
        self.num_steps = self.steps.total
        best = config.run.export_checkpoint == "best"
        if best and not store.num_blocks("validation", self.context):
            raise ValueError(
                "run.export_checkpoint best needs validation stories: name some with "
                "corpus.validation, or hold some out with corpus.validation_share"
            )
        self.runtime = Runtime(
            config.runtime, config.optim, self.context, config.run.tracker_names, self.folder
        )
        counts = store.id_counts("train")
        if pretrained is not None:
            counts = counts + trained_ids(pretrained)
        end, compact = store.tokenizer.end_of_text, config.model.compact_vocabulary
        self.vocabulary = CompactVocabulary.of(counts, end, compact=compact)
        self.batches = BatchLoader(
            store, self.order, self.vocabulary, self.runtime, self.context,
            shifted=config.optim.shift_blocks,
        )  # fmt: skip
        self.identity = run_identity(config, store.fingerprint, self.num_steps, self.runtime.dtype)
        if pretrained is not None:
            self.identity["init_from"] = {"weights": weights_fingerprint(pretrained)}
        if teachers:
            self.identity["teachers"] = {"weights": list(map(weights_fingerprint, teachers))}
        self.tokenizer = store.tokenizer.stock()
        self.base = None if pretrained is None else pretrained.config
        self.model = self.new_model(pretrained, teachers)
        setting = config.runtime.compile
        self.is_compiled = compile_model(
            self.model, setting, self.num_steps, self.runtime, self.say
        )
        self.flops_per_token = flops_per_token(self.model.decoder, self.model.teachers)
        self.engine = TrainingEngine(
            self.runtime,
            self.model,
            new_optimizer(config.optim, self.model, self.runtime.dtype),
        )
        self.step = self.saved = 0  # updates done, and updates in the newest checkpoint
        self.validation_losses: dict[int, float] = {}  # by step
        self.run_id = ""  # read by `resume`
        self.interrupted = False
        self.stock: PreTrainedModel | None = None  # see `full`
        for note in self.runtime.notes:
            self.say(f"note: {note}")

    def new_model(
        self, pretrained: PreTrainedModel | None, teachers: Sequence[PreTrainedModel]
    ) -> NextTokenLoss:
        """Return the initialized decoder with its loss."""
        config, device = self.config, self.runtime.device
        decoder = new_decoder(config.model, self.vocabulary, config.run.seed, self.base)
        if pretrained is not None:
            copy_weights(pretrained, decoder, self.vocabulary)
        compact_teachers = over_compact_ids(teachers, self.vocabulary, device)
        masking = self.document_masking()
        if device.type == "cuda":
            for model in (decoder, *compact_teachers):
                attend_on_gpu(model, masking, self.runtime.dtype)
        z_loss, weight = config.optim.z_loss, config.optim.teacher_weight
        return NextTokenLoss(decoder, self.vocabulary, z_loss, masking, compact_teachers, weight)

    def document_masking(self) -> DocumentMasking | None:
        """Return the masking that keeps attention inside a story; None for attention `block`."""
        if self.config.model.attention == "block":
            return None
        end = self.vocabulary.end_of_text
        compact_end = int(self.vocabulary.compact_id_of[end])
        if self.runtime.device.type != "cuda":  # a CPU's mask needs no bound on the stories
            return DocumentMasking(compact_end)
        train = self.store.split("train")
        return DocumentMasking(
            compact_end, max_stories(train, end, self.context, self.runtime.micro_batch)
        )

    def say(self, message: str) -> None:
        """Print a message from the main process."""
        if self.runtime.is_main:
            print(message, file=sys.stderr, flush=True)

    def resume(self) -> None:
        """Load the newest checkpoint of this run, if there is one.

        Raises:
            ValueError: the run is finished, or its checkpoint was made with other settings.
        """
        agree(self.config, self.identity, self.runtime)
        checkpoints = self.folder / "checkpoints"
        self.runtime.wait()
        saved = do_on_main(self.checkpoint_to_resume, self.runtime)
        self.run_id = run_folder.run_of(self.folder) if self.runtime.is_main else ""
        saved = checkpoint_from_main(saved, self.runtime.device)
        if saved is None:
            return
        longer = is_extended(saved.identity, self.identity)
        changed = [] if longer else list(differences(saved.identity, self.identity))
        if changed:
            raise ValueError(
                f"the run in {self.folder} was started with other settings ({'; '.join(changed)}): "
                "give the old ones, another --run.dir, or --run.fresh to start over"
                + self.hint_at_old_store(saved.identity["corpus"]["fingerprint"])
            )
        if saved.step >= self.num_steps and self.runtime.any(is_complete(self.folder / "export")):
            raise ValueError(
                f"the run in {self.folder} is finished (see {self.folder / 'export'}): "
                "give another --run.dir, or --run.fresh to start over"
            )
        self.engine.load(saved.weights, saved.moments, saved.step)
        self.step = self.saved = saved.step
        self.runtime.watchdog.checkpoint_step = saved.step
        losses = checkpoint.validation_losses(checkpoints, self.run_id)
        self.validation_losses = {step: loss for step, loss in losses.items() if step <= self.step}
        self.say(f"resuming after step {self.step:,} of {self.num_steps:,}")

    def checkpoint_to_resume(self) -> Checkpoint | None:
        """Return the newest checkpoint of this run; for an extended `wsd` run, the newest before
        its learning rate fell. None for a new run, and with run.fresh.

        Raises:
            ValueError: there are checkpoints but none is usable, or run.fresh cannot remove them.
        """
        if self.config.run.fresh:
            run_folder.clear(self.folder, METRICS, STATE)
            return None
        folder, run = self.folder / "checkpoints", run_folder.run_of(self.folder)
        newest = checkpoint.newest(folder, run=run)
        if newest is None or not is_extended(newest.identity, self.identity):
            return newest
        level = level_steps(self.config.optim, newest.identity["optim"]["steps"])
        return checkpoint.newest(folder, until=level, run=run)

    def hint_at_old_store(self, fingerprint: str) -> str:
        """Return how a checkpoint's store differs and how to use it; "" if it is the same or does
        not exist any more."""
        if fingerprint == self.store.fingerprint:
            return ""
        old = find_store(Path(self.config.corpus.folder).expanduser(), fingerprint)
        if old is None:
            return ""
        changed = "; ".join(recipe_differences(old.recipe, self.store.recipe))
        return f". Its stories ({changed}) are in {old.folder}: --corpus.source {old.folder}"

    def loop(self) -> bool:
        """Update until the last step; log, validate and save in between. Return whether the last
        step was reached, or run.minutes stopped the run (after saving).

        Raises:
            KeyboardInterrupt: a signal stopped the run, which is saved.
        """
        log = self.open_metrics()
        if self.runtime.is_main:
            snapshots.drop_after(self.folder / "snapshots", self.step)
        self.model.train()
        losses: list[torch.Tensor] = []
        try:
            while self.step < self.num_steps:
                rate = learning_rate(self.config.optim, self.step, self.num_steps)
                nats, norm = self.update(rate)
                losses.append(nats)
                log.step()
                due = self.steps.due(self.step)
                if due.reports:
                    self.check()
                if due.logs:  # only this, validation and saving wait for the device
                    mean = self.runtime.mean(torch.stack(losses).mean())
                    losses.clear()
                    log.train(self.step, mean, float(norm), rate)
                stop = self.keep(due, nats, log)
                if stop and self.runtime.any(self.interrupted):
                    raise KeyboardInterrupt
                if stop and not due.ends:
                    self.say(
                        f"run.minutes {self.config.run.minutes:g} are over; saved after step "
                        f"{self.step:,}: the same command resumes the run"
                    )
                    return False
        finally:
            log.close()
        return True

    def update(self, rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Make the next update; return this process's loss in nats and the gradient's norm."""
        seed_noise(self.config.run.seed, self.step, self.runtime.rank)
        nats, norm = self.engine.update(self.batches.of(self.step), rate)
        self.step += 1
        return nats, norm

    def keep(self, due: Due, nats: torch.Tensor, log: MetricsLog) -> bool:
        """Validate, take a snapshot and save if due; return whether the run must stop."""
        is_best = due.validates and self.validate(log)
        if due.snapshots:
            self.snapshot(nats)
        stop = self.must_stop(due.logs)
        saves = due.saves or stop or is_best
        if saves:
            self.save()
        if due.validates or due.snapshots or saves:
            log.restart(self.step)
        return stop

    def must_stop(self, logs: bool) -> bool:
        """Return whether a signal or the clock stops the run. Several processes agree only when
        they log, which synchronizes them anyway."""
        stop = self.interrupted or time.monotonic() > self.deadline
        return stop if self.runtime.num_processes == 1 else logs and self.runtime.any(stop)

    def check(self) -> None:
        """Stop the run if an update was skipped; the weights are those before the update.

        Raises:
            ValueError: a loss or gradient was not finite.
        """
        skipped = self.engine.num_skipped
        if skipped:
            kept = f"step {self.saved:,} is saved" if self.saved else "there is no checkpoint yet"
            raise ValueError(
                f"the loss or its gradient is not a number at step {self.step - skipped + 1:,}, "
                f"and that update was skipped ({kept}): lower optim.lr or optim.max_grad_norm, or "
                "check the stories, and start with --run.fresh or another --run.dir"
            )

    def open_metrics(self) -> MetricsLog:
        """Open the metrics of this run and its trackers; measure the machine's matmul peak."""
        settings = self.config.to_dict()
        self.runtime.track(
            self.folder.name,
            {f"{part}.{key}": value for part in settings for key, value in settings[part].items()},
            self.step,
        )
        peak = torch.tensor(matmul_peak(self.runtime.device, self.runtime.dtype))
        return MetricsLog(
            self.folder,
            self.num_steps,
            self.step,
            self.global_batch * self.context,
            bytes_per_token=self.store.bytes_per_token("train"),
            flops_per_token=self.flops_per_token,
            peak=self.runtime.mean(peak.to(self.runtime.device)) * self.runtime.num_processes,
            track=self.runtime.accelerator.log,
            enabled=self.runtime.is_main,
        )

    def save(self) -> None:
        """Write a checkpoint."""
        self.check()
        weights, moments = self.engine.weights(), self.engine.moments()
        if self.runtime.is_main:
            validation_loss = self.validation_losses.get(self.step)
            state = Checkpoint(
                self.step, weights, moments, self.identity, validation_loss, self.run_id
            )
            keep = self.config.run.keep_last
            checkpoint.save(self.folder / "checkpoints", state, keep, self.steps.level_end)
        self.saved = self.step
        self.runtime.watchdog.checkpoint_step = self.step
        self.runtime.wait()

    def snapshot(self, nats: torch.Tensor) -> None:
        """Save a snapshot of the model. `nats`: this process's loss of the step."""
        loss, weights = self.runtime.mean(nats), self.engine.weights()
        if self.runtime.is_main:
            decoder = self.full(weights)
            with best_effort(f"the snapshot of step {self.step:,}", self.say):
                snapshots.save(
                    self.folder / "snapshots", decoder, self.store.tokenizer,
                    step=self.step,
                    tokens_seen=self.step * self.global_batch * self.context,
                    loss=loss,
                    validation_loss=self.validation_losses.get(self.step),
                    stories=self.samples(decoder),
                )  # fmt: skip
        self.runtime.wait()

    def samples(self, decoder: PreTrainedModel) -> list[dict[str, str]]:
        """Return a story for each of run.sample_prompts, always with the same seed; [] if that
        fails."""
        run = self.config.run
        with best_effort("the sample stories", self.say):
            return write_samples(
                decoder, self.tokenizer, run.sample_prompts, seed=run.seed, length=run.sample_length
            )
        return []

    def validate(self, log: MetricsLog) -> bool:
        """Log the validation loss and samples; return whether the loss is the lowest so far."""
        loss, samples = self.validation()
        is_best = False
        if self.runtime.is_main:
            if loss is not None and math.isfinite(loss):
                is_best = loss < min(self.validation_losses.values(), default=math.inf)
                self.validation_losses[self.step] = loss
            bytes_per_token = self.store.bytes_per_token("validation")
            log.validation(self.step, loss, bytes_per_token, samples)
        return self.runtime.any(is_best)

    def validation(self) -> tuple[float | None, list[dict[str, str]]]:
        """Return the validation loss and sample stories of the current model; (None, []) on all
        processes but the main one."""
        run, weights = self.config.run, self.engine.weights()
        if not self.runtime.is_main:
            return None, []
        decoder = self.full(weights)
        is_causal = self.config.model.attention == "block"
        masking = None if is_causal else DocumentMasking(self.vocabulary.end_of_text)
        loss = validation_loss(decoder, self.store, run.validate_blocks, self.context, masking)
        return loss, self.samples(decoder)

    def full(self, weights: dict[str, torch.Tensor]) -> PreTrainedModel:
        """Return the stock model over all ids, on the run's device; it is created once, then its
        weights are replaced."""
        if self.stock is None:
            self.stock = full_decoder(self.config.model, self.vocabulary, weights, self.base)
            self.stock.to(self.runtime.device)
        else:
            refill(self.stock, self.vocabulary, weights)
        return self.stock
