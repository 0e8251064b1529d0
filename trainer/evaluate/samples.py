"""Sample stories while a run trains: the same prompts and draws every time."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.compact_vocabulary import END_OF_TEXT


def tell(
    decoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: str,
    *,
    seed: int,
    length: int,
) -> list[dict[str, str]]:
    """A story of up to `length` tokens for each prompt, {prompt, story}; the same dice every time.

    `prompts` are parted by `|`. One that leaves no room in the context is cut.
    """
    context = decoder.config.max_position_embeddings
    told = []
    for place, prompt in enumerate(map(str.strip, prompts.split("|"))):
        ids = [END_OF_TEXT, *tokenizer(prompt).input_ids][: context - 1]
        start = torch.tensor([ids], device=decoder.device)  # (1, prompt)
        torch.manual_seed(seed + place)
        story = decoder.generate(  # type: ignore[operator]
            start,
            attention_mask=torch.ones_like(start),
            do_sample=True,
            temperature=0.8,
            top_k=40,
            max_new_tokens=min(length, context - len(ids)),
            pad_token_id=END_OF_TEXT,
            synced_gpus=False,  # under ZeRO-3 it would wait for processes that tell nothing
        )
        text = str(tokenizer.decode(story[0], skip_special_tokens=True))
        told.append({"prompt": prompt, "story": text})
    return told
