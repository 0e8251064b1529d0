"""A checkpoint is whole or it is not there; a damaged one is skipped."""

from pathlib import Path

import pytest
import torch

from trainer.storage import checkpoint
from trainer.storage.checkpoint import Checkpoint


def at(step: int, validation_loss: float | None = None) -> Checkpoint:
    weights = {"a": torch.full((2, 3), float(step))}
    return Checkpoint(
        step,
        weights,
        {"a.exp_avg": torch.ones(2, 3), "a.exp_avg_sq": torch.ones(2, 3)},
        {"optim": {"lr": 1}},
        validation_loss,
    )


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, at(7), keep=2)
    found = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.step == 7
    assert found.identity == {"optim": {"lr": 1}}
    assert torch.equal(found.weights["a"], torch.full((2, 3), 7.0))
    assert found.moments.keys() == {"a.exp_avg", "a.exp_avg_sq"}


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (8, 9, 10):
        checkpoint.save(tmp_path, at(step), keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000009", "step-00000010"]


def test_the_best_is_kept_besides_the_newest(tmp_path: Path) -> None:
    for step, loss in {1: 3.0, 2: 1.5, 3: None, 4: 2.0, 5: 2.5}.items():
        checkpoint.save(tmp_path, at(step, loss), keep=1)
    assert checkpoint.validation_losses(tmp_path) == {2: 1.5, 5: 2.5}
    best, newest = checkpoint.best(tmp_path), checkpoint.newest(tmp_path)
    assert best is not None and newest is not None
    assert (best.step, best.validation_loss, newest.step) == (2, 1.5, 5)
    checkpoint.save(tmp_path, at(6, 1.0), keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000006"]


def test_a_damaged_best_gives_way_to_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step, loss in {1: 1.5, 2: 2.0}.items():
        checkpoint.save(tmp_path, at(step, loss), keep=2)
    weights = tmp_path / "step-00000001" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    best = checkpoint.best(tmp_path)
    assert "step-00000001 is damaged" in capsys.readouterr().err
    assert best is not None
    assert best.step == 2


@pytest.mark.parametrize("file", ["weights.safetensors", "moments.safetensors", "checkpoint.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "digit", "gone"])
def test_a_damaged_checkpoint_is_passed_over(
    tmp_path: Path, file: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint.save(tmp_path, at(1), keep=2)
    victim = checkpoint.save(tmp_path, at(2), keep=2) / file
    content = bytearray(victim.read_bytes())
    if damage == "gone":
        victim.unlink()
    elif damage == "cut":
        victim.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[0] ^= 0xFF
        victim.write_bytes(content)
    else:  # still what it was in form: JSON with another number, or a weight of another value
        is_json = file == "checkpoint.json"
        place = content.index(b'"lr": 1') + len('"lr": ') if is_json else len(content) - 1
        content[place] ^= 0x01
        victim.write_bytes(content)
    found = checkpoint.newest(tmp_path)
    message = capsys.readouterr().err
    assert "step-00000002 is damaged" in message
    assert message.count("\n") == 1, "one sentence"
    assert found is not None
    assert found.step == 1


def test_nothing_half_written_is_left_when_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", refuse)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(tmp_path, at(3), keep=2)
    assert list(tmp_path.iterdir()) == []


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "nowhere") is None
