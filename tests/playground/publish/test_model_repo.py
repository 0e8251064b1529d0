"""A model's repository: the files that stock transformers needs, and a card that the Hub reads."""

from __future__ import annotations

import json
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


def test_the_card_says_what_it_was_judged_by_and_shows_what_it_writes() -> None:
    training = json.loads((SHIPPED / "training.json").read_text())
    own = (SHIPPED / "README.md").read_text()
    kept = ModelCard(model_repo.model_card(own, training, "lily/tale", SAMPLES)).text
    assert kept.count("## Samples") == 1 and "> **Once upon a time**" in kept  # the run's own stay
    text = re.sub(r"## Samples.*?(?=## Use)", "", own, flags=re.DOTALL)  # as of an older run
    found = ModelCard(model_repo.model_card(text, training, "lily/tale", SAMPLES))
    assert found.data.license == "apache-2.0"
    assert found.data.datasets is None  # it learned from a file, not from a data set of the Hub
    results = {one.metric_type: one.metric_value for one in found.data.eval_results}
    assert results["perplexity"] == pytest.approx(training["validation"]["perplexity"], abs=1e-5)
    assert set(results) == {"perplexity", "bits_per_byte", "nats_per_token"}
    assert found.data.model_name == "tale"
    assert 'from_pretrained("lily/tale")' in found.text and "this folder" not in found.text
    assert "![training and validation loss over the steps](curve.png)" in found.text
    assert "> The fox \\*ran\\*\\.\n>\n> The \\<b\\>end\\</b\\>\\." in found.text
    # Once more, from what came out: nothing doubles.
    again = model_repo.model_card(str(found), training, "lily/tale", SAMPLES)
    assert again.count("## Samples") == again.count("model-index") == 1


def test_a_card_of_a_model_that_nobody_judged_has_no_results() -> None:
    text = model_repo.model_card("---\nlicense: mit\n---\n# A\n", {}, "lily/tale", [])
    assert "model-index" not in text and text.startswith("---\nlicense: mit\n")


def test_a_folder_that_is_no_export_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no README.md"):
        model_repo.stage(tmp_path / "empty", "lily/tale", snapshots=False, samples=[])
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="holds no model.safetensors"):
        model_repo.stage(folder, "lily/tale", snapshots=False, samples=[])
