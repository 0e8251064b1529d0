"""Intra-document attention masking: a block's stories are computed as each would be alone."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import GPTNeoConfig, PreTrainedModel

from tests.gpt2 import END_OF_TEXT, SIZE
from trainer.corpus.store.token_store import gather
from trainer.model import attention
from trainer.model.attention import (
    DocumentMasking,
    attend_on_gpu,
    max_stories,
    story_bounds,
    story_mask,
)
from trainer.model.build import new_decoder
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.settings.blocks import BLOCKS
from trainer.settings.model import Model

# Whose attention a GPU's kernel can compute.
FAST_BLOCKS = tuple(name for name in BLOCKS if name != "gpt_neo")
END = 3  # the end-of-text token of these tests


def decoder_of(
    block: str, window: int = 256, kinds: list[str] | None = None, **settings: Any
) -> PreTrainedModel:
    """A tiny decoder of 64 ids; a GPT-Neo of layers of these `kinds`, if there are any."""
    counts = np.zeros(SIZE, dtype=np.int64)
    counts[:63] = 1
    vocabulary = CompactVocabulary.of(counts, END_OF_TEXT, compact=True)
    sizes = {"num_layers": 2, "hidden": 32, "num_heads": 2, "intermediate": 64, "context": 16}
    if kinds is None:
        return new_decoder(Model(block=block, **sizes | settings), vocabulary, seed=1).eval()
    shape = Model(block=block, **sizes | {"num_layers": len(kinds)})
    base = GPTNeoConfig(
        num_layers=len(kinds), hidden_size=32, num_heads=2, intermediate_size=64,
        attention_types=[[kinds, 1]], window_size=window,
    )  # fmt: skip
    return new_decoder(shape, vocabulary, seed=1, base=base).eval()


@pytest.fixture
def ids() -> torch.Tensor:
    """Two blocks: a story from before, two in one, an empty one; and a story without an end."""
    return torch.tensor(
        [[5, 6, 7, END, 8, 9, 10, 11, END, END, 12, 13], [*range(20, 31), END]], dtype=torch.long
    )


def stories(row: torch.Tensor) -> list[torch.Tensor]:
    """The stories of a block, each from the end-of-text token before it."""
    begins = [0, *(row == END).nonzero()[:, 0].tolist(), len(row)]
    return [row[a:b] for a, b in zip(begins, begins[1:], strict=False) if a < b]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_story_in_a_block_is_computed_as_it_is_alone(block: str, ids: torch.Tensor) -> None:
    """Alone at the same positions, where these are learned."""
    decoder = decoder_of(block)
    whole = decoder(ids, **DocumentMasking(END).arguments(ids, decoder)).logits
    for row, logits in zip(ids, whole, strict=True):
        where = torch.arange(len(row)).split([len(story) for story in stories(row)])
        alone = torch.cat(
            [
                decoder(story[None], position_ids=positions[None]).logits[0]
                for story, positions in zip(stories(row), where, strict=True)
            ]
        )
        torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole, decoder(ids).logits, atol=1e-3)


def test_a_local_layer_looks_back_on_its_window_inside_the_story(ids: torch.Tensor) -> None:
    """GPT-Neo's second layer, with a window of 3: four tokens back changes nothing alone."""
    decoder = decoder_of("gpt_neo", window=3, kinds=["local"])
    attended = DocumentMasking(END).arguments(ids, decoder)
    before = decoder(ids, **attended).logits
    changed = ids.clone()
    changed[0, 5] += 1  # in the story of positions 3 to 7
    after = decoder(changed, **attended).logits
    moved = (before - after)[0].abs().amax(-1) > 1e-6
    assert moved.tolist() == [False] * 5 + [True] * 3 + [False] * 4
    changed = ids.clone()
    changed[1, 2] += 30
    moved = (before - decoder(changed, **attended).logits)[1].abs().amax(-1) > 1e-6
    assert moved.tolist() == [False] * 2 + [True] * 3 + [False] * 7


