"""An export is whole, tells what it is, and replaces the one before only when it stands."""

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from safetensors import safe_open

import trainer
from tests.gpt2 import SIZE
from tests.paths import ROOT
from trainer.corpus.tokenizer.tokenizer import gpt2
from trainer.export import transformers_folder as exporting
from trainer.export.model_card import describe, model_card, write_card
from trainer.export.transformers_folder import export
from trainer.settings.command_line import parse

FOLDER = {"config.json", "generation_config.json", "model.safetensors", "training.json"}
FOLDER |= {"tokenizer.json", "tokenizer_config.json"}


def training(model: Any, *settings: str) -> dict[str, Any]:
    judged = {"nats_per_token": 1.5, "perplexity": 4.48, "bits_per_byte": 0.53, "stories": 9}
    intervals = ("nats_interval", "perplexity_interval", "bits_interval")
    judged |= {name: (0.51, 4.5) for name in intervals}
    return describe(
        model,
        parse(list(settings)).to_dict(),
        name="tiny",
        preset="storyteller",
        corpus={"name": "mine", "tokenizer": "GPT-2", "stories": 3, "tokens": 99, "bytes": 400},
        steps=5,
        tokens_seen=640,
        validation=judged | {"file": "valid.jsonl"},
    )


def test_the_folder_is_standard_and_the_head_is_stored_once(model: Any, tmp_path: Path) -> None:
    before = model.generation_config
    export(tmp_path / "export", model, gpt2(), training(model))
    assert model.generation_config is before
    names = {path.name for path in (tmp_path / "export").iterdir()}
    assert names == FOLDER
    with safe_open(tmp_path / "export" / "model.safetensors", "pt") as file:
        assert "lm_head.weight" not in set(file.keys())
        assert file.get_slice("model.embed_tokens.weight").get_shape() == [SIZE, 16]
    about = json.loads((tmp_path / "export" / "training.json").read_text())
    assert about["format"] == 1
    assert about["parameters"] == model.num_parameters()
    assert about["settings"]["optim"]["lr"] == parse([]).optim.lr
    write_card(tmp_path / "export", training(model))
    card = (tmp_path / "export" / "README.md").read_text()
    assert "0.5300 (95 %: 0.5100 to 4.5000)" in card
    assert "3 (99 tokens) of mine" in card


def writing(copied: float, **compared: float) -> dict[str, Any]:
    """What a run finds of its model's prose."""
    measures = {"tokens": 90.0, "distinct": [0.3, 0.6, 0.8], "repeated": 0.04, "known": 0.99}
    way = {
        **{"sampling": "0.8, top-k 40", "stories": 100, "bleu": 7.25, "bleu_signature": "nrefs:1"},
        **{"ended": 0.75, "written": measures | {"copied": copied} | compared},
        "true": measures | {"copied": 0.05} | compared,
        "compared": 99 if compared else 0,
    }
    story = {"prompt": "One day", "story": "One day a cat\nsat."}
    return {"prose": [way], "samples": [story]}


def test_the_card_says_how_it_writes_and_first_of_all_that_it_copies(model: Any) -> None:
    honest = model_card(Path(), training(model) | writing(0.09))
    assert "| BLEU | 7.25 |  |" in honest
    assert "| ended by itself | 75.0% |  |" in honest
    assert "| 8-word runs that they have | 9.00% | 5.00% |" in honest
    assert "unread" not in honest
    assert "> **One day** a cat\n> sat." in honest
    assert "It copies" not in honest
    copies = model_card(Path(), training(model) | writing(0.11))
    warning = "**It copies: 11.0% of its 8-word runs at 0.8, top-k 40"
    assert warning in copies
    assert copies.index(warning) < copies.index("| parameters |")
    common = model_card(Path(), training(model) | writing(0.11, drawn=0.03, unread=0.02))
    assert "It copies" not in common  # stories that it has not read have its runs too
    assert "| 8-word runs that 99 of them have | 3.00% | 3.00% |" in common
    assert "| 8-word runs that 99 unread stories have | 2.00% | 2.00% |" in common
    assert warning in model_card(Path(), training(model) | writing(0.11, drawn=0.03, unread=0.01))


def test_a_failed_export_leaves_the_old_one(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path / "export", model, gpt2(), training(model))
    before = (tmp_path / "export" / "training.json").read_bytes()

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "write_training", refuse)
    with pytest.raises(OSError, match="No space"):
        export(tmp_path / "export", model, gpt2(), training(model))
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
    assert (tmp_path / "export" / "training.json").read_bytes() == before


def test_the_card_says_what_was_learned_and_no_licence_that_was_not_given(
    model: Any, tmp_path: Path
) -> None:
    write_card(tmp_path, training(model))
    card = (tmp_path / "README.md").read_text()
    assert "- roneneldan/TinyStories" in card
    assert "cdla-sharing-1.0" in card
    assert "license:" not in card

    own = ("--corpus.source", "mine.jsonl", "--run.license", "mit")
    named = ("--run.corpus_name", "Grandmother's stories", "--run.corpus_license", "cc0-1.0")
    export(tmp_path / "own", model, gpt2(), training(model, *own, *named))
    write_card(tmp_path / "own", training(model, *own, *named))
    card = (tmp_path / "own" / "README.md").read_text()
    assert "TinyStories" not in card
    assert "license: mit\n" in card
    assert "Grandmother's stories), licence cc0-1.0" in card
    about = json.loads((tmp_path / "own" / "training.json").read_text())
    assert about["license"] == "mit"
    assert about["corpus"]["name"] == "Grandmother's stories"
    assert about["software"]["inkling"] == trainer.__version__


def test_the_hub_reads_what_the_evaluation_found(model: Any) -> None:
    known = training(model)
    data = ModelCard(model_card(Path(), known)).data
    assert data.model_name == known["name"]
    scores = {result.metric_type: result.metric_value for result in data.eval_results}
    names = ("perplexity", "bits_per_byte", "nats_per_token")
    assert scores == {name: known["validation"][name] for name in names}
    assert {result.dataset_type for result in data.eval_results} == {"roneneldan/TinyStories"}
    assert ModelCard(model_card(Path(), known | {"validation": None})).data.eval_results is None


def test_the_shipped_card_is_the_one_that_an_export_has() -> None:
    folder = ROOT / "models" / "storyteller"
    known = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert model_card(folder, known) == (folder / "README.md").read_text(encoding="utf-8")
