"""A GGUF file says in llama.cpp what the export says in transformers, for every block."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.gpt2 import END_OF_TEXT, SIZE
from tests.trainer.foreign import (
    CONTEXT,
    GPT,
    NAMED,
    OTHERS,
    foreign_model,
    save_with_gpt2s_tokenizer,
)
from tests.trainer.llama_cpp import continued_by_llama_cpp
from trainer.corpus.tokenizer.tokenizer import gpt2
from trainer.export.__main__ import main
from trainer.export.model_card import describe
from trainer.export.transformers_folder import export, save_tokenizer
from trainer.model.build import full_decoder, new_decoder
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.settings.blocks import BLOCKS
from trainer.settings.command_line import parse
from trainer.settings.model import Model

PROMPT = "Once upon a time"


FOREIGN = {  # not made by a run of ours from nothing
    "SmolLM2": NAMED["SmolLM2"],  # grouped keys, other rotary positions
    "Qwen3": NAMED["Qwen3"],  # and heads that are wider than the hidden size has room for
    "Llama, untied": ("llama", NAMED["SmolLM2"][1] | {"tie_word_embeddings": False}),
    "nanoGPT": ("gpt2", GPT | {"vocab_size": 50_304}),  # rows without a token
}


@pytest.fixture(params=[name for name, block in BLOCKS.items() if block.gguf is not None])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An export in fp16 of a small model that is sure of what it says."""
    shape = Model(
        block=request.param, num_layers=2, hidden=64, num_heads=2, intermediate=96, context=128
    )
    vocabulary = CompactVocabulary.of(np.ones(SIZE, dtype=np.int64), END_OF_TEXT, compact=False)
    trained = new_decoder(shape, vocabulary, seed=5)
    torch.manual_seed(4)
    with torch.no_grad():
        for weight in trained.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.3)
    full = full_decoder(shape, vocabulary, dict(trained.named_parameters())).half()
    about: Any = {"stories": 0, "tokens": 0, "bytes": 0, "tokenizer": "t", "name": "none"}
    settings = parse([]).to_dict() | {"model": vars(shape)}
    known = {"name": "t", "preset": "t", "steps": 0, "tokens_seen": 0, "validation": None}
    export(tmp_path / "export", full, gpt2(), describe(full, settings, corpus=about, **known))
    return tmp_path / "export"


@pytest.mark.process
def test_llama_cpp_says_the_same_60_tokens(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    assert main(["gguf", str(folder), str(file)]) == 0
    prompt_tokens = check_the_same_text(folder, file, 60)
    ids = AutoTokenizer.from_pretrained(folder)(PROMPT).input_ids
    assert prompt_tokens == len(ids)  # the end-of-text token before it included


def check_the_same_text(folder: Path, file: Path, length: int) -> int:
    """Compare llama.cpp's greedy tokens with those of transformers as far as the second likeliest
    token is clearly behind: beyond that rounding decides. Return the length of the prompt."""
    prompt_tokens, text = continued_by_llama_cpp(file, PROMPT)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = tokenizer(PROMPT, return_tensors="pt").input_ids
    written = model.generate(
        ids, do_sample=False, min_new_tokens=length, max_new_tokens=length, output_scores=True,
        return_dict_in_generate=True,
    )  # fmt: skip
    first, second = torch.cat(written.scores).topk(2).values.unbind(1)
    sure = int((first - second > 0.03).cumprod(0).sum())
    assert sure >= 4
    assert text.startswith(tokenizer.decode(written.sequences[0, ids.shape[1] :][:sure]))
    return prompt_tokens


def foreign_folder(kind: str, sizes: dict[str, Any], tmp_path: Path) -> Path:
    """A model of another project, with GPT-2's tokenizer as our exports have it."""
    folder = save_with_gpt2s_tokenizer(foreign_model(kind, sizes).half(), tmp_path / "theirs")
    save_tokenizer(folder, gpt2(), CONTEXT)
    return folder


@pytest.mark.process
@pytest.mark.parametrize("name", FOREIGN)
def test_llama_cpp_says_the_same_of_a_foreign_model(name: str, tmp_path: Path) -> None:
    folder, file = foreign_folder(*FOREIGN[name], tmp_path), tmp_path / "model.gguf"
    assert main(["gguf", str(folder), str(file)]) == 0
    check_the_same_text(folder, file, 40)


@pytest.mark.process
def test_smollms_way_of_splitting_words_has_a_name(tmp_path: Path) -> None:
    """Digits by themselves, then as GPT-2."""
    folder = foreign_folder(*NAMED["SmolLM2"], tmp_path)
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    digits = {"type": "Digits", "individual_digits": True}
    steps = [digits, content["pre_tokenizer"]]
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": steps}
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    assert main(["gguf", str(folder), str(tmp_path / "model.gguf")]) == 0
    prompt = "In 1999 he had 12 foxes"
    number, _ = continued_by_llama_cpp(tmp_path / "model.gguf", prompt)
    ids = AutoTokenizer.from_pretrained(folder)(prompt).input_ids
    assert number == len(ids) > len(gpt2().stock()(prompt).input_ids) + 1


@pytest.mark.parametrize(
    ("kind", "sizes", "sentence"),
    [
        (*NAMED["GPT-Neo"], "holds a gpt_neo, which cannot be written as GGUF"),
        (*OTHERS["Llama 3"], "has rope_type llama3"),
        (*OTHERS["Llama with biases"], "has attention_bias True"),
        (*OTHERS["Llama with GELU"], "has hidden_act gelu"),
        (*OTHERS["GPT-2 without a scale"], "has scale_attn_weights False"),
        ("gpt2", GPT | {"vocab_size": 50_000}, "the model has 50,000 ids"),
    ],
)
def test_a_model_that_llama_cpp_would_compute_otherwise_is_refused(
    kind: str,
    sizes: dict[str, Any],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = save_with_gpt2s_tokenizer(foreign_model(kind, sizes), tmp_path / "theirs")
    assert main(["gguf", str(folder), str(tmp_path / "x.gguf")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert sentence in line and str(folder) in line
    assert not list(tmp_path.glob("x.gguf*"))


@pytest.mark.slow
def test_q8_0_is_half_as_large(folder: Path, tmp_path: Path) -> None:
    sizes = []
    for kind in ("f16", "q8_0"):
        assert main(["gguf", str(folder), str(tmp_path / kind), "--type", kind]) == 0
        sizes.append((tmp_path / kind).stat().st_size)
    assert sizes[1] < 0.75 * sizes[0]  # the tokenizer stays as it is


def test_what_cannot_be_written_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, sentence in {
        (str(tmp_path), str(tmp_path / "x.gguf")): "is not an export: it needs config.json",
        (str(tmp_path), str(tmp_path / "x.gguf"), "--type", "q2"): "--type: invalid choice",
        (): "the following arguments are required",
    }.items():
        assert main(["gguf", *words]) == 2
        assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