def test_a_mask_shows_a_story_from_its_beginning() -> None:
    mask = story_mask(torch.tensor([[False, True, False, True]]))
    assert mask.int().tolist() == [[[[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]]]


def test_bounds_have_a_fixed_number(ids: torch.Tensor) -> None:
    bounds = story_bounds(ids == END, max_stories=9)
    assert bounds.tolist() == [0, 3, 8, 9, 12, 23, 24, 24, 24, 24]
    assert bounds.dtype == torch.int32


@pytest.mark.parametrize("num_tokens", [1003, 1000, 41, 12])
@pytest.mark.parametrize("at_once", [3, 2**16])
def test_no_micro_batch_has_more_stories_than_are_counted(
    num_tokens: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "BLOCKS_COUNTED_AT_ONCE", at_once)
    draw = np.random.default_rng(3)
    tokens = np.where(draw.random(num_tokens) < 0.2, END_OF_TEXT, 7).astype(np.uint16)
    most = max_stories(tokens, END_OF_TEXT, context=10, micro_batch=4)
    for shift in range(10):
        starts = np.arange((num_tokens - 1) // 10) * 10 + shift
        blocks = torch.from_numpy(gather(tokens, starts, 10)[:, :-1].astype(np.int64))
        densest = blocks[(blocks == END_OF_TEXT).sum(1).argsort()[-4:]]
        for chosen in (densest, blocks[draw.permutation(len(blocks))[:4]]):
            bounds = story_bounds(chosen == END_OF_TEXT, most)
            assert bounds[-1] == chosen.numel()
            assert int((bounds < chosen.numel()).sum()) <= most
        begins = densest == END_OF_TEXT
        begins[:, 0] = True  # a block's first token always begins one
        assert most >= int(begins.sum())
    assert most <= 4 * 10


@pytest.mark.parametrize(
    ("block", "kv_heads"), [*((block, 0) for block in FAST_BLOCKS), ("llama", 1), ("qwen3", 1)]
)
def test_the_flash_kernel_s_bounds_and_the_mask_mean_the_same(
    block: str, kv_heads: int, ids: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel itself needs a card (tests/gpu): one of its kind stands for it, a story at a
    time."""
    calls = []

    def kernel(query, key, value, bounds, _keys, most, _most, dropout, causal, _debug, *, scale):  # type: ignore[no-untyped-def]
        assert (most, dropout, causal) == (12, 0.0, True)
        calls.append(bounds)
        parts = []
        for first, last in zip(bounds.tolist(), bounds[1:].tolist(), strict=False):
            its = [part[first:last].transpose(0, 1)[None] for part in (query, key, value)]
            found = functional.scaled_dot_product_attention(*its, is_causal=True, scale=scale)
            parts.append(found[0].transpose(0, 1))
        return torch.cat(parts), None

    monkeypatch.setattr(torch.ops.aten, "_flash_attention_forward", kernel, raising=False)
    monkeypatch.setattr(attention, "flash_attention_works", lambda _: True)
    decoder = decoder_of(block, kv_heads=kv_heads)
    story = DocumentMasking(END, max_stories=8)
    masked = decoder.base_model(ids, **story.arguments(ids, decoder)).last_hidden_state
    attend_on_gpu(decoder, story, torch.bfloat16)
    bounds = story.arguments(ids, decoder)
    assert "cu_seq_lens_q" in bounds
    flash = decoder.base_model(ids, use_cache=False, **bounds).last_hidden_state
    torch.testing.assert_close(flash, masked, rtol=1e-4, atol=1e-5)
    assert len(calls) == decoder.config.num_hidden_layers


@pytest.mark.parametrize("block", FAST_BLOCKS)
def test_attention_over_the_block_takes_no_mask(
    block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a GPU computes with, where flash attention takes no mask."""
    decoder = decoder_of(block)
    ids = torch.arange(24).reshape(2, 12)
    before = decoder(ids).logits
    attend_on_gpu(decoder, None, torch.bfloat16)
    given = []
    attend = functional.scaled_dot_product_attention

    def watch(*tensors: torch.Tensor, **settings: object) -> torch.Tensor:
        given.append((settings.get("attn_mask"), settings.get("is_causal")))
        return attend(*tensors, **settings)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", watch)
    torch.testing.assert_close(decoder(ids).logits, before, rtol=1e-5, atol=1e-5)
    assert given == [(None, True)] * decoder.config.num_hidden_layers
