"""The loss on the validation blocks while a run trains."""

from __future__ import annotations

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from trainer.corpus.store.token_store import TokenStore, gather
from trainer.model.attention import StoryAttention


@torch.no_grad()
def validation_loss(
    decoder: PreTrainedModel,
    store: TokenStore,
    num_blocks: int,
    context: int,
    story_attention: StoryAttention | None,
) -> float | None:
    """Mean nats per token over the first blocks of the validation split, in fp32; None if it has
    none. Attention is as it was in training."""
    tokens = store.split("validation")
    losses = []
    for block in range(min(num_blocks, store.num_blocks("validation", context))):
        ids = torch.from_numpy(gather(tokens, [block * context], context)).long().to(decoder.device)
        inputs = ids[:, :-1]
        arguments = story_attention.arguments(inputs, decoder) if story_attention else {}
        logits = decoder(inputs, **arguments).logits[0].float()  # (context, ids)
        losses.append(float(functional.cross_entropy(logits, ids[0, 1:])))
    return sum(losses) / len(losses) if losses else None
