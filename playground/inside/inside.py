"""What a model computed before it chose a token of a story, put together: a picture of the
computation, not an explanation of the choice.

Token number p of a story was chosen from the last row of the text before it. So the attention shown
is that row's, what a layer would have said is what the head makes of that row's state in it, and
the tokens that are removed one at a time are those before p.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from playground.engine.batch import window_start
from playground.engine.engine import Engine
from playground.folder.families import family_of
from playground.inside.forward import Forward
from playground.inside.removal import Removal, removals

TOP = 5  # tokens of each layer
WORK_MAX = 5e11  # parameters times tokens of a pass: about twenty seconds of one core


class Pass(Protocol):
    """A forward pass that keeps its attention weights and hidden states."""

    def look(self, ids: list[int], row: int) -> tuple[np.ndarray, np.ndarray]:
        """Attention (layers, heads, row + 1) of token `row` of a text, and the logits
        (layers + 1, vocabulary) that the head makes of its states, both in fp32."""


class Said(NamedTuple):
    """The prediction of one layer (logit lens).

    Attributes:
        likeliest: (token, probability) of its likeliest tokens, among those with a row of the head
            to themselves.
        unlearned: probability of all others together. Tokens that the training data lacks share a
            row, and early layers, which the head does not fit, often point there.
        probability: of the token that was chosen.
        rank: of that token, 0 for the likeliest.
    """

    likeliest: list[tuple[str, float]]
    unlearned: float
    probability: float
    rank: int


@dataclass(frozen=True)
class Look:
    """The result of looking at the choice of one token.

    Attributes:
        first: position in the story of the oldest token that the model saw; -1 where that is the
            token before the story.
        attention: (layers, heads, tokens) of the tokens from `first` to the one before the choice.
        layers: what each would have said: the embeddings, then each layer.
    """

    first: int
    attention: np.ndarray
    layers: list[Said]

    def to_json(self) -> dict[str, Any]:
        """As plain values, numbers short enough to travel."""
        return {
            "first": self.first,
            "attention": [
                [[round(weight, 4) for weight in head] for head in layer]
                for layer in self.attention.tolist()
            ],
            "layers": [
                {
                    "likeliest": [[text, round(share, 4)] for text, share in said.likeliest],
                    "unlearned": round(said.unlearned, 4),
                    "probability": round(said.probability, 6),
                    "rank": said.rank,
                }
                for said in self.layers
            ],
        }


class Inside:
    """Looks into one model."""

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
        """What the model computed before token `position` of a story, from 0.

        Raises:
            ValueError: there is no such token, the pass takes more `work` than that (parameters
                times tokens) or more memory than there is, or the model cannot be looked into.
        """
        window, chosen, first = self._before(ids, position)
        parameters = self.engine.storyteller.facts.parameters
        if parameters * len(window) > work:
            raise ValueError(
                f"the model has {parameters:,} parameters: to look inside it after "
                f"{len(window):,} tokens takes too long here."
            )
        story = [self.engine.storyteller.start, *ids]
        whole = story[first : first + self.engine.context]  # its states serve later choices too
        attention, logits = self._pass.look(whole, len(window) - 1)
        layers = [self._said(row, chosen) for row in logits]
        return Look(first - 1, attention, layers)

    def removals(
        self, ids: list[int], position: int, seconds: float = math.inf
    ) -> Generator[Removal, None, None]:
        """What removing each earlier token does to token `position`; see `removal.removals`. The
        positions are those in the story."""
        window, chosen, first = self._before(ids, position)
        oldest = 1 if first == 0 else 0  # the token before the story stays
        with closing(removals(self.engine, window, chosen, oldest, seconds)) as found:
            for index, change in found:
                yield Removal(index + first - 1, change)

    def _before(self, ids: list[int], position: int) -> tuple[list[int], int, int]:
        """What the model saw before a token, the token, and where in the story with the token
        before it the first one lies."""
        if not 0 <= position < len(ids):
            raise ValueError(
                f"position must be a token of the story, from 0 to {len(ids) - 1}, not {position}."
                if ids
                else "there is no token to look at: write something first."
            )
        self.engine.check_ids(ids)
        story = [self.engine.storyteller.start, *ids[:position]]
        first = window_start(self.engine.context, len(story))
        return story[first:], ids[position], first

    def _said(self, logits: np.ndarray, chosen: int) -> Said:
        """Return the prediction of a layer, given its logits (vocabulary,)."""
        exact = logits.astype(np.float64)
        shares = np.exp(exact - np.logaddexp.reduce(exact))
        unique_of = self.engine.decoder.head.unique_of
        is_shared = (np.bincount(unique_of) > 1)[unique_of]
        own = np.where(is_shared, 0, shares)
        label = self.engine.storyteller.label
        return Said(
            [(label(int(k)), float(own[k])) for k in np.argsort(-own, kind="stable")[:TOP]],
            float(shares[is_shared].sum()),
            float(shares[chosen]),
            int((exact > exact[chosen]).sum()),
        )
