"""A model's repository: the files that stock transformers needs, and a card that the Hub reads."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer

from playground.publish import model_repo
from tests.paths import ROOT

SHIPPED = ROOT / "models" / "storyteller"
SAMPLES = [("seed 1", "The fox *ran*.\n\nThe <b>end</b>.")]


@pytest.fixture
def folder(tiny_export: Path, tmp_path: Path) -> Path:
    """An export with a card, snapshots and things that nobody needs."""
    folder = shutil.copytree(tiny_export, tmp_path / "export")
    (folder / "README.md").write_text((SHIPPED / "README.md").read_text())
    for step in ("step-1", "step-10"):
        (folder / "snapshots" / step).mkdir(parents=True)
        for name in ("model.safetensors", "config.json", "snapshot.json", "optimizer.pt"):
            (folder / "snapshots" / step / name).write_text("{}")
    (folder / "optimizer.pt").write_text("x")
    (folder / ".env").write_text("x")
    return folder


def test_it_holds_what_transformers_opens(folder: Path, tmp_path: Path) -> None:
    staging = model_repo.stage(folder, "lily/tale", snapshots=False, samples=[])
    assert set(staging.left_out) == {"optimizer.pt", ".env", "snapshots/"}
    for path, content in staging.files.items():
        target = tmp_path / "repository" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.read_bytes() if isinstance(content, Path) else content.encode())
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "repository")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "repository")
    assert len(model.generate(**tokenizer("Once", return_tensors="pt"), max_new_tokens=3)[0]) > 1


def test_snapshots_come_when_they_are_asked_for(folder: Path) -> None:
    staging = model_repo.stage(folder, "lily/tale", snapshots=True, samples=[])
    assert "snapshots/step-10/model.safetensors" in staging.files
    assert "snapshots/step-10/optimizer.pt" in staging.left_out


def test_the_card_has_the_name_of_the_repository_and_its_own_scores_and_stories() -> None:
    own = (SHIPPED / "README.md").read_text()
    kept = ModelCard(model_repo.model_card(own, "lily/tale", SAMPLES))
    assert kept.text.count("## Samples") == 1 and "> **Once upon a time**" in kept.text
    assert kept.data.license == "apache-2.0"
    assert kept.data.model_name == "tale"
    assert kept.data.eval_results == ModelCard(own).data.eval_results
    assert 'from_pretrained("lily/tale")' in kept.text and "this folder" not in kept.text
    text = re.sub(r"## Samples.*?(?=## Use)", "", own, flags=re.DOTALL)  # as of an older run
    found = ModelCard(model_repo.model_card(text, "lily/tale", SAMPLES))
    assert "![training and validation loss over the steps](curve.png)" in found.text
    assert "> The fox \\*ran\\*\\.\n>\n> The \\<b\\>end\\</b\\>\\." in found.text
    # Once more, from what came out: nothing doubles.
    again = model_repo.model_card(str(found), "lily/tale", SAMPLES)
    assert again.count("## Samples") == again.count("model-index") == 1


def test_a_card_without_results_gets_none() -> None:
    text = model_repo.model_card("---\nlicense: mit\n---\n# A\n", "lily/tale", [])
    assert "model-index" not in text and text.startswith("---\nlicense: mit\n")


def test_a_folder_that_is_no_export_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no README.md"):
        model_repo.stage(tmp_path / "empty", "lily/tale", snapshots=False, samples=[])
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="has no model.safetensors"):
        model_repo.stage(folder, "lily/tale", snapshots=False, samples=[])
