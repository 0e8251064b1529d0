"""An export opens in stock transformers, where this project cannot be imported: equal logits."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from tests.gpt2 import END_OF_TEXT, SIZE
from tests.paths import ROOT
from trainer.corpus.tokenizer.tokenizer import gpt2
from trainer.export.model_card import describe
from trainer.export.transformers_folder import export
from trainer.model.build import full_decoder, new_decoder
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.settings.blocks import BLOCKS
from trainer.settings.command_line import parse
from trainer.settings.model import Model

STORY = "Once upon a time, a small snail found a red button."

# Runs isolated (-I), elsewhere, and without the project that pip may have linked here.
STOCK = """
import importlib.util, json, sys
from pathlib import Path
root, story, *folders = sys.argv[1:]
sys.path[:] = [place for place in sys.path if Path(place).resolve() != Path(root).resolve()]
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in getattr(f, "__module__", "")]
assert importlib.util.find_spec("trainer") is None
assert importlib.util.find_spec("playground") is None
import numpy, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
for folder in folders:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    ids = tokenizer(story).input_ids
    assert ids == [tokenizer.bos_token_id, *tokenizer(story, add_special_tokens=False).input_ids]
    assert tokenizer.model_max_length == model.config.max_position_embeddings
    padded = tokenizer([story, "One"], padding=True, return_tensors="pt")
    assert padded.input_ids.shape == (2, len(ids)) and padded.attention_mask[1].sum() == 2
    assert getattr(model.config, "n_ctx", tokenizer.model_max_length) == tokenizer.model_max_length
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].float()
    numpy.save(f"{folder}.npy", logits.numpy())
    print(json.dumps({
        "ids": ids,
        "class": type(model).__name__,
        "missing": sorted(report["missing_keys"]) + sorted(report["unexpected_keys"]),
        "tied": model.get_input_embeddings().weight is model.get_output_embeddings().weight,
        "text": tokenizer.decode(
            model.generate(torch.tensor([ids]), max_new_tokens=5, do_sample=False)[0]
        ),
    }))
"""


pytestmark = pytest.mark.process


def make_export(block: str, folder: Path) -> tuple[CompactVocabulary, PreTrainedModel]:
    """Export a model as training leaves it; return what was trained. The vocabulary of `gpt2` is
    not compact."""
    shape = Model(block=block, num_layers=2, hidden=32, num_heads=2, intermediate=64, context=64)
    counts = np.zeros(SIZE, dtype=np.int64)
    counts[:900] = counts[END_OF_TEXT] = 1
    vocabulary = CompactVocabulary.of(counts, END_OF_TEXT, compact=block != "gpt2")
    trained = new_decoder(shape, vocabulary, seed=5).eval()
    noise = torch.Generator().manual_seed(5)
    with torch.no_grad():  # as training does, move every weight from where it began
        for weight in trained.parameters():
            weight.add_(torch.randn(weight.shape, generator=noise), alpha=0.1)
    full = full_decoder(shape, vocabulary, dict(trained.named_parameters()))
    training = describe(
        full,
        parse([]).to_dict() | {"model": vars(shape)},
        name="test",
        preset="test",
        corpus={"name": "none", "stories": 0, "tokens": 0, "bytes": 0, "tokenizer": "t"},
        steps=0,
        tokens_seen=0,
        validation=None,
    )
    export(folder, full, gpt2(), training)
    return vocabulary, trained


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """For each block: the folder, what was trained, and what stock transformers makes of it."""
    home = tmp_path_factory.mktemp("exports")
    trained = {block: make_export(block, home / block) for block in BLOCKS}
    (home / "elsewhere").mkdir()
    done = subprocess.run(
        [sys.executable, "-I", "-c", STOCK, str(ROOT), STORY, *(str(home / n) for n in BLOCKS)],
        cwd=home / "elsewhere",
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found = map(json.loads, done.stdout.splitlines())
    return {
        block: (home / block, *trained[block], opened)
        for block, opened in zip(BLOCKS, found, strict=True)
    }


@pytest.mark.parametrize("block", BLOCKS)
def test_stock_transformers_gets_the_logits_of_the_trained_model(
    exports: dict[str, Any], block: str
) -> None:
    folder, vocabulary, trained, opened = exports[block]
    stored = load_file(folder / "model.safetensors")
    assert sum(SIZE in tensor.shape for tensor in stored.values()) == 1  # the tied head, once

    assert opened["class"] == BLOCKS[block].model
    assert opened["missing"] == []
    assert opened["tied"]
    assert opened["text"].startswith("<|endoftext|>" + STORY)

    ids = torch.tensor([opened["ids"]])
    with torch.no_grad():
        compact_ids = trained(vocabulary.compact_id_of[ids]).logits[0]  # (length, compact_ids)
    expected = compact_ids[:, vocabulary.compact_id_of]  # (length, 50257)
    logits = torch.from_numpy(np.load(f"{folder}.npy"))
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
