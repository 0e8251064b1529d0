"""Score true stories with a causal language model, token by token.

Each of these choices changes the figures:

- Each story is scored from its own start: the model first reads the end-of-text token (or
  the tokenizer's beginning-of-text token), then has to predict the story and the end-of-text token
  after it.
- A story longer than the context slides through it by `stride` tokens. Every token is scored once,
  by the first window that has it; in later windows each scored token has at least
  `context - stride` tokens before it.
- Arithmetic is fp32, sums are float64, and the figures are quotients of sums over all stories, not
  means of means.
- bits per byte = nats / ln 2 / UTF-8 bytes of the stories, with the nats of the end-of-text tokens,
  without their bytes.
- The 95 % intervals are those of the bootstrap over stories; see bootstrap.py.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.evaluate.bootstrap import middle, resampled_sums
from trainer.evaluate.continuations import start_token
from trainer.evaluate.head import Head, Scored, score_logits
from trainer.model.build import last_hidden

TEXTS_A_CALL = 1000  # stories per call of the tokenizer


@dataclass(frozen=True)
class Evaluation:
    """How well a model predicts a set of stories.

    Attributes:
        nats_per_token: mean of -ln p over all predicted tokens.
        perplexity: exp of nats_per_token.
        bits_per_byte: comparable between tokenizers, unlike the two above.
        nats_interval, perplexity_interval, bits_interval: 95 % of each, (low, high).
        tokens: predicted tokens, with the end of each story.
        bytes: UTF-8 bytes of the stories.
        stories: number of stories.
        context: tokens the model could look back on.
        stride: tokens by which long stories slid through it.
        seconds: time taken.
    """

    nats_per_token: float
    perplexity: float
    bits_per_byte: float
    nats_interval: tuple[float, float]
    perplexity_interval: tuple[float, float]
    bits_interval: tuple[float, float]
    tokens: int
    bytes: int
    stories: int
    context: int
    stride: int
    seconds: float

    def summary(self, file: str) -> dict[str, Any]:
        """Return the values for training.json; `file` names the stories."""
        values = asdict(self)
        del values["seconds"]
        return {**values, "file": file}


@dataclass(frozen=True)
class Likelihood:
    """A model's scores of every token of some stories.

    Attributes:
        starts: (stories + 1,) where each story's tokens begin in the next four arrays.
        ids: (tokens,) int32 the predicted tokens, with each story's end-of-text token.
        nats: (tokens,) float32 -ln p of each.
        confidence: (tokens,) float32 p of the model's likeliest token.
        correct: (tokens,) bool whether the likeliest token is the true token.
        bytes: (stories,) int64 UTF-8 bytes of each story.
        context: tokens the model could look back on.
        stride: tokens by which long stories slid through it.
        seconds: time taken.
    """

    starts: np.ndarray
    ids: np.ndarray
    nats: np.ndarray
    confidence: np.ndarray
    correct: np.ndarray
    bytes: np.ndarray
    context: int
    stride: int
    seconds: float

    @cached_property
    def nats_of_story(self) -> np.ndarray:
        """(stories,) float64 sums."""
        return np.add.reduceat(self.nats.astype(np.float64), self.starts[:-1])

    @property
    def tokens_of_story(self) -> np.ndarray:
        """(stories,) predicted tokens."""
        return np.diff(self.starts)

    def evaluation(self) -> Evaluation:
        """Return the figures over all stories."""
        columns = np.stack([self.nats_of_story, self.tokens_of_story, self.bytes])
        nats, tokens, num_bytes = (float(total) for total in columns.sum(axis=1))
        drawn = resampled_sums(columns)
        low, high = middle(drawn[:, 0] / drawn[:, 1])
        return Evaluation(
            nats_per_token=nats / tokens,
            perplexity=math.exp(nats / tokens),
            bits_per_byte=nats / math.log(2) / num_bytes,
            nats_interval=(low, high),
            perplexity_interval=(math.exp(low), math.exp(high)),
            bits_interval=middle(drawn[:, 0] / math.log(2) / drawn[:, 2]),
            tokens=int(tokens),
            bytes=int(num_bytes),
            stories=len(self.bytes),
            context=self.context,
            stride=self.stride,
            seconds=self.seconds,
        )


def evaluate(
    model: PreTrainedModel,
    stories: Iterable[str],
    tokenizer: PreTrainedTokenizerBase,
    **how: Any,
) -> Evaluation:
    """Return the figures of `score`, with its arguments and errors."""
    return score(model, stories, tokenizer, **how).evaluation()


def score(
    model: PreTrainedModel,
    stories: Iterable[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    stride: int | None = None,
    context: int | None = None,
    batch: int = 16,
) -> Likelihood:
    """Score every token of stories that the model did not train on. The token ids of
    all stories are in memory. Raises ValueError for no stories, a wrong context or stride, a model
    that is not in fp32 or computes NaN, ids that it does not know.

    Args:
        model: a causal language model in fp32; its mode (training or not) does not change.
        stories: their texts, unchanged; empty stories are skipped.
        tokenizer: the model's own.
        stride: tokens a long story slides by (default: half the context).
        context: tokens the model may look back on (default: the model's context).
        batch: windows computed at once; changes speed and memory, not the result.
    """
    began = time.perf_counter()
    context = _context(model, context)
    stride = max(1, context // 2) if stride is None else stride
    if not 1 <= stride <= context:
        raise ValueError(f"stride must be from 1 to the context of {context} tokens, not {stride}")
    if batch < 1:
        raise ValueError(f"batch must be 1 or more, not {batch}")
    if model.dtype != torch.float32:
        raise ValueError(f"a model is evaluated in fp32, and this one is in {model.dtype}")
    sequences, num_bytes = _encode(stories, tokenizer)
    if not sequences:
        raise ValueError("there are no stories to evaluate with")
    embedding: Any = model.get_input_embeddings()
    num_ids = embedding.weight.shape[0]
    largest = max(int(ids.max()) for ids in sequences)
    if largest >= num_ids:
        raise ValueError(
            f"the tokenizer gives the id {largest}, the model has only {num_ids} ids: they do not "
            "belong together"
        )
    starts = np.cumsum([0, *(len(ids) - 1 for ids in sequences)])
    nats, confidence, correct = _score_windows(model, sequences, starts, context, stride, batch)
    if not np.isfinite(nats).all():
        story = int(np.searchsorted(starts, np.flatnonzero(~np.isfinite(nats))[0], side="right"))
        raise ValueError(
            f"the model's probabilities for story {story:,} are not numbers: its training went "
            "wrong, or its arithmetic overflows; take another checkpoint"
        )
    return Likelihood(
        starts=starts,
        ids=np.concatenate([ids[1:] for ids in sequences]),
        nats=nats,
        confidence=confidence,
        correct=correct,
        bytes=num_bytes,
        context=context,
        stride=stride,
        seconds=time.perf_counter() - began,
    )


def _score_windows(
    model: PreTrainedModel,
    sequences: list[np.ndarray],
    starts: np.ndarray,
    context: int,
    stride: int,
    batch: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return nats, confidence and correctness of all tokens, each (starts[-1],)."""
    windows = [
        (sequence, *window)
        for sequence, ids in enumerate(sequences)
        for window in slide(len(ids) - 1, context, stride)
    ]
    windows.sort(key=lambda window: window[1] - window[2])  # longest first: peak memory first
    scores = (
        np.empty(starts[-1], np.float32),
        np.empty(starts[-1], np.float32),
        np.empty(starts[-1], bool),
    )
    training = model.training
    model.eval()
    with (
        torch.inference_mode(),
        torch.autocast(model.device.type, enabled=False),
        tqdm(total=int(starts[-1]), desc="scoring", unit=" tokens", unit_scale=True) as bar,
    ):
        head = Head.of(model)
        for first in range(0, len(windows), batch):
            some = windows[first : first + batch]
            scored = _score_batch(model, head, sequences, some)
            where = np.concatenate(
                [np.arange(starts[s] + new, starts[s] + end) for s, _, end, new in some]
            )
            for array, tensor in zip(scores, scored, strict=True):
                array[where] = tensor.cpu().numpy()
            bar.update(len(where))
    model.train(training)
    return scores


def slide(length: int, context: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """Yield windows over `length` predictions: (start, end, first); those from `first`
    on are new."""
    scored = start = 0
    while scored < length:
        end = min(start + context, length)
        yield start, end, scored
        scored, start = end, start + stride


def _context(model: PreTrainedModel, wanted: int | None) -> int:
    """Return how many tokens to look back on: `wanted`, else the model's context."""
    limit = getattr(model.config, "max_position_embeddings", wanted)
    if limit is None:
        raise ValueError("the model's config.json names no context length: choose a context")
    context = limit if wanted is None else wanted
    if not 1 <= context <= limit:
        raise ValueError(f"context must be from 1 to the model's {limit} tokens, not {context}")
    return context


def _encode(
    stories: Iterable[str], tokenizer: PreTrainedTokenizerBase
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return each story as start token, ids, end-of-text token, (length + 2,) int32, and the bytes
    of each."""
    texts = [story for story in stories if story.strip()]
    end = tokenizer.eos_token_id
    start = start_token(tokenizer)
    sequences = []
    for first in range(0, len(texts), TEXTS_A_CALL):
        some = texts[first : first + TEXTS_A_CALL]
        for ids in tokenizer(some, add_special_tokens=False, verbose=False)["input_ids"]:
            sequences.append(np.array([start, *ids, end], dtype=np.int32))
    return sequences, np.array([len(text.encode()) for text in texts], dtype=np.int64)


def _score_batch(
    model: PreTrainedModel,
    head: Head | None,
    sequences: list[np.ndarray],
    windows: list[tuple[int, int, int, int]],
) -> Scored:
    """Score every token that is new in these windows."""
    width = max(end - start for _, start, end, _ in windows)
    inputs = np.zeros((len(windows), width), dtype=np.int64)
    new = np.zeros((len(windows), width), dtype=bool)
    for row, (sequence, start, end, first) in enumerate(windows):
        inputs[row, : end - start] = sequences[sequence][start:end]
        new[row, first - start : end - start] = True
    answers = [sequences[s][first + 1 : end + 1] for s, _, end, first in windows]
    targets = torch.from_numpy(np.concatenate(answers)).to(model.device, torch.int64)
    ids = torch.from_numpy(inputs).to(model.device)
    if head is not None:  # positions by number: a boolean mask on a GPU waits for its count
        positions = torch.from_numpy(np.flatnonzero(new)).to(model.device)
        return head.score(last_hidden(model, ids).flatten(0, 1)[positions], targets)
    parts = []  # one window's logits at a time: the vocabulary may be large
    for row, true in enumerate(targets.split(new.sum(axis=1).tolist())):
        positions = torch.from_numpy(np.flatnonzero(new[row])).to(model.device)
        logits = model(input_ids=ids[row : row + 1], use_cache=False).logits[0, positions]
        parts.append(score_logits(logits, true))
    return Scored.join(parts)
