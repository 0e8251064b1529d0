"""Show what a model computed before it chose a token of a story. It shows the computation; it does
not explain the choice.

Token p of a story was chosen from the last row of the text before it. So the attention shown is
that row's, a layer's prediction is the head applied to that row's state after the layer, and the
tokens that are deleted one at a time are those before p.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from playground.engine.batch import window_start
from playground.engine.engine import Busy, Engine
from playground.engine.stream import Stream
from playground.folder.families import family_of
from playground.inside.forward import Forward

TOP = 5  # tokens per layer
AT_ONCE = 8  # shortened texts in the engine at the same time
REMOVED_MAX = 128  # tokens that are deleted, the nearest ones
WORK_MAX = 5e11  # parameters times tokens of a pass: about twenty seconds of one core


class Pass(Protocol):
    """A forward pass that keeps its attention weights and hidden states."""

    def look(self, ids: list[int], row: int) -> tuple[np.ndarray, np.ndarray]:
        """Return attention (layers, heads, row + 1) of token `row` of a text, and the logits
        (layers + 1, vocabulary) of its states, both in fp32."""


class LayerPrediction(NamedTuple):
    """The prediction of one layer (logit lens).

    Attributes:
        likeliest: (token, probability) of the most likely tokens that have a row of the head of
            their own.
        unlearned: total probability of all other tokens. Tokens that are not in the training data
            share a row, which early layers often favour: the head does not fit their states.
        probability: of the chosen token.
        rank: of the chosen token, 0 for the most likely.
    """

    likeliest: list[tuple[str, float]]
    unlearned: float
    probability: float
    rank: int


@dataclass(frozen=True)
class Look:
    """What the model computed before it chose one token.

    Attributes:
        first: position in the story of the first token in the context window; -1 for the token
            before the story.
        attention: (layers, heads, tokens) of the tokens from `first` to the one before the choice.
        layers: predictions from the embeddings, then after each layer.
    """

    first: int
    attention: np.ndarray
    layers: list[LayerPrediction]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, with rounded numbers."""
        return {
            "first": self.first,
            "attention": [
                [[round(weight, 4) for weight in head] for head in layer]
                for layer in self.attention.tolist()
            ],
            "layers": [
                {
                    "likeliest": [[text, round(share, 4)] for text, share in layer.likeliest],
                    "unlearned": round(layer.unlearned, 4),
                    "probability": round(layer.probability, 6),
                    "rank": layer.rank,
                }
                for layer in self.layers
            ],
        }


class Inside:
    """Analyses the choices of one model."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._pass: Pass
        if family_of(engine.storyteller.config) is not None:
            self._pass = Forward(engine.storyteller)
            return
        from playground.inside.transformers_pass import TransformersPass
        from playground.model.transformers_decoder import TransformersDecoder

        assert isinstance(engine.decoder, TransformersDecoder)
        self._pass = TransformersPass(engine.decoder)

    def look(self, ids: list[int], position: int, *, work: float = math.inf) -> Look:
        """Return what the model computed before token `position` of a story, from 0.

        Raises:
            ValueError: the token does not exist, the pass takes more than `work` (parameters times
                tokens) or too much memory, or the model does not return its attention.
        """
        window, chosen, first = self._before(ids, position)
        parameters = self.engine.storyteller.facts.parameters
        if parameters * len(window) > work:
            raise ValueError(
                f"the model has {parameters:,} parameters: to look inside it after "
                f"{len(window):,} tokens takes too long here."
            )
        story = [self.engine.storyteller.bos_id, *ids]
        # The text goes on after the window, so that its cached states serve later tokens too.
        text = story[first : first + self.engine.context]
        attention, logits = self._pass.look(text, len(window) - 1)
        layers = [self._prediction(row, chosen) for row in logits]
        return Look(first - 1, attention, layers)

    def removals(
        self, ids: list[int], position: int, seconds: float = math.inf
    ) -> Generator[tuple[int, float], None, None]:
        """Yield the effect on token `position` of deleting each earlier token of its window, the
        nearest first, at most REMOVED_MAX: the position of the deleted token in the story, and the
        change of the log-probability in nats, negative if `position` became less likely.

        Later tokens move up. The engine scores the shortened texts beside the stories of others;
        they share prefixes in the KV cache. Ends early after `seconds`, or when the engine does
        not accept more stories.

        Raises:
            Busy: the engine does not accept any story.
        """
        window, chosen, first = self._before(ids, position)

        def score(before: list[int]) -> Stream:
            return self.engine.score_soon([chosen], after=before, begins=False, alternatives=0)

        until = time.monotonic() + seconds
        whole = log_probability(score(window))
        stays = (
            1 if first == 0 or len(window) == 1 else 0
        )  # the token before the story, or the only
        waiting = deque(reversed(range(max(stays, len(window) - REMOVED_MAX), len(window))))
        scored: deque[tuple[int, Stream]] = deque()
        try:
            while waiting or scored:
                while waiting and len(scored) < AT_ONCE:
                    index = waiting[0]
                    try:
                        stream = score(window[:index] + window[index + 1 :])
                    except Busy:
                        break
                    scored.append((waiting.popleft(), stream))
                if not scored or time.monotonic() > until:
                    return
                index, stream = scored.popleft()
                yield index + first - 1, log_probability(stream) - whole
        finally:
            for _, stream in scored:
                stream.close()

    def _before(self, ids: list[int], position: int) -> tuple[list[int], int, int]:
        """Return the context window before a token, the token, and the window's first position,
        counted from the token before the story."""
        if not 0 <= position < len(ids):
            raise ValueError(
                f"position must be a token of the story, from 0 to {len(ids) - 1}, not {position}."
                if ids
                else "the story is empty: write something first."
            )
        self.engine.check_ids(ids)
        story = [self.engine.storyteller.bos_id, *ids[:position]]
        first = window_start(self.engine.context, len(story))
        return story[first:], ids[position], first

    def _prediction(self, logits: np.ndarray, chosen: int) -> LayerPrediction:
        """Return the prediction of a layer, given its logits (vocabulary,)."""
        exact = logits.astype(np.float64)
        shares = np.exp(exact - np.logaddexp.reduce(exact))
        unique_of = self.engine.decoder.head.unique_of
        is_shared = (np.bincount(unique_of) > 1)[unique_of]
        own = np.where(is_shared, 0, shares)
        label = self.engine.storyteller.label
        return LayerPrediction(
            [(label(int(k)), float(own[k])) for k in np.argsort(-own, kind="stable")[:TOP]],
            float(shares[is_shared].sum()),
            float(shares[chosen]),
            int((exact > exact[chosen]).sum()),
        )


def log_probability(stream: Stream) -> float:
    """Wait for a stream that scores one token, and return its log-probability in nats."""
    with stream:
        return math.log(max(next(stream).probability, 1e-300))
