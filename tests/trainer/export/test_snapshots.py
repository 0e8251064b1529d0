"""Snapshots: at log-spaced steps, opened by stock transformers, taken along by the export."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from trainer.corpus.tokenizer.tokenizer import gpt2
from trainer.export import snapshots
from trainer.export.complete import take_snapshots


def take(folder: Path, model: Any, step: int) -> Path:
    return snapshots.save(
        folder, model, gpt2(), step=step, tokens_seen=step * 64, loss=4.5, validation_loss=None,
        stories=[{"prompt": "Once", "story": f"Once, at step {step}"}],
    )  # fmt: skip


def test_a_snapshot_is_a_stock_model_in_fp16_and_says_where_it_stands(
    model: Any, tmp_path: Path
) -> None:
    wanted = model.get_input_embeddings().weight.detach().half().clone()
    folder = take(tmp_path, model, 64)
    opened = AutoModelForCausalLM.from_pretrained(folder)
    assert opened.dtype == torch.float16
    assert torch.equal(opened.get_input_embeddings().weight, wanted)
    about = json.loads((folder / "snapshot.json").read_text())
    assert about == {
        "format": 1,
        "step": 64,
        "tokens_seen": 4096,
        "loss": 4.5,
        "validation_loss": None,
        "stories": [{"prompt": "Once", "story": "Once, at step 64"}],
    }


def test_later_snapshots_are_dropped(model: Any, tmp_path: Path) -> None:
    for step in (1, 8, 64):
        take(tmp_path, model, step)
    snapshots.drop_after(tmp_path, 8)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == [
        *("step-00000001", "step-00000008")
    ]


def test_nothing_half_written_is_left(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots, "save_model", refuse)
    with pytest.raises(OSError, match="No space"):
        take(tmp_path, model, 8)
    assert list(tmp_path.iterdir()) == []


def test_an_export_takes_them_along_without_storing_them_twice(model: Any, tmp_path: Path) -> None:
    taken = take(tmp_path / "snapshots", model, 8)
    (tmp_path / "snapshots" / "step-00000009.partial").mkdir()  # left by a kill
    (tmp_path / "export").mkdir()
    take_snapshots(tmp_path / "export", tmp_path / "snapshots")
    inside = tmp_path / "export" / "snapshots"
    assert [folder.name for folder in inside.iterdir()] == ["step-00000008"]
    name = "model.safetensors"
    assert (inside / "step-00000008" / name).samefile(taken / name)
