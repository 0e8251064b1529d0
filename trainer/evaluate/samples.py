"""Sample stories while a run trains: the same prompts and draws every time."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase


def write_samples(
    decoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: str,
    *,
    seed: int,
    length: int,
) -> list[dict[str, str]]:
    """A story of up to `length` tokens for each prompt, {prompt, story}, all written at once; the
    same draws every time.

    `prompts` are separated by `|`. One that leaves no room in the context is cut.
    """
    context = decoder.config.max_position_embeddings
    asked = list(map(str.strip, prompts.split("|")))
    end = int(tokenizer.eos_token_id)
    ids = [
        [end, *tokenizer(prompt, add_special_tokens=False).input_ids][: context - 1]
        for prompt in asked
    ]
    width = max(map(len, ids))
    padded = [[end] * (width - len(row)) + row for row in ids]
    masks = [[0] * (width - len(row)) + [1] * len(row) for row in ids]
    torch.manual_seed(seed)
    stories = decoder.generate(  # type: ignore[operator]
        torch.tensor(padded, device=decoder.device),  # (prompts, width), filled up on the left
        attention_mask=torch.tensor(masks, device=decoder.device),
        do_sample=True,
        temperature=0.8,
        top_k=40,
        max_new_tokens=min(length, context - width),
        pad_token_id=end,
        synced_gpus=False,  # under ZeRO-3 it would wait for processes that write nothing
    )
    return [
        {"prompt": prompt, "story": str(tokenizer.decode(story, skip_special_tokens=True))}
        for prompt, story in zip(asked, stories, strict=True)
    ]
