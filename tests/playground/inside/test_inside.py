"""What is seen of a choice, for every block that the trainer makes and for others, against
transformers with eager attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from playground.inside.forward import Forward
from playground.inside.inside import Look
from tests.playground.inside.conftest import BLOCKS, CONTEXT, Opened
from trainer.settings import blocks

CLOSE = 1e-5
Opener = Callable[[str], Opened]
IDS = np.random.default_rng(3).integers(0, 900, 150).tolist()


def check(look: Look, model: Any, window: list[int], chosen: int) -> None:
    """All that is seen of the choice after a window, against the model's own."""
    with torch.inference_mode():
        found = model(
            torch.tensor([window]), output_attentions=True, output_hidden_states=True,
            use_cache=False,
        )  # fmt: skip
        head, shares = model.get_output_embeddings(), []
        norm = model.base_model.ln_f if hasattr(model.base_model, "ln_f") else model.base_model.norm
        for state in found.hidden_states[:-1]:
            shares.append(head(norm(state[0, -1])).double().softmax(-1).numpy())
        shares.append(found.logits[0, -1].double().softmax(-1).numpy())
    attention = np.stack([weights[0, :, -1].numpy() for weights in found.attentions])
    assert look.attention.shape == attention.shape
    assert np.abs(look.attention - attention).max() < CLOSE
    assert len(look.layers) == len(shares)
    for layer, share in zip(look.layers, shares, strict=True):
        assert layer.probability == pytest.approx(share[chosen], abs=CLOSE)
        assert [found for _, found in layer.likeliest] == pytest.approx(
            np.sort(share)[::-1][:5].tolist(), abs=CLOSE
        )
        assert layer.unlearned == 0


def test_every_block_of_the_trainer_is_tried() -> None:
    assert set(BLOCKS) == set(blocks.BLOCKS)


@pytest.mark.parametrize("kind", [*BLOCKS, "mistral"])
def test_what_is_seen_is_what_transformers_computes(kind: str, looked_into: Opener) -> None:
    model, inside = looked_into(kind)
    assert isinstance(inside._pass, Forward) == (kind in ("gpt2", "llama", "qwen3"))
    ids = IDS[:40]
    for position in (0, 1, 25, 39):
        look = inside.look(ids, position)
        assert look.first == -1
        window = [inside.engine.storyteller.bos_id, *ids[:position]]
        check(look, model, window, ids[position])


@pytest.mark.parametrize("kind", ["llama", "gpt_neo"])
def test_a_long_story_is_seen_as_far_as_the_model_saw_it(kind: str, looked_into: Opener) -> None:
    """The window is the engine's, whose probability of the token is that of the last layer."""
    model, inside = looked_into(kind)
    for position in (CONTEXT - 1, CONTEXT, 130):
        look = inside.look(IDS, position)
        window = [inside.engine.storyteller.bos_id, *IDS][look.first + 1 : position + 1]
        assert 3 * CONTEXT // 4 <= len(window) <= CONTEXT
        check(look, model, window, IDS[position])
        story = inside.engine.score_ids(IDS[position : position + 1], after=IDS[:position])
        layer = look.layers[-1]
        assert layer.probability == pytest.approx(story.tokens[0].probability, rel=1e-4)
        assert layer.rank == story.tokens[0].rank


def test_tokens_that_training_never_met_are_one_number(shipped_engine: Any) -> None:
    from playground.inside.inside import Inside

    ids = shipped_engine.encode("Once upon a time, there was a little girl named Mia.")
    look = Inside(shipped_engine).look(ids, len(ids) - 1)
    assert look.layers[1].unlearned > 0.2  # the head does not fit an early layer
    assert look.layers[-1].unlearned < 0.01
    assert look.layers[-1].likeliest[0][0] == "."
    values = look.to_json()
    assert len(values["attention"]) == 6 and len(values["attention"][0]) == 4
    assert len(values["attention"][0][0]) == len(ids)
    assert values["layers"][-1]["likeliest"][0][0] == "."


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("gemma2", "transforms its logits after the head"),
        ("falcon", "does not return its attention"),
        ("mamba", "does not return its attention"),
    ],
)
def test_a_model_that_cannot_be_looked_into_says_so(
    kind: str, reason: str, random_model: Any
) -> None:
    from playground.engine.engine import Engine
    from playground.folder.model_folder import ModelFolder
    from playground.inside.inside import Inside

    _, folder = random_model(kind)
    with Engine(ModelFolder.open(folder, device="cpu"), max_streams=1) as engine:
        with pytest.raises(ValueError, match=reason):
            Inside(engine).look([1, 2, 3], 2)
        assert engine.score("Once").tokens  # it goes on writing


def test_the_engine_s_model_keeps_its_attention_and_its_weights(looked_into: Opener) -> None:
    _, inside = looked_into("olmo2")
    inside.look([1, 2, 3], 2)
    engine, twin = inside.engine.decoder, inside._pass
    assert engine.model.config._attn_implementation != "eager"  # type: ignore[attr-defined]
    mine, its = twin._model.parameters(), engine.model.parameters()  # type: ignore[attr-defined]
    assert all(one is other for one, other in zip(mine, its, strict=True))


def test_wrong_tokens_are_one_sentence(looked_into: Opener) -> None:
    _, inside = looked_into("llama")
    with pytest.raises(ValueError, match="from 0 to 2, not 3"):
        inside.look([1, 2, 3], 3)
    with pytest.raises(ValueError, match="write something first"):
        inside.look([], 0)
    with pytest.raises(ValueError, match="holds a token, 999999"):
        inside.look([1, 999999], 1)
    with pytest.raises(ValueError, match="takes too long here"):
        inside.look([1, 2], 1, work=1000)
