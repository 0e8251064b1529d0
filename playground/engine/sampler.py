"""States to tokens: what each story says next, with its record."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache, partial

import numpy as np
import torch

from playground.engine.stream import Work
from playground.model.candidates import BEST, FEW, MANY, SLACK, Candidates, candidates, sums, weigh
from playground.model.cuda_graph import Function, Graph
from playground.model.folder import Storyteller
from playground.model.head import Head
from playground.sampling import choose, choose_among_all, dice, penalise
from playground.stories.story import Alternative, Token


class Teller:
    """Chooses the next token of stories, or judges those that a person typed."""

    def __init__(self, storyteller: Storyteller, head: Head, idle: torch.Tensor | None) -> None:
        """`idle` (rows, hidden) fixes the number of rows weighed at once; see cuda_graph.py."""
        self.storyteller = storyteller
        self.head = head
        self._near: dict[int, Function] = {}
        for count in (FEW, MANY):
            near = partial(self._weigh, count)
            self._near[count] = near if idle is None else Graph(near, idle)
        self._labels = Labels(storyteller)
        self._spellings = lru_cache(10_000)(partial(spellings, storyteller))

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
            with torch.inference_mode():
                first, last = rows[0], rows[-1] + 1
                # Mostly neighbours: a slice, where a list of rows would be copied to the device.
                together = last - first == len(rows) and rows == list(range(first, last))
                chosen = states[first:last] if together else states[rows]
                logits, *weighed = self._near[MANY if many else FEW](chosen)
            found = candidates(self.head, weighed)
            rests = self._log_rests(group, found, logits)
            for index, (work, _, known) in enumerate(group):
                row = Row(self.head, found[index], chosen[index], logits[index])
                if known is not None:
                    yield work, self._record(work, known, row)
                    continue
                roll = dice(work.settings.seed, work.position)
                token_id, chance, rank = self._choose(work, roll, row, rests.get(index, -np.inf))
                work.position += 1
                work.count -= 1
                if token_id == self.storyteller.end and work.settings.stop_at_end:
                    yield work, None
                else:
                    work.ids.append(token_id)
                    yield work, self._record(work, token_id, row, roll, chance, rank)

    def _weigh(self, count: int, states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The logits of states (rows, hidden), and their `count` likeliest slots."""
        logits = self.head.logits(states)
        return logits, *weigh(self.head, states, logits, count)

    def _log_rests(
        self,
        group: list[tuple[Work, int, int | None]],
        found: list[Candidates],
        logits: torch.Tensor,
    ) -> dict[int, float]:
        """`log_rests` of the rows of logits (rows, slots) that draw from all ids, by index in the
        group; one wait for the device, however many they are."""
        rows = [
            index
            for index, (work, _, known) in enumerate(group)
            if known is None and work.settings.temperature and not work.settings.top_k
        ]
        if not rows:
            return {}
        temperatures = [group[index][0].settings.temperature for index in rows]
        ids = [found[index].ids for index in rows]
        return dict(zip(rows, log_rests(self.head, ids, logits[rows], temperatures), strict=True))

    def _choose(
        self, work: Work, roll: float, row: Row, log_rest: float
    ) -> tuple[int, float, int | None]:
        """The id that the settings and the dice choose, its probability after the settings, and its
        rank if that is known. `log_rest` is that of all ids but the candidates, -inf if they are
        not drawn from."""
        settings = work.settings
        banned = self._banned(work)
        if settings.repetition_penalty == 1 and not banned:
            found = choose(row.near.logits, log_rest, settings, roll)
            if found is not None:
                return int(row.near.ids[found[0]]), found[1], found[0]
        logits = row.all_logits()
        if settings.repetition_penalty != 1:
            penalise(logits, work.ids[work.first :], settings.repetition_penalty)
        logits[banned] = -np.inf
        return *choose_among_all(logits, settings, roll), None

    def _record(
        self,
        work: Work,
        token_id: int,
        row: Row,
        roll: float | None = None,
        chance: float = 1.0,
        rank: int | None = None,
    ) -> Token:
        """What there is to say about a token."""
        near = row.near
        rank = row.rank(token_id) if rank is None else rank
        value = near.logits[rank] if rank < len(near.ids) else row.logit(token_id)
        others = near.ids[:BEST].tolist()
        return Token(
            token_id=token_id,
            text=work.letters.add(self.storyteller.piece(token_id)),
            dice=roll,
            probability=math.exp(min(value - near.log_total, 0.0)),
            chosen_probability=min(chance, 1.0),
            rank=rank,
            entropy=near.entropy,
            alternatives=tuple(
                map(Alternative, others, map(self._labels.__getitem__, others), near.shares)
            ),
        )

    def _banned(self, work: Work) -> list[int]:
        """Ids that would complete a banned word now."""
        found = []
        for word in work.settings.banned_words:
            for ids in self._spellings(word):
                before = ids[:-1]
                if not before or work.ids[-len(before) :] == before:
                    found.append(ids[-1])
        return found


