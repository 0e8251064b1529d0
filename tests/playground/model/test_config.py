"""The configuration as transformers reads it, and the ids that end a story."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.engine.engine import Engine
from playground.model.config import context_of, ends_of, read_config
from playground.model.families import family_of
from playground.model.folder import ModelFolder
from playground.sampling import Settings
from tests.vocabulary import END_OF_TEXT


@pytest.fixture
def folder(tiny_export: Path, tmp_path: Path) -> Path:
    """A good folder, to be changed."""
    return Path(shutil.copytree(tiny_export, tmp_path / "model"))


def change(folder: Path, name: str, **values: Any) -> None:
    """Set keys of a JSON file; ... takes one out."""
    file = folder / name
    content = (json.loads(file.read_text()) if file.exists() else {}) | values
    kept = {key: value for key, value in content.items() if value is not ...}
    file.write_text(json.dumps(kept), encoding="utf-8")


@pytest.mark.parametrize("missing", [None, ...])
def test_absent_and_null_keys_are_the_class_s_own(folder: Path, missing: Any) -> None:
    whole = ModelFolder.open(folder, device="cpu")
    names = ("rms_norm_eps", "head_dim", "num_key_value_heads", "rope_parameters", "hidden_act")
    change(folder, "config.json", **dict.fromkeys(names, missing))
    storyteller = ModelFolder.open(folder, device="cpu")
    assert storyteller.config.rms_norm_eps == whole.config.rms_norm_eps
    assert family_of(storyteller.config) is not None
    settings = Settings(temperature=0, length=12, stop_at_end=False)
    stories = []
    for opened in (whole, storyteller):
        with Engine(opened, max_streams=1) as engine, engine.write("A fox", settings) as stream:
            stories.append([token.token_id for token in stream])
    assert stories[0] == stories[1]


def test_contexts_have_many_names(folder: Path) -> None:
    for kind, values, expected in (
        ("mpt", {"max_seq_len": 99}, 99),
        ("bloom", {"seq_length": 77}, 77),
        ("bloom", {}, 2_048),
        ("gpt2", {"n_positions": 55}, 55),
        ("rwkv", {"context_length": 44}, 44),
    ):
        (folder / "config.json").write_text(json.dumps({"model_type": kind, **values}))
        assert context_of(read_config(folder)) == expected


@pytest.mark.parametrize(
    ("generation", "config", "tokenizer", "expected"),
    [
        ([7, 9], END_OF_TEXT, True, {7, 9, END_OF_TEXT}),
        (7, [5, 6], False, {5, 6, 7}),
        (..., ..., True, {END_OF_TEXT}),
        (..., ..., False, {2}),  # Llama's class
        (None, None, False, set()),
        (..., None, False, set()),
        (True, [-1], False, set()),
    ],
)
def test_all_ends_are_ends(
    folder: Path, generation: Any, config: Any, tokenizer: bool, expected: set[int]
) -> None:
    change(folder, "generation_config.json", eos_token_id=generation)
    change(folder, "config.json", eos_token_id=config)
    opened = ModelFolder.open(folder, device="cpu").tokenizer
    if not tokenizer:
        opened.eos_token = None
    assert ends_of(folder, read_config(folder), opened) == expected


def test_each_end_ends_a_story(folder: Path) -> None:
    settings: dict[str, Any] = {"temperature": 0, "length": 20}
    opened = ModelFolder.open(folder, device="cpu")
    with Engine(opened, max_streams=1) as engine, engine.write("A", Settings(**settings)) as stream:
        ids = [token.token_id for token in stream]
    change(folder, "generation_config.json", eos_token_id=[ids[5], 1])
    with Engine(ModelFolder.open(folder, device="cpu"), max_streams=1) as engine:
        with engine.write("A", Settings(**settings)) as stream:
            assert [token.token_id for token in stream] == ids[: ids.index(ids[5])]
        assert stream.story.ended


def test_without_an_end_a_story_runs_to_its_length(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from playground import generate
    from playground.pages.model_info import rows

    for name in ("config.json", "generation_config.json"):
        change(folder, name, eos_token_id=None, bos_token_id=None)
    change(folder, "tokenizer_config.json", eos_token=None, bos_token="!", unk_token=None)
    storyteller = ModelFolder.open(folder, device="cpu")
    assert storyteller.ends == frozenset()
    with Engine(storyteller, max_streams=1) as engine:
        head = engine._network.head
        monkeypatch.setattr(head, "ids_of", always(head.ids_of, END_OF_TEXT))
        with engine.write("A fox", Settings(temperature=0, length=9)) as stream:
            assert [token.token_id for token in stream] == [END_OF_TEXT] * 9
        assert stream.story.text == "A fox"  # nothing of <|endoftext|>
        assert not stream.story.ended
    assert ["Ends", "never by itself"] in [row[:2] for row in rows(storyteller.facts, 64, 1)]
    assert generate.main([str(folder), "--length", "3"]) == 0
    assert "no token that ends a story" in capsys.readouterr().err


def always(function: Callable[..., Any], token_id: int) -> Callable[..., Any]:
    """The head's answer with another id in the first place."""

    def changed(*arguments: Any) -> Any:
        ids, logits = function(*arguments)
        ids[:, 0] = token_id
        return ids, logits

    return changed


@pytest.mark.parametrize("kind", ["storyteller-9000", "5"])
def test_an_unknown_kind_is_a_sentence(folder: Path, kind: str) -> None:
    change(folder, "config.json", model_type=kind)
    with pytest.raises(ValueError, match="does not know the model_type"):
        ModelFolder.open(folder)
    change(folder, "config.json", model_type="llama", hidden_size="wide")
    with pytest.raises(ValueError, match="cannot be used"):
        ModelFolder.open(folder)
