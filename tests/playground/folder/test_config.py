"""The configuration as transformers reads it, and the ids that end a story."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.engine.engine import Engine
from playground.folder.config import (
    Config,
    config_by_transformers,
    config_of,
    context_of,
    eos_ids_of,
    read_config,
)
from playground.folder.families import FAMILIES, family_of
from playground.folder.model_folder import ModelFolder
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


FULL: dict[str, dict[str, Any]] = {  # values other than the classes' own
    "gpt2": {"vocab_size": 99, "n_embd": 96, "n_inner": 80, "n_layer": 3, "n_head": 4,
             "n_positions": 55, "layer_norm_epsilon": 1e-4, "tie_word_embeddings": False,
             "bos_token_id": 3, "eos_token_id": [4, 5]},
    "llama": {"vocab_size": 99, "hidden_size": 64, "intermediate_size": 80, "num_hidden_layers": 3,
              "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
              "max_position_embeddings": 55, "rms_norm_eps": 1e-4, "tie_word_embeddings": True,
              "rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
              "bos_token_id": 3, "eos_token_id": 4},
}  # fmt: skip
FULL["qwen3"] = FULL["llama"] | {"num_attention_heads": 32, "use_sliding_window": False}
OLDER = [
    {"rope_theta": 3e4, "rope_scaling": None, "rope_parameters": ...},
    {"rope_theta": None, "rope_parameters": ...},
    {"rope_theta": 7, "rope_parameters": ...},
    {"rope_parameters": {"rope_theta": 3e4}},
    {"rope_parameters": {"type": "default"}, "rope_theta": 4e4},
    {"partial_rotary_factor": 1.0},
]
VARIANTS = [
    (kind, change)
    for kind in FAMILIES
    for change in (
        {},
        *({name: missing} for name in FULL[kind] for missing in (None, ...)),
        dict.fromkeys(FULL[kind], ...),
        *(OLDER if kind != "gpt2" else [{"hidden_size": 192, "n_embd": ...}]),
        *([{"layer_types": ["full_attention"] * 3}] if kind == "qwen3" else []),
    )
]


@pytest.mark.parametrize(("kind", "change"), VARIANTS)
def test_a_family_is_read_as_its_class_reads_it(
    kind: str, change: dict[str, Any], tmp_path: Path
) -> None:
    values = {"model_type": kind} | FULL[kind] | change
    kept = {name: value for name, value in values.items() if value is not ...}
    (tmp_path / "config.json").write_text(json.dumps(kept), encoding="utf-8")
    ours, theirs = read_config(tmp_path), config_by_transformers(tmp_path, kind)
    assert isinstance(ours, Config)
    assert family_of(theirs) is family_of(ours) is FAMILIES[kind]
    assert context_of(ours) == context_of(theirs)
    for name in FAMILIES[kind].defaults:
        if name == "rope_parameters":
            assert ours.rope_parameters["rope_theta"] == (
                theirs.rope_parameters["rope_theta"] or 10_000.0
            )
        elif name != "layer_types":
            assert getattr(ours, name) == getattr(theirs, name, getattr(ours, name)), name


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_table_s_values_are_the_classes_own(kind: str) -> None:
    from transformers import AutoConfig

    own = AutoConfig.for_model(kind)
    computed = ("rope_parameters", "layer_types", "head_dim", "num_key_value_heads")
    for name, value in FAMILIES[kind].defaults.items():
        if name not in computed:
            assert getattr(own, name, value) == value, name


@pytest.mark.parametrize(
    "change",
    [{"hidden_size": "wide"}, {"vocab_size": 1.5}, {"tie_word_embeddings": 1},
     {"num_attention_heads": 0}, {"num_hidden_layers": -1}, {"rms_norm_eps": "small"},
     {"rope_parameters": {"rope_theta": "big"}}, {"rope_parameters": [1]}, {"rope_scaling": "x"},
     {"head_dim": "x"},
     {"eos_token_id": "x"}, {"eos_token_id": [1, "x"]}, {"hidden_act": 3},
     {"layer_types": ["full_attention"]}],
)  # fmt: skip
def test_a_value_of_another_type_is_a_sentence(change: dict[str, Any], tmp_path: Path) -> None:
    values = {"model_type": "qwen3"} | FULL["qwen3"] | change
    (tmp_path / "config.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ValueError, match="config.json cannot be used") as found:
        read_config(tmp_path)
    assert next(iter(change)).removesuffix("parameters") in str(found.value)


@pytest.mark.parametrize(
    ("kind", "change"),
    [("gpt2", {"activation_function": "relu"}), ("gpt2", {"scale_attn_weights": False}),
     ("llama", {"attention_bias": True}), ("llama", {"quantization_config": {"bits": 4}}),
     ("llama", {"rope_scaling": {"type": "linear", "factor": 2.0}}), ("gpt2", {"n_head": 32}),
     ("llama", {"rope_parameters": {"full_attention": {"rope_theta": 7.0}}}),
     ("llama", {"partial_rotary_factor": 0.5}), ("qwen3", {"use_sliding_window": True}),
     ("qwen3", {"layer_types": ["full_attention", "sliding_attention", "full_attention"]})],
)  # fmt: skip
def test_other_shapes_are_left_to_transformers(kind: str, change: dict[str, Any]) -> None:
    assert config_of({"model_type": kind} | FULL[kind]) is not None
    assert config_of({"model_type": kind} | FULL[kind] | change) is None


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
        opened.eos_token_id = None
    assert eos_ids_of(folder, read_config(folder), opened) == expected


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
    from playground.folder.model_info import rows

    for name in ("config.json", "generation_config.json"):
        change(folder, name, eos_token_id=None, bos_token_id=None)
    change(folder, "tokenizer_config.json", eos_token=None, bos_token="!", unk_token=None)
    storyteller = ModelFolder.open(folder, device="cpu")
    assert storyteller.eos_ids == frozenset()
    with Engine(storyteller, max_streams=1) as engine:
        step = engine.decoder.step
        monkeypatch.setattr(engine.decoder, "step", always(step, END_OF_TEXT))
        with engine.write("A fox", Settings(temperature=0, length=9)) as stream:
            assert [token.token_id for token in stream] == [END_OF_TEXT] * 9
        assert stream.story.text == "A fox"  # nothing of <|endoftext|>
        assert not stream.story.ended
    assert ["Ends", "never by itself"] in [row[:2] for row in rows(storyteller.facts, 64, 1)]
    assert generate.main([str(folder), "--length", "3"]) == 0
    assert "does not name an end token" in capsys.readouterr().err


def always(function: Callable[..., Any], token_id: int) -> Callable[..., Any]:
    """The decoder's step, which always chooses one id."""

    def changed(*arguments: Any) -> Any:
        answers = function(*arguments)
        answers["id"] = token_id
        return answers

    return changed


@pytest.mark.parametrize("kind", ["storyteller-9000", "5"])
def test_an_unknown_kind_is_a_sentence(folder: Path, kind: str) -> None:
    change(folder, "config.json", model_type=kind)
    with pytest.raises(ValueError, match="does not know the model_type"):
        ModelFolder.open(folder)
    change(folder, "config.json", model_type="llama", hidden_size="wide")
    with pytest.raises(ValueError, match="cannot be used"):
        ModelFolder.open(folder)
