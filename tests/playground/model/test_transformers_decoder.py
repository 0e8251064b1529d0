"""A model of a shape that is not ours is decoded by transformers, with the same interface."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, set_seed

from playground.engine.engine import Engine
from playground.folder.families import family_of
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from tests.exports import copy_tokenizer
from tests.vocabulary import END_OF_TEXT, SIZE

PROMPT = "Once upon a time there was a red fox"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_tokenizer: Path) -> Path:
    """A GPT-NeoX of random weights with a context of 64."""
    found = tmp_path_factory.mktemp("foreign") / "neox"
    set_seed(0)
    config = GPTNeoXConfig(
        vocab_size=SIZE, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.3,
        bos_token_id=END_OF_TEXT, eos_token_id=END_OF_TEXT,
    )  # fmt: skip
    GPTNeoXForCausalLM(config).save_pretrained(found)
    copy_tokenizer(small_tokenizer, found)
    return found


def test_greedy_tokens_are_those_of_generate(folder: Path) -> None:
    storyteller = ModelFolder.open(folder, device="cpu")
    assert family_of(storyteller.config) is None
    with Engine(storyteller, max_streams=2) as engine:
        settings = Settings(temperature=0, top_k=0, length=40, stop_at_end=False)
        with engine.write(PROMPT, settings) as stream:
            ours = [token.token_id for token in stream]
    model = GPTNeoXForCausalLM.from_pretrained(folder).eval()
    ids = torch.tensor([[storyteller.bos_id, *storyteller.encode(PROMPT)]])
    with torch.inference_mode():
        theirs = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40,
            pad_token_id=END_OF_TEXT,
        )  # fmt: skip
    assert ours == theirs[0, ids.shape[1] :].tolist()


def test_stories_branch_score_and_outgrow_the_context(folder: Path) -> None:
    settings = Settings(length=90, seed=1, stop_at_end=False)
    with Engine(ModelFolder.open(folder, device="cpu"), max_streams=2) as engine:
        story = engine.write(PROMPT, settings).finish()
        assert len(story.tokens) == 90
        with engine.branch(story, 5, 1234, Settings(length=7, stop_at_end=False)) as branched:
            assert len(list(branched)) == 1 + 7
        assert branched.story.tokens[:5] == story.tokens[:5]
        scored = engine.score(PROMPT * 10).tokens
    assert len(scored) == len(ModelFolder.open(folder).encode(PROMPT * 10))
    assert all(0 < token.probability < 1 for token in scored)


def test_weights_that_lack_a_part_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "part")
    file = tmp_path / "part" / "model.safetensors"
    weights = load_file(file)
    lost = next(name for name in weights if "layers.1" in name and name.endswith("weight"))
    save_file(
        {name: kept for name, kept in weights.items() if name != lost}, file, {"format": "pt"}
    )
    with pytest.raises(ValueError, match="lack"):
        Engine(ModelFolder.open(tmp_path / "part", device="cpu"))


def test_a_model_that_fails_in_mid_story_ends_that_story_and_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(temperature=0, length=12, stop_at_end=False)
    with Engine(ModelFolder.open(folder, device="cpu"), max_streams=2) as engine:
        with engine.write(PROMPT, settings) as stream:
            whole = [token.token_id for token in stream]
        model = engine.decoder.model  # type: ignore[attr-defined]
        forward = model.forward

        def failing(**given: Any) -> Any:
            if given["input_ids"][0, -1] == whole[5]:
                raise IndexError("no such position")
            return forward(**given)

        monkeypatch.setattr(model, "forward", failing)
        with (
            engine.write(PROMPT, settings) as stream,
            pytest.raises(ValueError, match="NaN"),
        ):
            list(stream)
        assert "no such position" in capsys.readouterr().err
        monkeypatch.undo()
        with engine.write(PROMPT, settings) as stream:
            assert [token.token_id for token in stream] == whole


def test_a_model_without_a_word_of_its_own_before_a_story_begins_with_a_line(
    folder: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "bare"))
    for file in other.glob("*config.json"):
        content = json.loads(file.read_text())
        for name in ("bos_token", "eos_token", "unk_token", "bos_token_id", "eos_token_id"):
            if name in content:
                content[name] = None
        file.write_text(json.dumps(content))
    storyteller = ModelFolder.open(other, device="cpu")
    assert storyteller.tokenizer.eos_token_id is None
    assert [storyteller.bos_id] == storyteller.encode("\n")
    with Engine(storyteller, max_streams=1) as engine:
        assert len(engine.score(PROMPT).tokens) == len(engine.encode(PROMPT))
        with engine.extend([], PROMPT, Settings(length=3)) as stream:
            assert len(list(stream)) == len(engine.encode(PROMPT)) + 3
