"""Intra-document attention masking for training: a token sees its own story, not its whole block.

A block has the end of one story, a few complete stories and the beginning of another. In generation
and evaluation a model never sees another story before its own, so it need not learn from earlier
stories. A story begins at the end-of-text token before it, as in evaluation and generation.

On a CPU attention takes a mask. On a GPU the flash kernel takes the bounds of the stories instead,
and skips tokens outside. The number of bounds is fixed, so that an update can be captured: unused
bounds are of empty stories. GPT-Neo always computes its own attention: it adds a mask to the
scores, and hides tokens outside a layer's window."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

BLOCKS_COUNTED_AT_ONCE = 2**16
FLASH, EAGER = "story", "eager"  # names of attention: our own, and transformers'


class DocumentMasking:
    """Intra-document attention masking: a token sees its own story only.

    Args:
        end_of_text: the id or compact id of the token before every story.
        max_stories: stories and parts of stories in a micro-batch, at most: see `max_stories`. Only
            the flash kernel needs it.
    """

    def __init__(self, end_of_text: int, max_stories: int = 0) -> None:
        self.end_of_text, self.max_stories = end_of_text, max_stories

    def arguments(self, inputs: torch.Tensor, decoder: PreTrainedModel) -> dict[str, Any]:
        """Return the attention arguments of `decoder` for `inputs`, (batch, context) ids."""
        begins = inputs == self.end_of_text
        attention = decoder.config._attn_implementation
        if attention == FLASH:
            bounds = story_bounds(begins, self.max_stories)
            return {"cu_seq_lens_q": bounds, "max_length_q": inputs.shape[1]}
        mask = story_mask(begins)
        if attention == EAGER:
            lowest = torch.finfo(torch.float32).min
            mask = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, lowest)
        return {"attention_mask": mask}


def story_mask(begins: torch.Tensor) -> torch.Tensor:
    """Return whether a token sees another, (batch, 1, context, context), given where stories begin,
    (batch, context)."""
    story = begins.cumsum(1)
    same = story[:, :, None] == story[:, None, :]
    return same.tril()[:, None]


def story_bounds(begins: torch.Tensor, max_stories: int) -> torch.Tensor:
    """Return where each story of a batch begins in its flattened tokens, (max_stories + 1,) int32;
    missing stories begin at the end of the batch. `begins`: (batch, context)."""
    first = torch.zeros_like(begins)
    first[:, 0] = True  # a story does not continue in the next row
    count = (begins | first).flatten().cumsum(0)  # stories that have begun, at each token
    numbers = torch.arange(1, max_stories + 2, device=begins.device)
    return torch.searchsorted(count, numbers, out_int32=True)


def max_stories(tokens: np.ndarray, end_of_text: int, context: int, micro_batch: int) -> int:
    """Return how many stories and parts of stories any `micro_batch` blocks of `tokens` can hold,
    wherever blocks begin. `end_of_text` separates stories; the end of the split may continue at its
    start."""
    chunk, most = BLOCKS_COUNTED_AT_ONCE * context, []
    for first in range(0, len(tokens), chunk):
        last = min(first + chunk, len(tokens)) + context
        part = np.concatenate([tokens[first:last], tokens[: max(0, last - len(tokens))]])
        # The difference of two cumulative counts is the number of ends in the block at every start.
        # Of each `context` starts one block is read, so their maximum is a bound.
        ends = np.cumsum(np.append(False, part == end_of_text), dtype=np.int32)
        blocks = ends[context:-1] - ends[: -context - 1]  # ends in the block from each token on
        most.append(np.maximum.reduceat(blocks, range(0, len(blocks), context)))
    return int(np.sort(np.concatenate(most))[-micro_batch:].sum()) + micro_batch


def attend_on_gpu(
    decoder: PreTrainedModel, story: DocumentMasking | None, dtype: torch.dtype
) -> None:
    """Choose the attention kernel of a decoder that trains on a GPU in `dtype`.

    When compiled, transformers detects packed sequences and builds a (batch, 1, context, context)
    mask, which flash attention cannot take. For an unknown attention name it builds no mask. For a
    GPU only: a CPU is 5 % slower without the mask. A decoder with its own attention is not changed.
    """
    if decoder.config._attn_implementation == EAGER:
        return
    if story is None:
        AttentionInterface.register("causal", sdpa_attention_forward)
        decoder.set_attn_implementation("causal")
    elif flash_attention_works(dtype):
        AttentionInterface.register(FLASH, flash_attention_forward)
        decoder.set_attn_implementation(FLASH)


def flash_attention_works(dtype: torch.dtype) -> bool:
    """Return whether this GPU and this torch have the flash kernel for `dtype` (Ampere and
    newer)."""
    return (
        dtype in (torch.bfloat16, torch.float16)
        and torch.backends.cuda.is_flash_attention_available()
        and torch.cuda.get_device_capability() >= (8, 0)
    )


def flash_attention_forward(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    *,
    cu_seq_lens_q: torch.Tensor,
    max_length_q: int,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Compute causal attention within each story, as transformers calls it.

    Args:
        query, key, value: (batch, heads, context, head_dim); keys and values may have fewer heads,
            each for a group of the queries'.
        cu_seq_lens_q: where each story begins, from `story_bounds`.
        max_length_q: the context.

    Returns:
        (batch, context, heads, head_dim), and no weights.
    """
    batch, heads, context, _width = query.shape
    key, value = (repeat_kv(part, heads // part.shape[1]) for part in (key, value))
    # Rotation and norms return fp32, and autocast does not know this operator.
    # `torch.nn.attention.varlen` calls the same, but is newer than torch 2.9.
    flat = [part.transpose(1, 2).flatten(0, 1).to(value.dtype) for part in (query, key, value)]
    output = torch.ops.aten._flash_attention_forward(
        *flat,
        cu_seq_lens_q,
        cu_seq_lens_q,
        max_length_q,
        max_length_q,
        dropout,
        True,  # causal
        False,  # no debug mask
        scale=scaling,
    )[0]
    return output.view(batch, context, *output.shape[1:]), None
