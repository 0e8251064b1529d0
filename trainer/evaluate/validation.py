"""The validation loss and the sample stories of a model while it trains."""

from __future__ import annotations

import torch
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.corpus.store.token_store import TokenStore, gather
from trainer.evaluate.continuations import SAMPLED, left_padded
from trainer.model.attention import DocumentMasking


@torch.no_grad()
def validation_loss(
    decoder: PreTrainedModel,
    store: TokenStore,
    num_blocks: int,
    context: int,
    document_masking: DocumentMasking | None,
) -> float | None:
    """Return the mean nats per token over the first blocks of the validation split, in fp32, with
    the attention of training; None if the split has no block."""
    tokens = store.split("validation")
    losses = []
    for block in range(min(num_blocks, store.num_blocks("validation", context))):
        ids = torch.from_numpy(gather(tokens, [block * context], context)).long().to(decoder.device)
        inputs = ids[:, :-1]
        arguments = document_masking.arguments(inputs, decoder) if document_masking else {}
        logits = decoder(inputs, **arguments).logits[0].float()  # (context, ids)
        losses.append(float(functional.cross_entropy(logits, ids[0, 1:])))
    return sum(losses) / len(losses) if losses else None


def write_samples(
    decoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: str,
    *,
    seed: int,
    length: int,
) -> list[dict[str, str]]:
    """Write a story of up to `length` tokens for each prompt in one batch, with the same draws
    every time; return {prompt, story} for each.

    `prompts` are separated by `|`. A prompt that fills the context is cut.
    """
    context = decoder.config.max_position_embeddings
    openings = list(map(str.strip, prompts.split("|")))
    end = int(tokenizer.eos_token_id)
    ids = [
        [end, *tokenizer(opening, add_special_tokens=False).input_ids][: context - 1]
        for opening in openings
    ]
    torch.manual_seed(seed)
    stories = decoder.generate(  # type: ignore[operator]
        **left_padded(ids, end, decoder.device),
        do_sample=True,
        temperature=SAMPLED.temperature,
        top_k=SAMPLED.top_k,
        max_new_tokens=min(length, context - max(map(len, ids))),
        pad_token_id=end,
        synced_gpus=False,  # under ZeRO-3 it would wait for processes that write no stories
    )
    return [
        {"prompt": opening, "story": str(tokenizer.decode(story, skip_special_tokens=True))}
        for opening, story in zip(openings, stories, strict=True)
    ]
