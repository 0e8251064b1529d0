"""The pass in NumPy, against transformers with eager attention in fp32."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from playground.folder.model_folder import ModelFolder
from playground.inside.forward import Forward
from tests.paths import ROOT
from tests.playground.core.models import CONTEXT, SHAPES, model_of, some_ids, tensors_of

CLOSE = 1e-5


def everything(model: Any, ids: Any) -> Any:
    """Attentions, hidden states and logits."""
    model.set_attn_implementation("eager")
    with torch.inference_mode():
        return model(torch.tensor([ids]), output_attentions=True, output_hidden_states=True)


def forward_of(shape: str) -> Forward:
    model = model_of(shape)
    folder = SimpleNamespace(config=model.config, weights=tensors_of(model))
    return Forward(cast(ModelFolder, folder))


def check_all(forward: Forward, expected: Any, ids: list[int]) -> None:
    """Attention within 1e-5; states and logits within 1e-5 of the largest."""
    states = forward.states(ids)
    attention = forward.attention(states, slice(0, len(ids)))
    for found, weights in zip(attention, expected.attentions, strict=True):
        assert np.abs(found - weights[0].numpy()).max() < CLOSE
    for found, state in zip(states[:-1], expected.hidden_states[:-1], strict=True):
        state = state[0].numpy()
        assert np.abs(found - state).max() < CLOSE * max(1, np.abs(state).max())
    logits = expected.logits[0].numpy()  # the last state comes after the final norm there
    assert np.abs(forward.logits(states[-1]) - logits).max() < CLOSE * np.abs(logits).max()


@pytest.mark.parametrize("shape", SHAPES)
def test_attention_and_states_are_those_of_transformers(shape: str) -> None:
    ids = some_ids(CONTEXT).tolist()
    check_all(forward_of(shape), everything(model_of(shape), ids), ids)


def test_those_of_the_shipped_model_too(shipped: ModelFolder) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        ROOT / "models" / "storyteller", dtype=torch.float32
    )
    ids = [shipped.bos_id, *shipped.encode("Once upon a time there was a little fox. " * 16)]
    assert len(ids) > 128  # several blocks of queries
    check_all(Forward(shipped), everything(model, ids), ids)


@pytest.mark.parametrize("shape", ["gpt2", "qwen3-grouped"])
def test_a_row_is_that_of_the_whole_text(shape: str) -> None:
    """Later tokens change nothing, so a text's states serve every token of it."""
    forward, ids = forward_of(shape), some_ids(40).tolist()
    states = forward.states(ids)
    attention, logits = forward.look(ids, 20)
    assert attention.shape == (forward.layers, forward.heads, 21)
    assert np.allclose(attention.sum(axis=2), 1, atol=1e-5)
    whole = forward.attention(states, slice(0, 40))
    assert np.abs(attention - whole[:, :, 20, :21]).max() < CLOSE
    alone = forward.states(ids[:21])[:, 20]
    assert np.abs(forward.logits(alone) - logits).max() < CLOSE * np.abs(logits).max()


def test_a_text_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    forward, ids = forward_of("llama"), some_ids(12).tolist()
    forward.look(ids, 5)
    monkeypatch.setattr(forward, "states", lambda _: pytest.fail("computed again"))
    assert forward.look(ids, 7)[0].shape[2] == 8


def test_too_little_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.inside.forward.free_memory", lambda _: 1000)
    with pytest.raises(ValueError, match="takes 0.0 GB, more than half of the free memory"):
        forward_of("gpt2").look([1, 2], 1)
