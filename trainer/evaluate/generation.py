"""How a model's own prose reads beside the true one: BLEU, repetition, runs of words copied.

The first half of a true story is the prompt; the model writes as many tokens as the true second
half has, or ends earlier. Each measure of the model's text is also taken of the true second halves:
a repetition of 5 % says little before one knows how much true stories repeat. Stories must fit the
model's context whole, so that stock `generate` writes all of it in the model's sight.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sacrebleu
import torch
from tqdm import tqdm
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

REPEATED = 4  # words
COPIED = 8  # words
SHORTEST = 8  # tokens of a story that has halves worth the name


@dataclass(frozen=True)
class Continuation:
    """The second half of a story, twice: as it was, and as the model wrote it."""

    true: str
    written: str


@dataclass(frozen=True)
class Prose:
    """How a model's continuations read.

    Attributes:
        stories: continued ones.
        bleu: of the continuations against the true ones, 0 to 100 (sacrebleu, corpus level).
        repeated: share of 4-word runs that stood earlier in the same continuation.
        repeated_in_true: the same of the true second halves.
        copied: share of 8-word runs that stand in the training stories; None without these.
        copied_in_true: the same of the true second halves.
    """

    stories: int
    bleu: float
    repeated: float
    repeated_in_true: float
    copied: float | None
    copied_in_true: float | None


def continue_stories(
    model: PreTrainedModel,
    stories: Iterable[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    count: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch: int = 16,
    progress: bool = False,
) -> list[Continuation]:
    """Continuations of the first halves of the first `count` stories that fit the model's context.

    Args:
        temperature: 0 takes the likeliest token each time; above 0 draws from the whole vocabulary.
        seed: of those draws; with another `batch` they fall differently.

    Raises:
        ValueError: no story fits the context.
    """
    decode: Any = tokenizer.decode
    generate: Any = model.generate
    limit = getattr(model.config, "max_position_embeddings", None) or 1024
    end = tokenizer.eos_token_id
    start = end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    halves = []
    for story in stories:
        ids = tokenizer(story, add_special_tokens=False, verbose=False)["input_ids"]
        if SHORTEST <= len(ids) < limit:
            halves.append(([start, *ids[: len(ids) // 2]], ids[len(ids) // 2 :]))
        if len(halves) == count:
            break
    if not halves:
        raise ValueError(f"no story has {SHORTEST} to {limit - 1} tokens: none can be continued")
    halves.sort(key=lambda half: len(half[1]))  # alike lengths together: little is written in vain
    drawing: dict[str, Any] = {"do_sample": False}
    if temperature:
        drawing = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    torch.manual_seed(seed)
    found = []
    with (
        torch.inference_mode(),
        tqdm(total=len(halves), desc="continuing", unit=" stories", disable=not progress) as bar,
    ):
        for first in range(0, len(halves), batch):
            some = halves[first : first + batch]
            width = max(len(prompt) for prompt, _ in some)
            prompts = [[end] * (width - len(prompt)) + prompt for prompt, _ in some]
            masks = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt, _ in some]
            output = generate(
                input_ids=torch.tensor(prompts, device=model.device),
                attention_mask=torch.tensor(masks, device=model.device),
                generation_config=GenerationConfig(
                    max_new_tokens=max(len(rest) for _, rest in some),
                    **drawing,
                    eos_token_id=end,
                    pad_token_id=end,
                    repetition_penalty=1.0,
                ),
            )
            for (_, rest), row in zip(some, output[:, width:].tolist(), strict=True):
                written = row[: len(rest)]
                written = written[: written.index(end)] if end in written else written
                found.append(Continuation(*map(decode, (rest, written))))
            bar.update(len(some))
    return found


def judge_prose(continuations: list[Continuation], training: Iterable[str] | None = None) -> Prose:
    """BLEU, repetition and, given the training stories, the share copied from them."""
    written = [words(pair.written) for pair in continuations]
    true = [words(pair.true) for pair in continuations]
    copied = copied_in_true = None
    if training is not None:
        copied, copied_in_true = copied_share([written, true], training)
    bleu = sacrebleu.corpus_bleu(
        [pair.written for pair in continuations], [[pair.true for pair in continuations]]
    )
    return Prose(
        stories=len(continuations),
        bleu=bleu.score,
        repeated=repeated_share(written),
        repeated_in_true=repeated_share(true),
        copied=copied,
        copied_in_true=copied_in_true,
    )


def words(text: str) -> list[str]:
    """The words of a text, in lower case and without punctuation."""
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.lower())


def runs(text: list[str], length: int) -> list[tuple[str, ...]]:
    """All runs of `length` words, in order."""
    return list(zip(*(text[first:] for first in range(length)), strict=False))


def repeated_share(texts: list[list[str]]) -> float:
    """Share of 4-word runs that occurred before in the same text, over all texts."""
    every = [runs(text, REPEATED) for text in texts]
    total = sum(map(len, every))
    return (total - sum(len(set(some)) for some in every)) / total if total else 0.0


def copied_share(texts: list[list[list[str]]], training: Iterable[str]) -> list[float]:
    """For each list of texts, the share of its 8-word runs that stand in the training stories.

    Only runs of `texts` are kept in memory, so the training stories may be many.
    """
    every = [[run for text in some for run in runs(text, COPIED)] for some in texts]
    wanted = {run for some in every for run in some}
    met: set[tuple[str, ...]] = set()
    for story in training:
        met.update(wanted.intersection(runs(words(story), COPIED)))
    return [sum(run in met for run in some) / len(some) if some else 0.0 for some in every]
