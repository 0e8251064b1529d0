"""Compute the probabilities of true tokens with a model's output layer.

This is most of the arithmetic of an evaluation. So logits are computed in slices, never all at
once, and equal rows of the layer are computed once: n equal rows weigh exp(logit + ln n) in the
softmax. Our exports have tens of thousands of equal rows: the ids that their corpus never used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from trainer.model.build import last_hidden

SLICE_BYTES = 96 * 2**20  # of logits held at once; below this the matrix product loses speed


class Scored(NamedTuple):
    """A model's scores of n true tokens.

    Attributes:
        nats: -ln p of each, (n,) fp32.
        confidence: p of the likeliest token in that position, (n,) fp32.
        correct: whether the likeliest token is the true token, (n,) bool.
    """

    nats: torch.Tensor
    confidence: torch.Tensor
    correct: torch.Tensor

    @classmethod
    def join(cls, parts: list[Scored]) -> Scored:
        """Return the scores of several parts as one."""
        return cls(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Head:
    """An output layer without its repeated rows.

    Attributes:
        rows: (num_rows, hidden), all different.
        bias: (num_rows,) the layer's own bias plus `log_count`.
        row_of_id: (vocabulary,).
        log_count: (num_rows,) ln of the number of ids with that row.
    """

    rows: torch.Tensor
    bias: torch.Tensor
    row_of_id: torch.Tensor
    log_count: torch.Tensor

    @classmethod
    def of(cls, model: PreTrainedModel) -> Head | None:
        """Return the head of a model; None if its logits are not simply head(last hidden state).

        Some families scale or cap their logits, so eight tokens are compared.
        """
        layer = model.get_output_embeddings()
        ids = torch.arange(8, device=model.device)[None] % layer.weight.shape[0]  # (1, 8)
        logits = model(input_ids=ids, use_cache=False).logits
        if not torch.allclose(layer(last_hidden(model, ids)), logits, rtol=1e-4, atol=1e-4):
            return None
        bias = getattr(layer, "bias", None)
        table = layer.weight if bias is None else torch.cat([layer.weight, bias[:, None]], dim=1)
        rows, row_of_id, count = torch.unique(table, dim=0, return_inverse=True, return_counts=True)
        log_count = count.float().log()
        if bias is None:
            return cls(rows, log_count, row_of_id, log_count)
        return cls(rows[:, :-1].contiguous(), log_count + rows[:, -1], row_of_id, log_count)

    def score(self, hidden: torch.Tensor, targets: torch.Tensor) -> Scored:
        """Score the true tokens `targets`, (n,), by the last hidden states before them, (n,
        hidden)."""
        slice_rows = max(1, SLICE_BYTES // (4 * len(self.rows)))
        buffer = hidden.new_empty(slice_rows, len(self.rows))  # the same memory for every slice
        return Scored.join(
            [
                self._score(states, true, buffer)
                for states, true in zip(
                    hidden.split(slice_rows), targets.split(slice_rows), strict=True
                )
            ]
        )

    def _score(self, hidden: torch.Tensor, targets: torch.Tensor, buffer: torch.Tensor) -> Scored:
        """Score one slice; `buffer` (slice_rows, num_rows) is overwritten."""
        logits = torch.addmm(self.bias, hidden, self.rows.T, out=buffer[: len(hidden)])
        true_rows = self.row_of_id[targets]  # (n,)
        logit = logits.gather(1, true_rows[:, None])[:, 0] - self.log_count[true_rows]
        peak, row = logits.max(dim=1)
        best = peak.clone()
        # The peak may be a row of many ids, with the logit of all of them together.
        several = torch.nonzero(self.log_count[row] > 0)[:, 0]
        if len(several):
            best[several], row[several] = (logits[several] - self.log_count).max(dim=1)
        total = logits.sub_(peak[:, None]).exp_().sum(dim=1).log_() + peak
        correct = (row == true_rows) & (self.log_count[row] == 0)
        return Scored(total - logit, (best - total).exp(), correct)


def score_logits(logits: torch.Tensor, targets: torch.Tensor) -> Scored:
    """Score the true tokens `targets`, (n,), by whole logits, (n, vocabulary)."""
    logs = logits.float().log_softmax(dim=1)
    best, token = logs.max(dim=1)
    return Scored(-logs.gather(1, targets[:, None])[:, 0], best.exp(), token == targets)
