"""The run, read top to bottom: corpus, model, loop, export.

    accelerate launch trainer/train.py [--preset NAME] [--section.key value ...]

A run is (weights, optimizer moments, step); the learning rate, the blocks that are read and the
dropout noise are functions of the step. So a run that was stopped goes on from its newest
checkpoint as if nothing had happened, on any number of processes, when the same command is given
again.
"""

from __future__ import annotations

import math
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a file: its folder is on the path, the project's is not
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import torch
from safetensors import SafetensorError
from torch.nn import functional
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from trainer import checkpoint, journal
from trainer.checkpoint import Checkpoint
from trainer.command_line import help_text, parse
from trainer.config import Config
from trainer.corpus import build_store
from trainer.corpus.blocks import TokenStore, gather, open_store
from trainer.corpus.order import Order
from trainer.corpus.tokenizer import VOCABULARY
from trainer.evaluation.likelihood import evaluate
from trainer.export import TOKENIZER, describe, export
from trainer.forecast import forecast
from trainer.loss import NextTokenLoss
from trainer.model import full_decoder, new_decoder
from trainer.optim import learning_rate, new_optimizer
from trainer.runtime import Runtime, seed_noise
from trainer.sharing import checkpoint_from_main, from_main
from trainer.vocabulary import END_OF_TEXT, Vocabulary
from trainer.watchdog import broken, end

SHORT_RUN = 500  # updates; a shorter run ends before compiling has paid


