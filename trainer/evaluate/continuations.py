"""Let a model continue the first halves of true stories, with fixed draws.

The model writes until it ends the story, or at most half a context or 256 tokens, whichever is
less. Every opening leaves that much room, so the result does not depend on the batch. Above
temperature 0 each opening has its own random numbers, one per token, which depend on the seed only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

SHORTEST = 8  # tokens of a story to be halved
LONGEST = 256  # tokens written at most
UNREAD_MIN = 100  # stories; fewer have too few runs to compare with


@dataclass(frozen=True)
class Sampling:
    """How the tokens of a continuation are chosen.

    Attributes:
        temperature: 0 takes the likeliest token each time.
        top_k: likeliest tokens to draw from; 0 means all.
        seed: of the draws.
    """

    temperature: float = 0.0
    top_k: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"the temperature must be 0 or more, not {self.temperature}")
        if self.top_k < 0:
            raise ValueError(f"top-k must be 0 (all tokens) or more, not {self.top_k}")
        if self.seed < 0:
            raise ValueError(f"the seed must be 0 or more, not {self.seed}")

    def __str__(self) -> str:
        if not self.temperature:
            return "greedy"
        top_k = f", top-k {self.top_k}" if self.top_k else ""
        return f"{self.temperature:g}{top_k}"


SAMPLED = Sampling(temperature=0.8, top_k=40)  # of exports, model cards and sample stories


@dataclass(frozen=True)
class Continuation:
    """The second half of a story, true and written.

    Attributes:
        true: from the story.
        written: by the model.
        num_true, num_written: tokens of each, without an end-of-text token.
        ended: whether the model ended the story.
    """

    true: str
    written: str
    num_true: int
    num_written: int
    ended: bool

    @property
    def texts(self) -> tuple[str, str]:
        """Both halves."""
        return self.true, self.written

    def cut(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return the written half, cut to the length of the true half."""
        if self.num_written <= self.num_true:
            return self.written
        ids = tokenizer(self.written, add_special_tokens=False, verbose=False)["input_ids"]
        return str(tokenizer.decode(ids[: self.num_true]))


@dataclass(frozen=True)
class Opening:
    """The first half of a story.

    Attributes:
        number: of the opening, which seeds its random numbers.
        ids: its token ids, after the start token.
        rest: token ids of the true second half.
        story: number of the story among those given.
    """

    number: int
    ids: list[int]
    rest: list[int]
    story: int


