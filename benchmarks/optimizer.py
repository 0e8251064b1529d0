"""Validation loss of different optimizers and settings after the same tokens, one change at a time.

    python benchmarks/optimizer.py [NAME ... | all] [--train FILE --validation FILE] [--seeds 3]

Every line is 262,144 tokens of the same stories (128 updates of 4 blocks of 512, or as many as the
name leaves) in the preset's shape: the loss at the end over the same 48 validation blocks, mean and
standard deviation over seeds of weights, order and dropout. Finished runs in runs/optimizer are not
repeated, so the table can be filled in steps. Other settings are those of BASE.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from itertools import islice
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SHARED = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "trainer" / "corpus" / "sample.jsonl"
FOLDER = ROOT / "runs" / "optimizer"
TOKENS, CONTEXT = 262_144, 512
BASE: dict[str, object] = {
    "optim.global_batch": 4,
    "optim.schedule": "cosine",
    "optim.lr": 2e-3,
    "optim.muon_lr": 4e-3,
    "optim.warmup_ratio": 0.05,
    "optim.weight_decay": 0.1,
}
FEW = 320  # stories: 65,000 tokens, which a run reads four times
VARIANTS: dict[str, dict[str, object]] = {
    "base": {},
    "Llama block": {"model.block": "llama"},
    "AdamW 1e-3": {"optim.optimizer": "adamw", "optim.lr": 1e-3},
    "AdamW 2e-3": {"optim.optimizer": "adamw"},
    "Muon 2e-3": {"optim.muon_lr": 2e-3},
    "Muon 8e-3": {"optim.muon_lr": 8e-3},
    "tables 4e-3": {"optim.lr": 4e-3},
    "straight fall": {"optim.schedule": "wsd", "optim.decay_ratio": 1.0},
    "fall in the last fifth": {"optim.schedule": "wsd", "optim.decay_ratio": 0.2},
    "warm-up 0.15": {"optim.warmup_ratio": 0.15},
    "weight decay 0": {"optim.weight_decay": 0.0},
    "dropout 0.1": {"model.dropout": 0.1},
    "8 blocks an update": {"optim.global_batch": 8},
    "z-loss 1e-4": {"optim.z_loss": 1e-4},
    "few stories": {"stories": FEW},
    "few stories, dropout 0.1": {"stories": FEW, "model.dropout": 0.1},
}


def few(file: str, count: int) -> str:
    """Return a file with the first `count` stories of another, which is written if necessary."""
    first = FOLDER / f"{count}.jsonl"
    if not first.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with Path(file).open(encoding="utf-8") as stories:
            first.write_text("".join(islice(stories, count)), encoding="utf-8")
    return str(first)


def train(name: str, seed: int, stories: str, validation: str) -> None:
    """Train one variant to the end of its run."""
    settings = BASE | VARIANTS[name]
    if count := settings.pop("stories", None):
        stories = few(stories, int(str(count)))
    settings |= {
        "optim.steps": TOKENS // CONTEXT // int(str(settings["optim.global_batch"])),
        "run.seed": seed, "run.dir": folder(name, seed), "corpus.folder": FOLDER / "corpus",
        "runtime.compile": "on", "run.validate_every": 10_000, "run.validate_blocks": 48,
        "run.evaluate_stories": 1, "run.sample_prompts": "Once", "run.sample_length": 1,
        "run.snapshots": 0, "run.save_every": 10_000, "corpus.source": stories,
    }  # fmt: skip
    if validation:
        settings["corpus.validation"] = validation
    command = [sys.executable, str(ROOT / "trainer" / "train.py")]
    for key, value in settings.items():
        command += [f"--{key}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: {name}, seed {seed}: {done.stderr.strip()[-500:]}")


def folder(name: str, seed: int) -> Path:
    """Return the folder of a run."""
    return FOLDER / f"{name.replace(' ', '-')}-{seed}"


def loss(name: str, seed: int) -> float | None:
    """Return the validation loss in nats per token at the end of a run; None before that."""
    from trainer.metrics import log as metrics

    lines = metrics.read(folder(name, seed))
    losses = [line["validation_loss"] for line in lines if "validation_loss" in line]
    return losses[-1] if losses else None


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=["base", "AdamW 1e-3"],
                        help="lines of the table, or all")  # fmt: skip
    default = SHARED / "train.jsonl"
    parser.add_argument("--train", default=str(default if default.exists() else SAMPLE))
    parser.add_argument(
        "--validation", default=str(SHARED / "valid.jsonl") if default.exists() else ""
    )
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    names = list(VARIANTS) if options.names == ["all"] else options.names
    if unknown := [name for name in names if name not in VARIANTS]:
        sys.exit(f"error: there is no line {unknown[0]!r}: choose of {', '.join(VARIANTS)}, or all")
    runs = [(name, seed) for name in names for seed in range(1, options.seeds + 1)]
    for name, seed in tqdm([run for run in runs if loss(*run) is None], unit="run"):
        train(name, seed, options.train, options.validation)
    print(f"{'':24}{'nats per token':>14}{'spread':>9}")
    for name in names:
        losses = [value for seed in range(1, options.seeds + 1) if (value := loss(name, seed))]
        spread = f"{statistics.stdev(losses):9.3f}" if len(losses) > 1 else ""
        print(f"{name:24}{statistics.mean(losses):14.3f}{spread}")


if __name__ == "__main__":
    main()