class Trainer:
    """One run from its settings to its export; `main` calls the steps in their order."""

    def __init__(self, config: Config, store: TokenStore) -> None:
        self.config = config
        self.store = store
        self.folder = Path(config.run.dir or f"runs/{config.preset}")
        self.context, self.global_batch = config.model.context, config.optim.global_batch
        self.order = Order(
            store.num_blocks("train", self.context), self.global_batch, config.run.seed
        )
        epochs = config.optim.epochs * self.order.num_blocks / self.global_batch
        self.num_steps = config.optim.steps or max(1, math.floor(epochs))
        self.runtime = Runtime(config.runtime, config.optim, self.context)
        self.vocabulary = Vocabulary.of(
            store.id_counts("train"), compact=config.runtime.compact_vocabulary
        )
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(TOKENIZER)
        self.model = NextTokenLoss(
            new_decoder(config.model, self.vocabulary, config.run.seed),
            self.vocabulary,
            config.optim.z_loss,
        )
        if config.runtime.compile == "on" or (
            config.runtime.compile == "auto" and self.num_steps >= SHORT_RUN
        ):
            self.say("compiling the model: the first step takes about half a minute longer")
            self.model.compile()
        self.runtime.prepare(self.model, new_optimizer(config.optim, self.model))
        self.step = self.saved = 0  # updates done, and those that a checkpoint holds
        self.interrupted = False

    def say(self, sentence: str) -> None:
        """A sentence from the main process."""
        if self.runtime.is_main:
            print(sentence, file=sys.stderr, flush=True)

    def identity(self) -> dict[str, Any]:
        """What the result depends on; a checkpoint with another identity is not gone on with."""
        settings = self.config.to_dict()
        return {
            "model": settings["model"],
            "optim": settings["optim"] | {"steps": self.num_steps},
            "run": {"seed": self.config.run.seed},
            "runtime": {"compact_vocabulary": self.config.runtime.compact_vocabulary},
            "corpus": {"fingerprint": self.store.fingerprint},
        }

    def agree(self) -> None:
        """See that all processes make the same run.

        Raises:
            ValueError: this process, or another, differs from the main one.
        """
        mine = self.config.to_dict()
        mine["run"]["dir"] = ""  # each machine may have a folder and copies of its own
        mine["corpus"] = {"fingerprint": self.store.fingerprint}
        theirs = from_main(mine, self.runtime.device)
        other = [
            f"{section}.{key} is {mine[section].get(key)} and {value} there"
            for section, keys in theirs.items()
            for key, value in keys.items()
            if mine[section].get(key) != value
        ]
        if self.runtime.any(bool(other)):
            differs = "; ".join(other) or "the other's error names them"
            raise ValueError(
                f"a process of the run has other settings or stories than the main one ({differs}):"
                " give the same command on every machine"
            )

    def resume(self) -> None:
        """Take up the newest checkpoint of this run, if there is one.

        Raises:
            ValueError: the run is finished, or its checkpoint was made with other settings.
        """
        self.agree()
        checkpoints = self.folder / "checkpoints"
        if self.config.run.fresh:
            self.runtime.wait()
            if self.runtime.is_main:
                for name in ("checkpoints", "export"):
                    shutil.rmtree(self.folder / name, ignore_errors=True)
                (self.folder / journal.METRICS).unlink(missing_ok=True)
            self.runtime.wait()
            return
        found = checkpoint.newest(checkpoints) if self.runtime.is_main else None
        found = checkpoint_from_main(found, self.runtime.device)
        if found is None:
            return
        changed = list(checkpoint.differences(found.identity, self.identity()))
        if changed:
            raise ValueError(
                f"the run in {self.folder} was started with other settings ({'; '.join(changed)}): "
                "give the old ones, another --run.dir, or --run.fresh to start over"
            )
        if found.step >= self.num_steps and self.runtime.any((self.folder / "export").is_dir()):
            raise ValueError(
                f"the run in {self.folder} is finished (see {self.folder / 'export'}): "
                "give another --run.dir, or --run.fresh to start over"
            )
        self.runtime.load(found.weights, found.moments, found.step)
        self.step = self.saved = self.runtime.watchdog.saved = found.step
        self.say(f"going on after step {self.step:,} of {self.num_steps:,}")

    def forecast(self) -> str:
        """What this run would be, with its speed and memory measured."""
        shape, runtime = self.config.model, self.runtime
        weights = sum(weight.numel() for weight in self.model.parameters())
        unseen = (VOCABULARY - self.vocabulary.num_slots) * shape.hidden
        corpus, tokens = self.store.summary("train"), self.global_batch * self.context
        facts = {
            "run": f"{self.folder}, preset {self.config.preset}",
            "model": f"{shape.block}, {weights + unseen:,} parameters; head and embedding are "
            f"trained for the {self.vocabulary.num_slots:,} ids that the corpus uses"
            if unseen
            else f"{shape.block}, {weights:,} parameters",
            "corpus": f"{corpus['stories']:,} stories, {corpus['tokens']:,} tokens",
            "update": f"{self.global_batch} blocks of {self.context} = {tokens:,} tokens: "
            f"{runtime.num_processes} process(es) x {runtime.accumulation} micro-batch(es) of "
            f"{runtime.micro_batch}",
            "length": f"{self.num_steps:,} updates, {self.num_steps * tokens:,} tokens, "
            f"{self.num_steps * self.global_batch / self.order.num_blocks:.1f} epochs",
            "engine": f"{runtime.engine} on {runtime.device.type}, "
            f"{str(runtime.dtype).removeprefix('torch.')} products",
        }
        return forecast(runtime, self.batches, facts, steps_left=self.num_steps, tokens=tokens)

    def batches(self, step: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """This process's micro-batches of a step: (inputs, targets), (micro_batch, context) slots
        each."""
        share = self.global_batch // self.runtime.num_processes
        mine = self.order.blocks(step)[self.runtime.rank * share : (self.runtime.rank + 1) * share]
        for start in range(0, share, self.runtime.micro_batch):
            yield self.slots("train", mine[start : start + self.runtime.micro_batch])

    def slots(self, split: str, blocks: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Blocks of the store as (inputs, targets) on the device."""
        ids = torch.from_numpy(
            gather(self.store.split(split), blocks, self.context)
        )  # (batch, context + 1)
        slots = self.vocabulary.slot_of_id[ids.long()]
        if self.runtime.device.type == "cuda":
            slots = slots.pin_memory().to(self.runtime.device, non_blocking=True)
        return slots[:, :-1], slots[:, 1:]

    def loop(self) -> None:
        """Update until the last step; log, validate and save on the way."""
        run = self.config.run
        log = journal.Journal(
            self.folder,
            self.num_steps,
            self.step,
            self.global_batch * self.context,
            speaks=self.runtime.is_main,
        )
        self.model.train()
        losses: list[torch.Tensor] = []
        try:
            while self.step < self.num_steps:
                seed_noise(run.seed, self.step, self.runtime.rank)
                rate = learning_rate(self.config.optim, self.step, self.num_steps)
                nats, norm = self.runtime.update(self.batches(self.step), rate)
                self.step += 1
                losses.append(nats)
                log.step()
                logs = self.step % run.log_every == 0 or self.step == self.num_steps
                if logs:  # the only place where the loop waits for the device
                    self.check()
                    mean = self.runtime.mean(torch.stack(losses).mean())
                    losses.clear()
                    log.train(self.step, mean, float(norm), rate)
                if self.step % run.validate_every == 0 or self.step == self.num_steps:
                    self.validate(log)
                stop = (
                    self.interrupted
                    if self.runtime.num_processes == 1
                    else logs and self.runtime.any(self.interrupted)
                )
                if stop or self.step % run.save_every == 0 or self.step == self.num_steps:
                    self.save()
                if stop:
                    raise KeyboardInterrupt
        finally:
            log.close()

    def check(self) -> None:
        """Stop if an update was refused; the weights are those before it.

        Raises:
            ValueError: a loss or gradient was not finite.
        """
        refused = int(self.runtime.refused)
        if refused:
            kept = f"step {self.saved:,} is kept" if self.saved else "there is no checkpoint yet"
            raise ValueError(
                f"the loss or its gradient is not a number at step {self.step - refused + 1:,}, "
                f"and that update was not made ({kept}): lower optim.lr or optim.clip, or check "
                "the stories, and start with --run.fresh or another --run.dir"
            )

    def save(self) -> None:
        """Write a checkpoint."""
        self.check()
        weights, moments = self.runtime.weights(), self.runtime.moments()
        if self.runtime.is_main:
            state = Checkpoint(self.step, weights, moments, self.identity())
            checkpoint.save(self.folder / "checkpoints", state, self.config.run.keep)
        self.saved = self.runtime.watchdog.saved = self.step
        self.runtime.wait()

    @torch.no_grad()
    def validate(self, log: journal.Journal) -> None:
        """Loss on the first blocks of the validation split, in fp32, and a story."""
        weights = self.runtime.weights()
        if self.runtime.is_main:
            decoder = self.full(weights).to(self.runtime.device)
            tokens = self.store.split("validation")
            num_blocks = self.store.num_blocks("validation", self.context)
            judged = []
            for block in range(min(self.config.run.validate_blocks, num_blocks)):
                read = gather(tokens, [block], self.context)
                ids = torch.from_numpy(read).long().to(self.runtime.device)  # (1, context + 1)
                logits = decoder(ids[:, :-1]).logits[0].float()  # (context, 50,257)
                judged.append(float(functional.cross_entropy(logits, ids[0, 1:])))
            nats = sum(judged) / len(judged) if judged else None
            bytes_a_token = self.store.num_bytes("validation") / max(1, len(tokens))
            log.validation(self.step, nats, bytes_a_token, self.story(decoder))
        self.runtime.wait()

    def story(self, decoder: PreTrainedModel) -> str:
        """A story of the model as it is now; the same dice every time."""
        prompt = self.tokenizer(self.config.run.sample_prompt).input_ids
        start = torch.tensor([[END_OF_TEXT, *prompt]], device=self.runtime.device)
        torch.manual_seed(self.config.run.seed)
        told = decoder.generate(  # type: ignore[operator]
            start,
            attention_mask=torch.ones_like(start),
            do_sample=True,
            temperature=0.8,
            top_k=40,
            max_new_tokens=min(self.config.run.sample_length, self.context - start.shape[1]),
            pad_token_id=END_OF_TEXT,
        )
        return str(self.tokenizer.decode(told[0], skip_special_tokens=True))

    def full(self, weights: dict[str, torch.Tensor]) -> PreTrainedModel:
        """The stock model over all 50,257 ids."""
        return full_decoder(
            self.config.model,
            self.vocabulary,
            {name: weight.cpu() for name, weight in weights.items()},
        )

    def finish(self) -> None:
        """Judge the model and export it."""
        weights = self.runtime.weights()
        if self.runtime.is_main:
            config, decoder = self.config, self.full(weights)
            journal.plot(self.folder, self.folder / "curve.png")
            stories = list(self.store.stories("validation", config.run.judge_stories))
            judged = (
                evaluate(decoder.to(self.runtime.device), stories, self.tokenizer)
                if stories
                else None
            )
            training = describe(
                decoder,
                config.to_dict(),
                name=self.config.preset,
                preset=self.config.preset,
                corpus=self.store.summary("train"),
                steps=self.step,
                tokens_seen=self.step * self.global_batch * self.context,
                validation=judged and judged.summary("the validation split"),
            )
            decoder = decoder.cpu()
            if config.run.export_precision == "fp16":
                decoder = decoder.half()
            export(self.folder / "export", decoder, training, self.folder / "curve.png")
            self.say(f"the storyteller is in {self.folder / 'export'}: python app.py opens it")
        self.runtime.wait()


def main(arguments: list[str] | None = None) -> int:
    """The command: 0 when the run is done, 2 with one sentence when it cannot be, 130 when it was
    stopped."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if "--help" in arguments or "-h" in arguments:
        print(help_text())
        return 0
    trainer: Trainer | None = None
    try:
        config = parse(arguments)
        store_given = Path(config.corpus.source, "store.json").is_file()
        store = (
            open_store(Path(config.corpus.source)) if store_given else build_store(config.corpus)
        )
        trainer = Trainer(config, store)
        if config.run.dry:
            told = trainer.forecast()
            if trainer.runtime.is_main:
                print(told)
            trainer.runtime.close()
            return 0
        trainer.folder.mkdir(parents=True, exist_ok=True)
        trainer.resume()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_, run=trainer: interrupt(run))
        trainer.loop()
        trainer.finish()
    except KeyboardInterrupt:
        saved = f"; saved after step {trainer.saved:,}" if trainer and trainer.saved else ""
        print(f"stopped{saved}: the same command goes on", file=sys.stderr)
        return 130
    except (ValueError, OSError, SafetensorError) as error:
        print(f"error: {sentence(error)}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        if not (cause := broken(error)):
            raise
        end(cause, trainer is not None, trainer.saved if trainer else 0)
    trainer.runtime.close()
    return 0


def sentence(error: Exception) -> str:
    """An error as one sentence; the disk's are told with what to do."""
    if isinstance(error, ValueError):
        return str(error)
    cause = getattr(error, "strerror", None) or str(error)
    file = getattr(error, "filename", None)
    where = f" at {file}" if file else ""
    return (
        f"the disk refused{where} ({cause}): make room, or choose other folders with --run.dir and "
        "--corpus.folder; what was saved before is whole"
    )


def interrupt(trainer: Trainer) -> None:
    """The first signal saves and stops after the step; a second one quits at once."""
    if trainer.interrupted:
        raise KeyboardInterrupt
    trainer.interrupted = True
    print("\nstopping after this step; once more quits without saving", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
