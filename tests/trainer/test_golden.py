"""Twenty steps of the trainer give the losses and gradient norms that are checked in.

A change of the code that moves them changes what every run learns. If that is wanted, and the log
says why, write the file anew:

    python -m tests.trainer.test_golden
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Program

GOLDEN = Path(__file__).with_name("golden.json")
STEPS = 20

# Relative. Measured over these steps: with the vector units turned down to SSE, and with the batch
# in four parts, losses moved by 3e-7 and gradient norms by 9e-6 at most; the same machine gave the
# same bits again.
TOLERANCE = 1e-4

# All that the numbers depend on, so that another default or preset does not move them. No dropout:
# its draws are not the same on every processor.
PINNED = (
    "--corpus.source sample --corpus.validation_share 0.05 --corpus.special drop"
    " --corpus.lower_case false --corpus.min_tokens 8 --corpus.max_tokens 0"
    " --corpus.near_duplicates 0 --run.seed 1337"
    " --model.num_layers 2 --model.hidden 64 --model.num_heads 2 --model.intermediate 128"
    " --model.context 128 --model.attention block --model.dropout 0"
    f" --optim.global_batch 16 --optim.steps {STEPS} --optim.lr 5e-3 --optim.muon_lr 5e-3"
    " --optim.schedule cosine --optim.final_lr_ratio 0 --optim.warmup_ratio 0.1"
    " --optim.weight_decay 0.1"
    " --optim.muon_momentum 0.95 --optim.beta1 0.9 --optim.beta2 0.95 --optim.z_loss 0"
    " --optim.max_grad_norm 1"
    " --runtime.precision fp32 --runtime.compile off --runtime.deepspeed off"
    " --runtime.micro_batch 16 --model.compact_vocabulary true"
    f" --run.log_every 1 --run.validate_every {STEPS} --run.validate_blocks 1"
    " --run.sample_length 2 --run.evaluate_stories 1"
)
RUNS = {
    "llama": "--model.block llama --optim.optimizer adamw",
    "gpt2": "--model.block gpt2 --optim.optimizer adamw",
    "llama, muon": "--model.block llama --optim.optimizer muon",
    "qwen3, muon": "--model.block qwen3 --optim.optimizer muon",
}


def train(name: str, home: Path, stores: Path) -> dict[str, Any]:
    """What the trainer says of its corpus and of every step."""
    folders = ["--run.dir", str(home / "run"), "--corpus.folder", str(stores)]
    words = [*PINNED.split(), *RUNS[name].split(), *folders]
    run = Program(
        ["trainer/train.py", "--preset", "smoke", *words],
        home / "output.txt",
        {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert run.wait() == 0, run.output()[-3000:]
    corpus = json.loads((home / "run" / "export" / "training.json").read_text())["corpus"]
    lines = [json.loads(line) for line in (home / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    return {
        "stories": corpus["stories"],
        "tokens": corpus["tokens"],
        "losses": [round(line["loss"], 6) for line in steps],
        "gradient_norms": [round(line["grad_norm"], 6) for line in steps],
    }


@pytest.mark.process
@pytest.mark.parametrize("name", RUNS)
def test_the_losses_are_those_checked_in(name: str, tmp_path: Path, stores: Path) -> None:
    wanted, found = json.loads(GOLDEN.read_text())[name], train(name, tmp_path, stores)
    for count in ("stories", "tokens"):
        assert found[count] == wanted[count], "the corpus changed: the cleaning or the sample"
    assert len(wanted["losses"]) == STEPS
    assert found["losses"] == pytest.approx(wanted["losses"], rel=TOLERANCE)
    assert found["gradient_norms"] == pytest.approx(wanted["gradient_norms"], rel=TOLERANCE)


def main() -> None:
    """Write the losses of the trainer as it is now."""
    found = {}
    for name in RUNS:
        with tempfile.TemporaryDirectory() as home:
            found[name] = train(name, Path(home), Path(home, "data"))
        print(f"{name}: loss {found[name]['losses'][0]} to {found[name]['losses'][-1]}")
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
