"""A process of the GPU tests: some updates of the default preset on made-up tokens.

    worker.py FOLDER LAST-STEP [--section.key value ...]

Goes on from the checkpoint in FOLDER, saves one, and prints a line of JSON. Accelerate, DeepSpeed
and the compiler keep their state for the life of a process, so each test has one of its own.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.gpt2 import END_OF_TEXT
from trainer.corpus.store.token_store import FORMAT, TokenStore
from trainer.corpus.tokenizer.tokenizer import gpt2
from trainer.distributed.runtime import seed_noise
from trainer.run.loop import Trainer
from trainer.settings.command_line import parse
from trainer.storage import checkpoint
from trainer.storage.checkpoint import Checkpoint


class MadeUpStore(TokenStore):
    """400,000 tokens of 5,000 ids in memory, in stories of 200: no test needs a corpus or what
    builds one."""

    def __init__(self) -> None:
        self.tokens = np.random.default_rng(0).zipf(1.3, 400_000).clip(max=5_000).astype("<u2")
        self.tokens[199::200] = END_OF_TEXT
        split = {"tokens": len(self.tokens), "stories": 1, "bytes": 4 * len(self.tokens)}
        about = {"fingerprint": "0" * 64, "name": "made up", "format": FORMAT}
        super().__init__(Path(), about | {"splits": {"train": split, "validation": split}}, gpt2())

    def split(self, name: str) -> np.ndarray:
        return self.tokens

    def id_counts(self, name: str) -> np.ndarray:
        return np.bincount(self.tokens, minlength=50_257)


def open_trainer(folder: Path, *settings: str) -> Trainer:
    """A run of the default preset, ready for its first update."""
    trainer = Trainer(
        parse(["--optim.steps", "600", "--run.dir", str(folder), *settings]), MadeUpStore()
    )
    trainer.model.train()
    return trainer


def update(trainer: Trainer, first: int, count: int) -> list[float]:
    """Nats per token of `count` updates from step `first` on; waits for the device at the end."""
    nats = []
    for step in range(first, first + count):
        seed_noise(1, step, trainer.runtime.rank)
        nats.append(trainer.engine.update(trainer.batches.of(step), 1e-3)[0])
    return torch.stack(nats).tolist()


def main(folder: Path, last: int, settings: list[str]) -> None:
    trainer = open_trainer(folder, *settings)
    dtypes: list[str] = []
    trainer.model.decoder.model.layers[0].self_attn.v_proj.register_forward_hook(
        lambda _, __, output: dtypes.append(str(output.dtype))
    )
    found = checkpoint.newest(folder / "checkpoints")
    first = 0
    if found is not None:
        trainer.engine.load(found.weights, found.moments, found.step)
        first = found.step
    nats = update(trainer, first, last - first)
    weights, moments = trainer.engine.weights(), trainer.engine.moments()
    state = Checkpoint(last, weights, moments, {})
    if trainer.runtime.is_main:
        checkpoint.save(folder / "checkpoints", state, 1)
        content = b"".join(weight.cpu().numpy().tobytes() for weight in weights.values())
        answer = {
            "engine": trainer.runtime.engine,
            "device": trainer.runtime.device.type,
            "nats": nats,
            "dtypes": sorted(set(dtypes)),
            "allocated": torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0,
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        print(json.dumps(answer), flush=True)
    trainer.runtime.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
