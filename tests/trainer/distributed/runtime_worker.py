"""A process of a small run, started by test_runtime.py: updates on made-up tokens, written down by
the main one.

    runtime_worker.py FOLDER STEPS JSON-SETTINGS

Resumes from the checkpoint in FOLDER when there is one, as the trainer does.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.gpt2 import END_OF_TEXT, SIZE
from trainer.distributed.runtime import Runtime, seed_noise
from trainer.distributed.training_engine import TrainingEngine
from trainer.model.build import new_decoder
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.model.loss import NextTokenLoss
from trainer.optim.optimizer import new_optimizer
from trainer.optim.schedule import learning_rate
from trainer.settings.model import Model
from trainer.settings.optim import Optim
from trainer.settings.runtime import Runtime as RuntimeSettings
from trainer.storage import checkpoint
from trainer.storage.checkpoint import Checkpoint

GLOBAL_BATCH, CONTEXT, NUM_STEPS = 4, 16, 8


def main(folder: Path, until: int, changes: dict) -> None:
    kind, dropout = changes.pop("optimizer", "adamw"), changes.pop("dropout", 0.0)
    num_layers = changes.pop("num_layers", 2)
    optim = Optim(global_batch=GLOBAL_BATCH, lr=1e-2, optimizer=kind, muon_lr=1e-2)
    runtime = Runtime(
        RuntimeSettings(**{"compile": "off", "precision": "fp32", **changes}), optim, CONTEXT
    )
    counts = np.zeros(SIZE, dtype=np.int64)
    counts[[*range(60), END_OF_TEXT]] = 1
    vocabulary = CompactVocabulary.of(counts, END_OF_TEXT, compact=True)
    shape = Model(
        num_layers=num_layers,
        hidden=32,
        num_heads=2,
        intermediate=64,
        context=CONTEXT,
        dropout=dropout,
    )
    model = NextTokenLoss(new_decoder(shape, vocabulary, seed=3), vocabulary)
    if changes.get("compile") == "on":
        model.compile()
    engine = TrainingEngine(runtime, model, new_optimizer(optim, model, runtime.dtype))
    step = 0
    found = checkpoint.newest(folder)
    if found is not None:
        engine.load(found.weights, found.moments, found.step)
        step = found.step
    lines = []
    share = GLOBAL_BATCH // runtime.num_processes
    while step < until:
        seed_noise(1, step, runtime.rank)
        everyone = torch.from_numpy(
            np.random.default_rng(step).integers(0, 60, (GLOBAL_BATCH, CONTEXT + 1))
        )
        mine = everyone[runtime.rank * share : (runtime.rank + 1) * share].to(runtime.device)
        blocks = mine.view(runtime.accumulation, runtime.micro_batch, -1)
        rate = learning_rate(optim, step, NUM_STEPS)
        nats, norm = engine.update(blocks, rate)
        step += 1
        lines.append({"step": step, "nats": runtime.mean(nats), "norm": float(norm), "rate": rate})
    weights, moments = engine.weights(), engine.moments()
    if runtime.is_main:
        about = {"engine": {"name": runtime.engine, "processes": runtime.num_processes}}
        checkpoint.save(folder, Checkpoint(step, weights, moments, about), keep=1)
        with (folder / "lines.jsonl").open("a") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
    runtime.wait()
    runtime.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