def room_of(model: PreTrainedModel) -> tuple[int, int]:
    """Return how many tokens an opening may have with its start token, and how many are written
    after it."""
    context = getattr(model.config, "max_position_embeddings", None) or 1024
    written = min(LONGEST, context // 2)
    return context - written, written


def start_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id of the token before a story."""
    start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    return int(start)


def openings_of(
    model: PreTrainedModel, stories: Iterable[str], tokenizer: PreTrainedTokenizerBase, count: int
) -> list[Opening]:
    """Return the openings of the first `count` stories that are long enough to be halved and
    leave enough context."""
    longest, _ = room_of(model)
    start = start_token(tokenizer)
    openings: list[Opening] = []
    for number, story in enumerate(stories):
        if len(openings) == count:
            break
        ids = tokenizer(story, add_special_tokens=False, verbose=False)["input_ids"]
        half = len(ids) // 2
        if len(ids) >= SHORTEST and half < longest:
            openings.append(Opening(len(openings), [start, *ids[:half]], ids[half:], number))
    return openings


def not_continued(stories: list[str], openings: list[Opening]) -> list[str]:
    """Return the stories after the last that has an opening; none without openings, or if fewer
    than UNREAD_MIN are left."""
    rest = stories[openings[-1].story + 1 :] if openings else []
    return rest if len(rest) >= UNREAD_MIN else []


def continue_stories(
    model: PreTrainedModel,
    openings: list[Opening],
    tokenizer: PreTrainedTokenizerBase,
    sampling: Sampling,
    *,
    batch: int = 16,
) -> list[Continuation]:
    """Return a continuation of each opening, in their order."""
    _, length = room_of(model)
    written: dict[int, list[int]] = {}
    with (
        torch.inference_mode(),
        tqdm(
            total=len(openings),
            desc=f"continuing ({sampling})",
            unit=" stories",
        ) as bar,
    ):
        by_length = sorted(openings, key=lambda opening: len(opening.ids))  # little padding
        for first in range(0, len(by_length), batch):
            some = by_length[first : first + batch]
            rows = write_on(model, some, tokenizer, sampling, length)
            written |= {opening.number: row for opening, row in zip(some, rows, strict=True)}
            bar.update(len(some))
    return [as_continuation(opening, written[opening.number], tokenizer) for opening in openings]


def draws(sampling: Sampling, number: int, length: int) -> np.ndarray:
    """Return the random numbers of an opening, one per token: (length,) in [0, 1)."""
    return np.random.default_rng([sampling.seed, number]).random(length)


def write_on(
    model: PreTrainedModel,
    openings: list[Opening],
    tokenizer: PreTrainedTokenizerBase,
    sampling: Sampling,
    length: int,
) -> list[list[int]]:
    """Return the ids that follow each opening, `length` at most, with the end-of-text token."""
    end = tokenizer.eos_token_id
    prompts = left_padded([opening.ids for opening in openings], end, model.device)
    width = prompts["input_ids"].shape[1]
    random = np.stack([draws(sampling, opening.number, length) for opening in openings])
    generate: Any = model.generate
    output = generate(
        **prompts,
        generation_config=GenerationConfig(
            max_new_tokens=length, do_sample=False, eos_token_id=end, pad_token_id=end
        ),
        logits_processor=[FixedDraws(sampling, random, width)] if sampling.temperature else [],
    )
    rows: list[list[int]] = output[:, width:].tolist()
    return rows


def left_padded(
    rows: list[list[int]], padding: int, device: torch.device
) -> dict[str, torch.Tensor]:
    """Return rows of ids as `input_ids` and `attention_mask`, both (rows, width) int64, with
    `padding` on the left."""
    width = max(map(len, rows))
    ids = [[padding] * (width - len(row)) + row for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return {
        "input_ids": torch.tensor(ids, device=device),
        "attention_mask": torch.tensor(mask, device=device),
    }


class FixedDraws(LogitsProcessor):
    """Leaves one possible token in each row: the token that the row's own random number selects.

    Stock `generate` draws from one stream for the whole batch, so a story would depend on its
    batch.
    """

    def __init__(self, sampling: Sampling, random: np.ndarray, width: int) -> None:
        """`random` is (batch, length); `width` tokens come before the first draw."""
        self.sampling, self.random, self.width = sampling, torch.from_numpy(random), width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores (batch, vocabulary) in which only the drawn token is possible."""
        count = self.sampling.top_k or scores.shape[1]
        top, tokens = scores.topk(min(count, scores.shape[1]), dim=1)
        odds = (top.double() / self.sampling.temperature).softmax(dim=1).cumsum(dim=1)
        # The first token whose cumulative probability exceeds the row's random number.
        step = input_ids.shape[1] - self.width
        random = self.random[:, step : step + 1].contiguous().to(odds.device)
        # The last sum may fall short of 1 by rounding.
        chosen = torch.searchsorted(odds, random, right=True).clamp_(max=odds.shape[1] - 1)
        drawn = torch.full_like(scores, -torch.inf)
        return drawn.scatter_(1, tokens.gather(1, chosen), 0.0)


def as_continuation(
    opening: Opening, written: list[int], tokenizer: PreTrainedTokenizerBase
) -> Continuation:
    """Return the true and the written half of a story as texts."""
    decode: Any = tokenizer.decode
    end = tokenizer.eos_token_id
    ended = end in written
    written = written[: written.index(end)] if ended else written
    rest = opening.rest
    return Continuation(decode(rest), decode(written), len(rest), len(written), ended)
