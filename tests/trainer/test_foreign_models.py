"""A run that starts from another project's model: GPT-Neo, Llama and Qwen3 with grouped keys."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from tests.gpt2 import END_OF_TEXT, SIZE
from tests.playground.model.test_decoder import check_against_generate
from tests.trainer.foreign import (
    CONTEXT,
    NAMED,
    NEO,
    OTHERS,
    QWEN3,
    SMOLLM2,
    foreign_model,
    rotary,
    save_with_gpt2s_tokenizer,
)
from tests.trainer.pirates import pirate_story
from trainer.corpus.tokenizer.tokenizer import gpt2
from trainer.model.build import full_decoder, new_decoder
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.model.load import give_ids, open_model, trained_ids
from trainer.model.loss import NextTokenLoss
from trainer.model.pretrained import copy_weights, open_pretrained, over_compact_ids, shape_of
from trainer.settings.command_line import parse
from trainer.train import main

RUN = [
    *("--preset", "smoke", "--model.context", "32", "--optim.global_batch", "4"),
    *("--optim.steps", "6", "--optim.lr", "2e-3", "--run.validate_blocks", "1"),
    *("--run.sample_length", "2", "--run.evaluate_stories", "1", "--run.continue_stories", "0"),
    *("--run.snapshots", "1", "--run.log_every", "1", "--runtime.precision", "fp32"),
]
CARRIED = (
    "attention_layers", "attention_types", "head_dim", "num_key_value_heads", "rms_norm_eps",
    "rope_parameters", "window_size",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("foreign")
    lines = (json.dumps({"text": pirate_story(number)}) for number in range(40))
    (home / "pirates.jsonl").write_text("\n".join(lines))
    return home


def run(home: Path, start: Path, name: str, *more: str) -> int:
    folders = ["--run.dir", str(home / name), "--corpus.folder", str(home / "data")]
    stories = ["--corpus.source", str(home / "pirates.jsonl")]
    return main([*RUN, "--model.init_from", str(start), *folders, *stories, *more])


@pytest.fixture(scope="module", params=NAMED)
def base(request: pytest.FixtureRequest, home: Path) -> Path:
    return save_with_gpt2s_tokenizer(foreign_model(*NAMED[request.param]), home / request.param)


@pytest.mark.slow
def test_it_is_trained_resumed_exported_and_played(base: Path, home: Path) -> None:
    name = base.name
    assert run(home, base, f"{name}-whole") == 0
    assert run(home, base, f"{name}-parts", "--run.minutes", "0.00001") == 0
    assert not (home / f"{name}-parts" / "export").exists()
    assert run(home, base, f"{name}-parts") == 0
    export = home / f"{name}-whole" / "export"
    weights = load_file(export / "model.safetensors")
    resumed = load_file(home / f"{name}-parts" / "export" / "model.safetensors")
    assert weights.keys() == resumed.keys()
    assert all(torch.equal(weights[key], resumed[key]) for key in weights)

    lines = (home / f"{name}-whole" / "metrics.jsonl").read_text().splitlines()
    losses = [line["loss"] for line in map(json.loads, lines) if "loss" in line]
    assert losses[-1] < losses[0]  # it learns

    before: Any = AutoModelForCausalLM.from_pretrained(base)
    after: Any = AutoModelForCausalLM.from_pretrained(export)
    assert type(after) is type(before)
    assert after.config.max_position_embeddings == 32  # as asked; the rest is the base's
    for key in CARRIED:
        assert getattr(after.config, key, None) == getattr(before.config, key, None)
    ids = torch.arange(600, 630)[None]
    (checkpoint,) = (home / f"{name}-whole" / "checkpoints").glob("step-00000006")
    trained, _ = open_model(checkpoint, stores=home / "data")
    with torch.no_grad():
        assert torch.equal(after(ids).logits, trained(ids).logits)
        assert not torch.allclose(after(ids).logits, before(ids).logits, atol=1e-2)

    with Engine(ModelFolder.open(export, device="cpu"), max_streams=1) as engine:
        check_against_generate(engine, after, "Captain Red sailed", 12)


@pytest.mark.parametrize("name", [*NAMED, *OTHERS])
def test_it_begins_as_the_same_model(name: str) -> None:
    """Also what no setting names is carried over, and a shorter context changes nothing in it."""
    model = foreign_model(*(NAMED | OTHERS)[name])
    shape = shape_of(model.config, name)
    assert shape.context == CONTEXT
    shape = shape.__class__(**vars(shape) | {"context": 16})
    vocabulary = CompactVocabulary.of(np.ones(SIZE, dtype=np.int64), END_OF_TEXT, compact=True)
    decoder = new_decoder(shape, vocabulary, seed=1, base=model.config)
    copy_weights(model, decoder, vocabulary)
    full = full_decoder(shape, vocabulary, dict(decoder.named_parameters()), model.config)
    ids = torch.arange(100, 116)[None]
    with torch.no_grad():
        assert torch.equal(full(ids).logits, model(ids).logits)


@pytest.mark.slow
def test_grouped_keys_from_the_beginning(home: Path) -> None:
    """A model of our own with fewer heads of keys than of queries."""
    words = ["--model.hidden", "32", "--model.intermediate", "64", "--model.num_heads", "4"]
    folders = ["--run.dir", str(home / "own"), "--corpus.folder", str(home / "data")]
    assert main([*RUN, *folders, *words, "--model.kv_heads", "2"]) == 0
    config = json.loads((home / "own" / "export" / "config.json").read_text())
    assert config["num_key_value_heads"] == 2
    assert "4 heads (2 of keys and values)" in (home / "own" / "export" / "README.md").read_text()


@pytest.mark.parametrize("kind", ["gpt_neo", "llama"])
def test_teachers_of_another_block_see_their_own_story_only(kind: str) -> None:
    """A GPT-Neo takes another mask than the rest; either may teach the other."""
    from trainer.model.attention import DocumentMasking

    kinds = {"gpt_neo": NEO, "llama": SMOLLM2}
    student, teacher = (foreign_model(name, kinds[name]) for name in (kind, *kinds.keys() - {kind}))
    vocabulary = CompactVocabulary.of(np.ones(SIZE, dtype=np.int64), END_OF_TEXT, compact=True)
    decoder, taught = over_compact_ids([student, teacher], vocabulary, torch.device("cpu"))
    slot = int(vocabulary.compact_id_of[END_OF_TEXT])
    loss = NextTokenLoss(
        decoder, vocabulary, 0.0, DocumentMasking(slot), [taught], teacher_weight=0.5
    ).eval()
    ids = torch.tensor([[*range(100, 108), END_OF_TEXT, *range(200, 208)]])
    others = ids.clone()
    others[0, :8] += 1000  # another story before this one
    for model in (decoder, taught):
        states = [loss.states(model, vocabulary.compact_id_of[row]) for row in (ids, others)]
        torch.testing.assert_close(states[0][:, 8:], states[1][:, 8:], rtol=1e-5, atol=1e-6)
        assert not torch.allclose(states[0][:, :8], states[1][:, :8], atol=1e-2)


# --- the ids of the vocabulary ---


def padded(model: Any, rows: int) -> Any:
    """With rows behind its tokens, which have values of their own."""
    model.resize_token_embeddings(rows, mean_resizing=False)
    with torch.no_grad():
        model.get_input_embeddings().weight[SIZE:] = torch.randn(rows - SIZE, 32)
    return model


@pytest.fixture(scope="module")
def nanogpt(home: Path) -> Path:
    """As nanoGPT leaves GPT-2's vocabulary: 50,304 rows."""
    model = padded(foreign_model("gpt2", {"n_embd": 32, "n_layer": 1, "n_head": 2,
                                          "n_positions": CONTEXT}), 50_304)  # fmt: skip
    return save_with_gpt2s_tokenizer(model, home / "nanogpt")


