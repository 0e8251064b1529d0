"""The newest checkpoint of a run as an export, whether the run has ended or not."""

import json
from pathlib import Path

import pytest

from tests.trainer.small_run import SMALL
from trainer.export.__main__ import main
from trainer.train import main as train


@pytest.mark.slow
def test_a_checkpoint_becomes_what_the_run_itself_exports(
    tmp_path: Path, stores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, folder = tmp_path / "run", tmp_path / "model"
    words = [*SMALL, "--optim.steps", "3", "--run.dir", str(run), "--corpus.folder", str(stores)]
    assert train([*words, "--run.minutes", "0.0001"]) == 0  # saves after a step
    assert main(["model", str(run), str(folder)]) == 0
    assert "step 1" in capsys.readouterr().out
    training = json.loads((folder / "training.json").read_text())
    assert (training["name"], training["steps"], training["tokens_seen"]) == ("run", 1, 4 * 32)
    assert training["settings"]["corpus"]["tokenizer"] == "train:300"
    assert train(words) == 0
    assert main(["model", str(run), str(folder)]) == 0  # in place of the first
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (folder / name).read_bytes() == (run / "export" / name).read_bytes()
    assert (folder / "history.json").is_file() and (folder / "README.md").is_file()


def test_what_is_not_a_run_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", str(tmp_path), str(tmp_path / "model")]) == 2
    assert "is not the folder of a run with a checkpoint" in capsys.readouterr().err
    saved = tmp_path / "run" / "checkpoints" / "step-00000001"
    saved.mkdir(parents=True)
    (saved / "checkpoint.json").write_text("{}")
    (tmp_path / "mine").mkdir()
    assert main(["model", str(tmp_path / "run"), str(tmp_path / "mine")]) == 2
    assert "exists and is not an export" in capsys.readouterr().err
