"""A GGUF file says in llama.cpp what the export says in transformers, for every block."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.gpt2 import END_OF_TEXT, SIZE
from tests.trainer.llama_cpp import told_by_llama_cpp
from trainer import config
from trainer.command_line import parse
from trainer.compact_vocabulary import Vocabulary
from trainer.corpus.tokenizer import gpt2
from trainer.export.__main__ import main
from trainer.export.model_card import describe
from trainer.export.transformers_folder import export
from trainer.model import full_decoder, new_decoder

PROMPT = "Once upon a time"


@pytest.fixture(params=["gpt2", "llama", "qwen3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An export in fp16 of a small model that is sure of what it says."""
    shape = config.Model(
        block=request.param, num_layers=2, hidden=64, num_heads=2, intermediate=96, context=128
    )
    vocabulary = Vocabulary.of(np.ones(SIZE, dtype=np.int64), END_OF_TEXT, compact=False)
    trained = new_decoder(shape, vocabulary, seed=5)
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in trained.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.3)
    full = full_decoder(shape, vocabulary, dict(trained.named_parameters())).half()
    about: Any = {"stories": 0, "tokens": 0, "bytes": 0, "tokenizer": "t", "name": "none"}
    settings = parse([]).to_dict() | {"model": vars(shape)}
    known = {"name": "t", "preset": "t", "steps": 0, "tokens_seen": 0, "validation": None}
    export(tmp_path / "export", full, gpt2(), describe(full, settings, corpus=about, **known), None)
    return tmp_path / "export"


@pytest.mark.process
def test_llama_cpp_says_the_same_60_tokens(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    assert main(["gguf", str(folder), str(file)]) == 0
    prompt_tokens, text = told_by_llama_cpp(file, PROMPT)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = tokenizer(PROMPT, return_tensors="pt").input_ids
    assert prompt_tokens == ids.shape[1]  # the end-of-text token before it included
    found = model.generate(ids, do_sample=False, min_new_tokens=60, max_new_tokens=60)
    assert text == tokenizer.decode(found[0, ids.shape[1] :])


def test_q8_0_is_half_as_large(folder: Path, tmp_path: Path) -> None:
    sizes = []
    for kind in ("f16", "q8_0"):
        assert main(["gguf", str(folder), str(tmp_path / kind), "--type", kind]) == 0
        sizes.append((tmp_path / kind).stat().st_size)
    assert sizes[1] < 0.75 * sizes[0]  # the tokenizer stays as it is


def test_what_cannot_be_written_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, sentence in {
        (str(tmp_path), str(tmp_path / "x.gguf")): "is no export: it needs config.json",
        (str(tmp_path), str(tmp_path / "x.gguf"), "--type", "q2"): "--type: invalid choice",
        (): "the following arguments are required",
    }.items():
        assert main(["gguf", *words]) == 2
        assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