@pytest.mark.slow
def test_a_padded_embedding_is_the_same_vocabulary(
    nanogpt: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, tokenizer = open_model(nanogpt)
    before: Any = AutoModelForCausalLM.from_pretrained(nanogpt)
    assert not give_ids(model, tokenizer, gpt2())
    table = model.get_input_embeddings().weight
    assert torch.equal(table, before.get_input_embeddings().weight[:SIZE])
    assert model.get_output_embeddings().weight is table and model.config.vocab_size == SIZE
    assert trained_ids(model).all()  # no row is a mean of others
    assert run(home, nanogpt, "from-nanogpt") == 0
    assert "vocabulary" not in capsys.readouterr().err.replace("compact_vocabulary", "")
    taught = ["--model.teachers", str(nanogpt), "--run.minutes", "0.00001"]
    assert run(home, nanogpt, "taught-by-nanogpt", *taught) == 0


@pytest.mark.slow
def test_tokens_that_were_added_are_no_other_vocabulary(tmp_path: Path) -> None:
    """GPT-2 with marks for chats, and one with a padding token that has no row at all."""
    for rows in (SIZE + 2, SIZE):
        model = foreign_model("gpt2", {"n_embd": 32, "n_layer": 1, "n_head": 2})
        model.resize_token_embeddings(rows, mean_resizing=False)
        folder = save_with_gpt2s_tokenizer(model, tmp_path / str(rows))
        theirs = AutoTokenizer.from_pretrained(folder)
        theirs.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
        theirs.save_pretrained(folder)
        opened, tokenizer = open_model(folder)
        assert len(tokenizer) == SIZE + 2
        before = opened.get_input_embeddings().weight.detach().clone()
        assert not give_ids(opened, tokenizer, gpt2())
        assert torch.equal(opened.get_input_embeddings().weight, before[:SIZE])


@pytest.mark.slow
def test_more_ids_than_rows_are_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = foreign_model("gpt2", {"n_embd": 32, "n_layer": 1, "n_head": 2, "vocab_size": 50_000,
                                   "bos_token_id": 0, "eos_token_id": 0})  # fmt: skip
    folder = save_with_gpt2s_tokenizer(small, home / "short")
    assert run(home, folder, "from-short") == 2
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert "writes the id 50,256, and its model has 50,000 ids" in sentence
    assert not (home / "from-short").exists()


# --- what is refused ---


@pytest.mark.parametrize(
    ("kind", "sizes", "sentence"),
    [
        ("llama", SMOLLM2 | {"tie_word_embeddings": False}, "has tie_word_embeddings False"),
        ("llama", SMOLLM2 | rotary(1e4, "dynamic", factor=2.0), "has rope_parameters"),
        (
            "qwen3",
            QWEN3 | {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 0},
            "has use_sliding_window True",
        ),
        ("gpt_neox", {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                      "intermediate_size": 48},
         "is a gpt_neox: the trainer knows gpt2, gpt_neo, llama, qwen3, olmo2 models"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused(kind: str, sizes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"theirs {sentence}"):
        shape_of(foreign_model(kind, sizes).config, "theirs")


@pytest.mark.slow
def test_the_context_may_be_shorter_and_not_longer(nanogpt: Path, tmp_path: Path) -> None:
    start = ["--model.init_from", str(nanogpt)]
    config, _ = open_pretrained(parse(start))
    assert config.model.context == CONTEXT
    assert open_pretrained(parse([*start, "--model.context", "8"]))[0].model.context == 8
    with pytest.raises(ValueError, match=r"model.context is 65 and .* looks back on 64 tokens"):
        open_pretrained(parse([*start, "--model.context", "65"]))
    long = foreign_model("llama", SMOLLM2 | {"max_position_embeddings": 8192})
    folder = save_with_gpt2s_tokenizer(long, tmp_path / "long")
    config, opened = open_pretrained(parse(["--model.init_from", str(folder)]))
    assert config.model.context == 1024
    assert isinstance(opened and opened[0], PreTrainedModel)
