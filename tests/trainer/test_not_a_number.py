"""A loss or gradient that is not a number stops the run before the weights take it in."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.processes import Program
from trainer.train import main

# A rate so high that the second update's gradient overflows.
WILD = ["--preset", "smoke", "--optim.lr", "1e30", "--optim.max_grad_norm", "1e30"]
WILD += ["--optim.warmup_ratio", "0"]
LENGTH = ["--optim.steps", "12", "--run.log_every", "5", "--run.validate_every", "100"]
LENGTH += ["--corpus.tokenizer", "train:300"]


@pytest.mark.process
@pytest.mark.usefixtures("compiled_deepspeed")
@pytest.mark.parametrize(("optimizer", "deepspeed"), [("muon", "off"), ("adamw", "on")])
def test_the_update_is_refused_and_named(
    tmp_path: Path, stores: Path, optimizer: str, deepspeed: str
) -> None:
    folders = ["--run.dir", str(tmp_path / "run"), "--corpus.folder", str(stores)]
    more = ["--optim.optimizer", optimizer, "--optim.muon_lr", "1e30", "--run.save_every", "1"]
    engine = ["--runtime.deepspeed", deepspeed, "--runtime.precision", "fp32"]
    words = ["trainer/train.py", *WILD, *LENGTH, *folders, *more, *engine]
    run = Program(words, tmp_path / "output.txt")
    assert run.wait() == 2, run.output()
    message = run.output()[run.output().index("error: ") :]
    assert message.startswith("error: the loss or its gradient is not a number at step 2, ")
    assert "step 1 is saved" in message
    about = json.loads((tmp_path / "run" / "state.json").read_text())
    assert (about["state"], about["step"]) == ("failed", 1)
    assert f"error: {about['message']}" == message.strip().splitlines()[0]
    assert "--run.fresh" in message
    kept = list((tmp_path / "run" / "checkpoints").iterdir())
    assert [folder.name for folder in kept] == ["step-00000001"]
    weights = load_file(kept[0] / "weights.safetensors")
    assert all(weight.isfinite().all() for weight in weights.values())


@pytest.mark.slow
def test_the_step_is_named_when_it_is_seen_at_the_next_line(
    tmp_path: Path, stores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    folders = ["--run.dir", str(run), "--corpus.folder", str(stores)]
    assert main([*WILD, *LENGTH, *folders]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "not a number at step 2, and that update was skipped (there is no checkpoint" in message
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines == []
