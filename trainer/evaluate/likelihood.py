"""Nats per token, perplexity and bits per byte of true stories under a causal language model.

What is counted, since every one of these choices moves the number:

- Each story is scored from its own start: the model first reads the end-of-text token (the
  beginning-of-text token of a tokenizer that has another one), then has to predict the story and
  the end-of-text token after it.
- A story longer than the context slides through it by `stride` tokens. Every token is scored once:
  a later window scores only what no earlier one did, each token with at least `context - stride`
  others before it.
- Arithmetic is fp32, sums are float64, and the figures are quotients of sums over all stories, not
  means of means.
- bits per byte = nats / ln 2 / UTF-8 bytes of the stories. The nats of the end-of-text tokens are
  in it, their bytes are not.

Speed: the head is most of the arithmetic. It is computed in slices, so that all logits never exist
at once, and rows of it that are equal are computed once: n equal rows weigh exp(logit + ln n) in
the softmax. Our exports have tens of thousands of them: the ids that their corpus never used.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

SLICE_BYTES = 96 * 2**20  # of logits held at once; below this the matrix product loses speed
TEXTS_A_CALL = 1000  # stories handed to the tokenizer at once


@dataclass(frozen=True)
class Evaluation:
    """How well a model predicts a set of stories.

    Attributes:
        nats_per_token: mean of -ln p over all predicted tokens.
        perplexity: exp of that.
        bits_per_byte: comparable between tokenizers, which the two above are not.
        tokens: predicted tokens, the end of each story among them.
        bytes: UTF-8 bytes of the stories.
        stories: how many there were.
        context: tokens the model could look back on.
        stride: tokens by which long stories slid through it.
        seconds: time taken.
    """

    nats_per_token: float
    perplexity: float
    bits_per_byte: float
    tokens: int
    bytes: int
    stories: int
    context: int
    stride: int
    seconds: float

    def summary(self, file: str) -> dict[str, Any]:
        """What training.json keeps of it; `file` names the stories."""
        kept = asdict(self)
        del kept["seconds"]
        return {**kept, "file": file}


def evaluate(
    model: PreTrainedModel,
    stories: Iterable[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    stride: int | None = None,
    context: int | None = None,
    batch: int = 16,
    progress: bool = False,
) -> Evaluation:
    """Judges a model by stories it has not seen. All of them are held in memory, as token ids.

    Args:
        model: a causal language model in fp32; it is left in the mode it came in.
        stories: their text is judged as it stands; empty ones are passed over.
        tokenizer: the model's own.
        stride: tokens a long story slides by (default: half the context).
        context: tokens the model may look back on (default: as many as it can).
        batch: windows computed at once; it moves speed and memory, not the result.
        progress: show a bar on stderr.

    Raises:
        ValueError: no stories, a context or stride that does not fit, a model that is not in fp32,
            ids that it does not know.
    """
    began = time.perf_counter()
    context = _context(model, context)
    stride = max(1, context // 2) if stride is None else stride
    if not 1 <= stride <= context:
        raise ValueError(f"stride must be from 1 to the context of {context} tokens, not {stride}")
    if batch < 1:
        raise ValueError(f"batch must be 1 or more, not {batch}")
    if model.dtype != torch.float32:
        raise ValueError(f"a model is judged in fp32, and this one is in {model.dtype}")
    sequences, num_bytes = _encode(stories, tokenizer)
    if not sequences:
        raise ValueError("there are no stories to judge by")
    embedding: Any = model.get_input_embeddings()
    num_ids = embedding.weight.shape[0]
    largest = max(int(ids.max()) for ids in sequences)
    if largest >= num_ids:
        raise ValueError(f"the tokenizer gives the id {largest}, the model has only {num_ids} ids")

    windows = [
        (sequence, *window)
        for sequence, ids in enumerate(sequences)
        for window in slide(len(ids) - 1, context, stride)
    ]
    windows.sort(key=lambda window: window[1] - window[2])  # longest first: memory peaks at once
    num_tokens = sum(len(ids) - 1 for ids in sequences)
    training = model.training
    model.eval()
    total = 0.0
    with (
        torch.inference_mode(),
        torch.autocast(model.device.type, enabled=False),
        tqdm(
            total=num_tokens, desc="judging", unit=" tokens", unit_scale=True, disable=not progress
        ) as bar,
    ):
        head = Head.of(model)
        for first in range(0, len(windows), batch):
            nats = _nats(model, head, sequences, windows[first : first + batch])
            total += nats.double().sum().item()
            bar.update(len(nats))
    model.train(training)
    return Evaluation(
        nats_per_token=total / num_tokens,
        perplexity=math.exp(total / num_tokens),
        bits_per_byte=total / math.log(2) / num_bytes,
        tokens=num_tokens,
        bytes=num_bytes,
        stories=len(sequences),
        context=context,
        stride=stride,
        seconds=time.perf_counter() - began,
    )


def slide(length: int, context: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """Windows over `length` predictions: (start, end, first); those from first on are new in it."""
    scored = start = 0
    while scored < length:
        end = min(start + context, length)
        yield start, end, scored
        scored, start = end, start + stride


def _context(model: PreTrainedModel, wanted: int | None) -> int:
    """Tokens to look back on: those wanted, else all that the model can."""
    limit = getattr(model.config, "max_position_embeddings", wanted)
    if limit is None:
        raise ValueError("the model's config.json names no context length: choose a context")
    context = limit if wanted is None else wanted
    if not 1 <= context <= limit:
        raise ValueError(f"context must be from 1 to the model's {limit} tokens, not {context}")
    return context


def _encode(
    stories: Iterable[str], tokenizer: PreTrainedTokenizerBase
) -> tuple[list[np.ndarray], int]:
    """Each story as start token, ids, end-of-text token, (length + 2,) int32; the bytes of all."""
    texts = [story for story in stories if story.strip()]
    end = tokenizer.eos_token_id
    start = end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    sequences = []
    for first in range(0, len(texts), TEXTS_A_CALL):
        some = texts[first : first + TEXTS_A_CALL]
        for ids in tokenizer(some, add_special_tokens=False, verbose=False)["input_ids"]:
            sequences.append(np.array([start, *ids, end], dtype=np.int32))
    return sequences, sum(len(text.encode()) for text in texts)


@dataclass(frozen=True)
class Head:
    """An output layer without its repeated rows.

    Attributes:
        rows: (num_rows, hidden), all different.
        bias: (num_rows,) the layer's own bias plus ln of how many ids share the row.
        row_of_id: (vocabulary,).
        log_count: (num_rows,) that ln alone.
    """

    rows: torch.Tensor
    bias: torch.Tensor
    row_of_id: torch.Tensor
    log_count: torch.Tensor

    @classmethod
    def of(cls, model: PreTrainedModel) -> Head | None:
        """The head of a model; None where its logits are not plainly head(last hidden state).

        Some families scale or cap their logits, so eight tokens are tried both ways.
        """
        layer = model.get_output_embeddings()
        ids = torch.arange(8, device=model.device)[None] % layer.weight.shape[0]  # (1, 8)
        logits = model(input_ids=ids, use_cache=False).logits
        if not torch.allclose(layer(_hidden(model, ids)), logits, rtol=1e-4, atol=1e-4):
            return None
        bias = getattr(layer, "bias", None)
        table = layer.weight if bias is None else torch.cat([layer.weight, bias[:, None]], dim=1)
        rows, row_of_id, count = torch.unique(table, dim=0, return_inverse=True, return_counts=True)
        log_count = count.float().log()
        if bias is None:
            return cls(rows, log_count, row_of_id, log_count)
        return cls(rows[:, :-1].contiguous(), log_count + rows[:, -1], row_of_id, log_count)

    def nats(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """-ln p of each target, (n,) fp32, given the last hidden states, (n, hidden)."""
        slice_rows = max(1, SLICE_BYTES // (4 * len(self.rows)))
        logits = hidden.new_empty(slice_rows, len(self.rows))  # one memory for every slice
        found = []
        for first in range(0, len(hidden), slice_rows):
            some = hidden[first : first + slice_rows]
            part = torch.addmm(self.bias, some, self.rows.T, out=logits[: len(some)])
            wanted = self.row_of_id[targets[first : first + slice_rows]]
            chosen = part.gather(1, wanted[:, None])[:, 0] - self.log_count[wanted]
            peak = part.amax(dim=1, keepdim=True)
            found.append(part.sub_(peak).exp_().sum(dim=1).log_() + peak[:, 0] - chosen)
        return torch.cat(found)


def _hidden(model: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    """Last hidden states (batch, length, hidden) of ids (batch, length).

    Rows are padded on the right only, where a causal model cannot look: no mask is needed.
    """
    return model.base_model(input_ids=ids, use_cache=False).last_hidden_state


def _nats(
    model: PreTrainedModel,
    head: Head | None,
    sequences: list[np.ndarray],
    windows: list[tuple[int, int, int, int]],
) -> torch.Tensor:
    """-ln p of every token that is new in these windows, (n,) fp32."""
    width = max(end - start for _, start, end, _ in windows)
    inputs = np.zeros((len(windows), width), dtype=np.int64)
    new = np.zeros((len(windows), width), dtype=bool)
    for row, (sequence, start, end, first) in enumerate(windows):
        inputs[row, : end - start] = sequences[sequence][start:end]
        new[row, first - start : end - start] = True
    answers = [sequences[s][first + 1 : end + 1] for s, _, end, first in windows]
    targets = torch.from_numpy(np.concatenate(answers)).to(model.device, torch.int64)
    ids = torch.from_numpy(inputs).to(model.device)
    if head is not None:  # places by number: a boolean mask on a GPU waits to be counted
        places = torch.from_numpy(np.flatnonzero(new)).to(model.device)
        return head.nats(_hidden(model, ids).flatten(0, 1)[places], targets)
    nats = []  # one window's logits at a time: the vocabulary may be large
    for row, wanted in enumerate(targets.split(new.sum(axis=1).tolist())):
        places = torch.from_numpy(np.flatnonzero(new[row])).to(model.device)
        logits = model(input_ids=ids[row : row + 1], use_cache=False).logits[0, places]
        nats.append(torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="none"))
    return torch.cat(nats)
