"""States to tokens: what each story says next, with its record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from playground.candidates import FEW, MANY, SLACK, Candidates, candidates
from playground.network import Network
from playground.sampling import choose, choose_among_all, dice, penalise
from playground.stories.story import Alternative, Token
from playground.storyteller import Storyteller

if TYPE_CHECKING:
    from playground.decoding import Work

ALTERNATIVES = 10


class Teller:
    """Chooses the next token of stories, or judges those that a person typed."""

    def __init__(self, storyteller: Storyteller, network: Network) -> None:
        self.storyteller = storyteller
        self.network = network
        self._labels: dict[int, str] = {}

    def tell(
        self, states: torch.Tensor, asked: list[tuple[Work, int, int | None]]
    ) -> Iterator[tuple[Work, Token | None]]:
        """The next token of each story asked for, None for its end.

        Args:
            states: (rows, hidden).
            asked: a story, the row of its newest token, and the id that follows if a person typed
                it; else one is chosen and appended to the story's ids.
        """
        for many in (False, True):
            group = [one for one in asked if (one[0].settings.top_k > FEW - SLACK) == many]
            if not group:
                continue
            rows = [row for _, row, _ in group]
            if len(rows) == 1:
                rows = rows * 2  # sums over a lone row have another order
            chosen = states[torch.tensor(rows, device=states.device)]
            logits = self.network.logits(chosen)
            near = candidates(logits, chosen, self.network.exact, MANY if many else FEW)
            for index, (work, _, known) in enumerate(group):
                yield work, self._token(work, index, known, near, logits)

    def _token(
        self, work: Work, index: int, known: int | None, near: Candidates, logits: torch.Tensor
    ) -> Token | None:
        """The token of one story and its record."""
        ids, values = near.ids[index], near.logits[index]
        log_total = float(near.log_total[index])
        roll = None
        chance = 1.0
        if known is None:
            roll = dice(work.settings.seed, work.position)
            token_id, chance = self._choose(work, roll, index, near, logits)
            work.position += 1
            work.count -= 1
            if token_id == self.storyteller.end and work.settings.stop_at_end:
                return None
            work.ids.append(token_id)
        else:
            token_id = known
        place = np.flatnonzero(ids == token_id)
        if len(place):
            rank, value = int(place[0]), float(values[place[0]])
        else:
            row = everything(logits, index, near, self.network.vocabulary)
            value = float(row[token_id])
            rank = int((row > value).sum() + (row[:token_id] == value).sum())
        shares = np.exp(np.minimum(values[:ALTERNATIVES] - log_total, 0.0)).tolist()
        return Token(
            token_id=token_id,
            text=work.letters.add(self.storyteller.piece(token_id)),
            dice=roll,
            probability=float(np.exp(min(value - log_total, 0.0))),
            chosen_probability=min(chance, 1.0),
            rank=rank,
            entropy=max(0.0, float(near.entropy[index])),
            alternatives=tuple(
                Alternative(other, self._label(other), share)
                for other, share in zip(ids[:ALTERNATIVES].tolist(), shares, strict=True)
            ),
        )

    def _choose(
        self, work: Work, roll: float, index: int, near: Candidates, logits: torch.Tensor
    ) -> tuple[int, float]:
        """The id that the settings and the dice choose, and its probability after the settings."""
        settings = work.settings
        banned = self._banned(work)
        if settings.repetition_penalty == 1 and not banned:
            log_rest = -np.inf
            if settings.temperature and not settings.top_k:
                log_rest = rest(logits[index], near.ids[index], settings.temperature)
            found = choose(near.logits[index], log_rest, settings, roll)
            if found is not None:
                return int(near.ids[index][found[0]]), found[1]
        row = everything(logits, index, near, self.network.vocabulary)
        if settings.repetition_penalty != 1:
            penalise(row, work.ids[work.first :], settings.repetition_penalty)
        if banned:
            row[banned] = -np.inf
        return choose_among_all(row, settings, roll)

    def _banned(self, work: Work) -> list[int]:
        """Ids that would complete a banned word now."""
        found = []
        for word in work.settings.banned_words:
            for ids in self._spellings(word):
                before = ids[:-1]
                if not before or work.ids[-len(before) :] == before:
                    found.append(ids[-1])
        return found

    def _spellings(self, word: str) -> list[list[int]]:
        """The token sequences of a word: in three cases, with and without a space before it."""
        cases = {word, word.lower(), word.capitalize()}
        return [
            self.storyteller.encode(space + case) for case in sorted(cases) for space in ("", " ")
        ]

    def _label(self, token_id: int) -> str:
        """What stands for a token among the alternatives."""
        if token_id not in self._labels:
            self._labels[token_id] = self.storyteller.label(token_id)
        return self._labels[token_id]


def everything(logits: torch.Tensor, index: int, near: Candidates, size: int) -> np.ndarray:
    """One row of logits (size,) float64, the candidates' exact ones among them."""
    row = logits[index, :size].double().cpu().numpy()
    row[near.ids[index]] = near.logits[index]
    return row


def rest(logits: torch.Tensor, ids: np.ndarray, temperature: float) -> float:
    """Log of the sum of exp(logit / temperature) over all but some ids of a row."""
    others = logits.double() / temperature
    others[torch.from_numpy(ids).to(logits.device)] = -torch.inf
    return float(others.logsumexp(0))
