"""The storyteller that is shipped, against transformers in fp32; its greedy tokens: see
tests/playground/engine/test_engine.py."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from playground.core.library import Chunk
from playground.core.pack import pack
from tests.paths import ROOT
from tests.playground.core.models import core_of, questions_of

pytestmark = pytest.mark.slow  # 38 MB of weights
SHIPPED = ROOT / "models" / "storyteller"
SAMPLE = ROOT / "trainer" / "corpus" / "sample.jsonl"
PROMPTS, TOKENS = 10, 200


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    return load_file(SHIPPED / "model.safetensors")


@pytest.fixture(scope="module")
def config() -> Any:
    return SimpleNamespace(**json.loads((SHIPPED / "config.json").read_text()))


@pytest.fixture(scope="module")
def network() -> Any:
    return AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def stories(config: Any) -> list[list[int]]:
    """Beginnings of texts, behind the token that is before a story."""
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    with SAMPLE.open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, PROMPTS)]
    return [
        [config.bos_token_id, *tokenizer.encode(text, add_special_tokens=False).ids][:TOKENS]
        for text in texts
    ]


@pytest.mark.parametrize(("weights", "close"), [("auto", 1e-6), ("fp32", 1e-6), ("int8", 3e-3)])
def test_nats_are_those_of_transformers(
    weights: str,
    close: float,
    tensors: dict[str, np.ndarray],
    config: Any,
    network: Any,
    stories: list[list[int]],
) -> None:
    core = core_of(pack(tensors, config, weights).content, context=512)
    nats: list[float] = []
    expected: list[float] = []
    for story in stories:
        questions = questions_of(len(story) - 1)
        questions["known"] = story[1:]
        answers = core.step([Chunk(0, 0, story[:-1], range(len(story) - 1))], questions)
        nats += (-np.log(answers["probability"])).tolist()
        ids = torch.tensor(story)
        with torch.inference_mode():
            logits = network(ids[None, :-1]).logits[0].double()
        expected += torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none").tolist()
    assert np.mean(nats) == pytest.approx(np.mean(expected), abs=close)
