"""The distribution of the next token: the likeliest tokens with their logits, and bins of all
others, from which a browser computes the effect of any temperature, top-k, top-p and min-p."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from playground.core.library import Answer, Head
from playground.sampling import TOP_K_MAX
from playground.stories.story import Token

REST_WIDTH = 0.25  # of a bin of the other tokens' logits: their sum is off by 1 % at most


class Candidate(NamedTuple):
    """A token that could come next."""

    token_id: int
    text: str
    logit: float  # the model's own
    raised: float  # after words to use


@dataclass(frozen=True)
class NextTokens:
    """The distribution of the next token.

    Attributes:
        candidates: the likeliest, from the likeliest down, as words to use raise them.
        rest: (logit, number of tokens) of all others, in bins.
        log_total: log of the sum of exp(logit) over all tokens.
        entropy: in nats.
        token: the record of the token that was asked for, if one was.
    """

    candidates: tuple[Candidate, ...]
    rest: tuple[tuple[float, int], ...]
    log_total: float
    entropy: float
    token: Token | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values, with numbers rounded for sending."""
        token = self.token and {
            "token_id": self.token.token_id,
            "probability": self.token.probability,
            "rank": self.token.rank,
        }
        return {
            "candidates": [
                [each.token_id, each.text, round(each.logit, 5), round(each.raised, 5)]
                for each in self.candidates
            ],
            "rest": [[round(logit, 4), count] for logit, count in self.rest],
            "log_total": self.log_total,
            "entropy": self.entropy,
            "token": token,
        }


def next_tokens(
    head: Head,
    logits: np.ndarray,
    question: np.ndarray,
    answer: Answer,
    labels: Mapping[int, str],
    token: Token | None,
) -> NextTokens:
    """Return the distribution of logits (unique,). `answer`: the core's answer to the question;
    `token`: the record of the token that was asked for."""
    ids, raised = head.ranking(logits, question)
    near = ids[:TOP_K_MAX]
    own, texts = logits[head.unique_of[near]], map(labels.__getitem__, near.tolist())
    return NextTokens(
        candidates=tuple(map(Candidate, near.tolist(), texts, own.tolist(), raised.tolist())),
        rest=bins_of(raised[TOP_K_MAX:]),
        log_total=answer.log_total,
        entropy=answer.entropy,
        token=token,
    )


def bins_of(logits: np.ndarray) -> tuple[tuple[float, int], ...]:
    """Return `NextTokens.rest` of the logits (n,) of tokens that are not candidates."""
    others = logits[np.isfinite(logits)]
    bins, counts = np.unique(np.floor(others / REST_WIDTH), return_counts=True)
    return tuple(
        ((bin + 0.5) * REST_WIDTH, count)
        for bin, count in zip(bins.tolist(), counts.tolist(), strict=True)
    )