class Labels(dict[int, str]):
    """What stands for a token among the alternatives, looked up once."""

    def __init__(self, storyteller: Storyteller) -> None:
        super().__init__()
        self._storyteller = storyteller

    def __missing__(self, token_id: int) -> str:
        label = self[token_id] = self._storyteller.label(token_id)
        return label


class Row:
    """What the model says about one next token."""

    def __init__(
        self, head: Head, near: Candidates, state: torch.Tensor, logits: torch.Tensor
    ) -> None:
        self.near = near
        self._head = head
        self._state = state  # (hidden,)
        self._logits = logits  # (slots,), with the head's rounding

    def all_logits(self) -> np.ndarray:
        """(vocabulary,) float64, the candidates' exact ones among them."""
        found = self._logits.double().cpu().numpy()[self._head.slot_of]
        found[self.near.ids] = self.near.logits
        return np.asarray(found)

    def logit(self, token_id: int) -> float:
        """The exact logit of one id."""
        slot = torch.tensor([[int(self._head.slot_of[token_id])]], device=self._state.device)
        return float(self._head.exact(self._state[None], slot))

    def rank(self, token_id: int) -> int:
        """How many ids come before this one."""
        places = np.flatnonzero(self.near.ids == token_id)
        if len(places):
            return int(places[0])
        everything, value = self.all_logits(), self.logit(token_id)
        everything[self._head.slot_of == self._head.slot_of[token_id]] = value
        before = int((everything > value).sum() + (everything[:token_id] == value).sum())
        return max(before, len(self.near.ids))


def log_rests(
    head: Head, ids: list[np.ndarray], logits: torch.Tensor, temperatures: list[float]
) -> list[float]:
    """Of each row of logits (rows, slots), the log of the sum of exp(logit / temperature) over all
    ids but its candidates `ids`; -inf where there are no others."""
    device = logits.device
    slots = [head.slot_of[row] for row in ids]
    width = max(map(len, slots))
    taken = np.zeros((len(slots), width), dtype=np.float32)  # 1 for a candidate, 0 for filling
    places = np.zeros((len(slots), width), dtype=np.int64)
    for number, row in enumerate(slots):
        taken[number, : len(row)], places[number, : len(row)] = 1, row
    counts = head.counts.repeat(len(slots), 1)
    counts.scatter_add_(1, torch.from_numpy(places).to(device), torch.from_numpy(-taken).to(device))
    scaled = logits / torch.tensor(temperatures, device=device)[:, None]
    peak = scaled.amax(1, keepdim=True)
    total = sums(((scaled - peak).exp_() * counts).double())
    found = torch.stack([peak[:, 0].double(), total]).cpu().numpy()
    return [
        float(top) + float(np.log(rest)) if rest > 0 else -math.inf
        for top, rest in zip(*found, strict=True)
    ]


def spellings(storyteller: Storyteller, word: str) -> list[list[int]]:
    """The token sequences of a word: in three cases, with and without a space before it."""
    cases = sorted({word, word.lower(), word.capitalize()})
    return [storyteller.encode(space + case) for case in cases for space in ("", " ")]
