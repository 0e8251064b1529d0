"""What may be named as a model: the folder that is meant, or a sentence on how to convert it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from playground.folder.model_folder import ModelFolder
from playground.folder.source import find_folder


def test_a_run_is_its_export(tiny_export: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "fox"
    (run / "checkpoints").mkdir(parents=True)
    shutil.copytree(tiny_export, run / "export")
    assert find_folder(run) == run / "export"
    (run / "export" / "training.json").unlink()
    assert ModelFolder.open(run).facts.name == "fox"


def checkpoint(folder: Path) -> None:
    for name in ("weights.safetensors", "moments.safetensors", "checkpoint.json"):
        (folder / name).write_bytes(b"{}")


def pickled(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gpt_neo"}')
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def gguf(folder: Path) -> None:
    (folder / "fox.gguf").write_bytes(b"GGUF")


def empty(folder: Path) -> None:
    (folder / "notes.md").write_text("# Fox")


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (checkpoint, ["is a checkpoint", "export"]),
        (pickled, ["pickle", "pytorch_model.bin", "save_pretrained"]),
        (gguf, ["GGUF", "gguf_file='fox.gguf'", "save_pretrained"]),
        (empty, ["no config.json"]),
    ],
)
def test_another_form_is_refused_with_the_way_out(
    fill: Callable[[Path], None], words: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    fill(folder)
    with pytest.raises(ValueError, match="model") as found:
        ModelFolder.open(folder)
    message = str(found.value)
    assert "\n" not in message
    assert str(folder) in message
    assert all(word in message for word in words)


def test_a_gguf_file_is_refused_by_its_name(tmp_path: Path) -> None:
    gguf(tmp_path)
    with pytest.raises(ValueError, match="llama.cpp"):
        find_folder(tmp_path / "fox.gguf")


@pytest.mark.parametrize("name", ["nowhere", "a/b/c", "../no/where", "", "a b/c"])
def test_what_is_no_folder_and_no_name_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="model"):
        find_folder(name)
