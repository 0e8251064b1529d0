"""States to tokens: what each story says next, with its record."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import numpy as np
import torch

from playground.engine.next_tokens import Candidate, NextTokens, bins_of_rest
from playground.engine.seam import Beginnings, is_finished
from playground.engine.stream import Sequence
from playground.model.candidates import (
    BEST,
    FEW,
    MANY,
    SLACK,
    Candidates,
    candidates_of,
    likeliest_rows,
)
from playground.model.cuda_graph import FixedBatch, Function
from playground.model.folder import ModelFolder
from playground.model.full_logits import full_rows, log_rests, rank
from playground.model.head import Head
from playground.model.torch_layers import send
from playground.sampling import TOP_K_MAX, choose, choose_among_all, penalise, uniform
from playground.stories.story import Alternative, Token

NOT_FINITE = "the model computed what is no number here: export it again, or open another one."
NOTHING = np.array([], dtype=np.int64)  # no id is banned


@dataclass
class Choice:
    """A next token on its way to its record.

    Attributes:
        draw: the number in [0, 1) that chooses; None if a person typed the token.
        candidates: the likeliest ids.
        banned: ids that it must not be.
        rest: what is known of all tokens but the likeliest, for a story that peeks.
        token_id: the next id; -1 until it is chosen.
        chosen_probability: its probability after the settings.
        rank: how many ids are likelier; None until it is known.
        logit: its exact one, from when the rank is known.
    """

    sequence: Sequence
    draw: float | None
    candidates: Candidates
    banned: np.ndarray
    rest: tuple[tuple[float, int], ...] = ()
    token_id: int = -1
    chosen_probability: float = 1.0
    rank: int | None = None
    logit: float = 0.0

    @property
    def is_finite(self) -> bool:
        """Whether the model computed numbers at all."""
        return math.isfinite(self.candidates.log_total) and math.isfinite(self.candidates.logits[0])

    def take(self, rank: int, chosen_probability: float = 1.0) -> None:
        """Choose one of the likeliest."""
        self.token_id, self.rank, self.chosen_probability = (
            int(self.candidates.ids[rank]),
            rank,
            chosen_probability,
        )
        self.logit = float(self.candidates.logits[rank])

    def take_id(self, token_id: int, chosen_probability: float = 1.0) -> bool:
        """Choose an id; whether it is one of the likeliest, so that all is known of it."""
        self.token_id, self.chosen_probability = token_id, chosen_probability
        found = np.flatnonzero(self.candidates.ids == token_id)
        if len(found):
            self.take(int(found[0]), chosen_probability)
        return len(found) > 0


class Sampler:
    """Chooses the next token of stories, or scores those that a person typed."""

    def __init__(self, storyteller: ModelFolder, head: Head, padding: torch.Tensor | None) -> None:
        """`padding` (rows, hidden) fixes the number of rows computed at once; see cuda_graph.py."""
        self.storyteller = storyteller
        self.head = head
        self._likeliest: dict[int, Function] = {}
        for count in (FEW, MANY):
            function = partial(self._likeliest_rows, count)
            self._likeliest[count] = function if padding is None else FixedBatch(function, padding)
        exact: Function = lambda states: (head.all_exact(states),)  # noqa: E731
        self._exact = exact if padding is None or not head.rounds else FixedBatch(exact, padding)
        self._labels = Labels(storyteller)
        self._spellings = lru_cache(10_000)(partial(spellings, storyteller))

    @cached_property
    def _beginnings(self) -> Beginnings:
        return Beginnings(self.storyteller.bytes_of_tokens(self.head.vocabulary))

    def sample(
        self, states: torch.Tensor, asked: list[tuple[Sequence, int, int | None]]
    ) -> Iterator[tuple[Sequence, Token | NextTokens | ValueError | None]]:
        """The next token of each story asked for, None for its end; what it could be for one that
        peeks; a ValueError for one whose numbers went wrong, which ends it and no other.

        Args:
            states: (rows, hidden).
            asked: a story, the row of its newest token, and the id that follows if a person typed
                it; else one is chosen and appended to the story's ids.
        """
        for many in (False, True):
            group = [one for one in asked if (one[0].settings.top_k > FEW - SLACK) == many]
            if not group:
                continue
            with torch.inference_mode():
                choices = self._choose(
                    pick(states, [row for _, row, _ in group]),
                    [(sequence, known) for sequence, _, known in group],
                    MANY if many else FEW,
                )
            for choice in choices:
                if not choice.is_finite:
                    yield choice.sequence, ValueError(NOT_FINITE)
                    continue
                if choice.sequence.peeks:
                    yield choice.sequence, self._next_tokens(choice)
                    continue
                ended = choice.draw is not None and self._append(choice)
                yield choice.sequence, None if ended else self._record(choice)

    def _likeliest_rows(self, count: int, states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The logits of states (rows, hidden), and their `count` likeliest unique rows."""
        logits = self.head.logits(states)
        return logits, *likeliest_rows(self.head, states, logits, count)

    def _choose(
        self, states: torch.Tensor, asked: list[tuple[Sequence, int | None]], count: int
    ) -> list[Choice]:
        """The next token of each row of states (rows, hidden), which its story's settings and its
        draw choose or a person typed.

        Most are found among the `count` likeliest ids, which is one wait for the device; what the
        others need is asked for all of them at once.
        """
        logits, *likeliest = self._likeliest[count](states)
        choices, others = [], []
        candidates = candidates_of(self.head, likeliest)
        for (sequence, known), its in zip(asked, candidates, strict=True):
            if known is None:
                draw = uniform(sequence.settings.seed, sequence.position)
                choices.append(Choice(sequence, draw, its, self._banned(sequence)))
            else:
                choices.append(Choice(sequence, None, its, NOTHING, token_id=known))
        rests = self._log_rests(choices, states, logits)
        for index, choice in enumerate(choices):
            if not choice.is_finite:
                continue
            chosen = self._choose_among_candidates(choice, rests.get(index, -math.inf))
            if not chosen or choice.sequence.peeks:
                others.append(index)
        if others:
            rest = [choices[index] for index in others]
            self._choose_with_all_logits(rest, pick(states, others), pick(logits, others))
        return choices

    def _exact_rows(
        self, states: torch.Tensor, logits: torch.Tensor, rows: list[int]
    ) -> torch.Tensor:
        """Some rows of logits (all rows, unique), without the head's rounding."""
        return self._exact(pick(states, rows))[0] if self.head.rounds else pick(logits, rows)

    def _log_rests(
        self, choices: list[Choice], states: torch.Tensor, logits: torch.Tensor
    ) -> dict[int, float]:
        """`log_rests` of the rows of states (rows, hidden) and logits (rows, unique) that draw from
        all ids, by row."""
        rows = [
            index
            for index, choice in enumerate(choices)
            if choice.draw is not None
            and choice.is_finite
            and choice.sequence.settings.temperature
            and not choice.sequence.settings.top_k
        ]
        if not rows:
            return {}
        temperatures = [choices[index].sequence.settings.temperature for index in rows]
        ids = [choices[index].candidates.ids[:-SLACK] for index in rows]
        exact = self._exact_rows(states, logits, rows)
        return dict(zip(rows, log_rests(self.head, ids, exact, temperatures), strict=True))

    def _choose_among_candidates(self, choice: Choice, log_rest: float) -> bool:
        """Choose among the likeliest, if that is where the choice lies. `log_rest` is that of all
        other ids, -inf if they are not drawn from."""
        settings = choice.sequence.settings
        if choice.draw is None:
            return choice.take_id(choice.token_id)
        if settings.repetition_penalty != 1 or len(choice.banned):
            return False
        # Which ids are the last of the candidates may be due to the head's rounding.
        logits = choice.candidates.logits
        chosen = choose(
            logits if settings.top_k else logits[:-SLACK], log_rest, settings, choice.draw
        )
        if chosen is not None:
            choice.take(*chosen)
        return chosen is not None

    def _choose_with_all_logits(
        self, choices: list[Choice], states: torch.Tensor, logits: torch.Tensor
    ) -> None:
        """Choose among all ids, from states (choices, hidden) and logits (choices, unique)."""
        drawn = [row for row, choice in enumerate(choices) if choice.draw is not None]
        if drawn and self.head.rounds:
            logits = logits.index_copy(
                0, send(np.array(drawn), logits.device), self._exact_rows(states, logits, drawn)
            )
        full = full_rows(self.head, [choice.candidates for choice in choices], states, logits)
        for choice, row in zip(choices, full, strict=True):
            if choice.sequence.peeks:
                choice.rest = bins_of_rest(row.logits, choice.candidates.ids)
            elif choice.draw is not None:
                self._choose_among_all(choice, row.logits.copy())
            if choice.rank is None:
                logit = choice.logit = self.head.exact_logit(row.state, choice.token_id)
                choice.rank = rank(self.head, choice.candidates, row, choice.token_id, logit)

    def _choose_among_all(self, choice: Choice, logits: np.ndarray) -> None:
        """Choose from logits (vocabulary,), which are changed as the settings say."""
        sequence, settings = choice.sequence, choice.sequence.settings
        if sequence.word and self._keep_word(choice, logits):
            return
        if settings.repetition_penalty != 1:
            penalise(logits, sequence.ids[sequence.first :], settings.repetition_penalty)
        logits[choice.banned] = -np.inf
        choice.take_id(*choose_among_all(logits, settings, choice.draw or 0.0))

    def _keep_word(self, choice: Choice, logits: np.ndarray) -> bool:
        """Whether the word that a person typed last is finished, from logits (vocabulary,). It then
        stays typed: its first token is this choice, and the others have their records later."""
        sequence, word = choice.sequence, choice.sequence.word
        sequence.word = ()
        if not is_finished(logits, word[0], self._beginnings.longer_than(sequence.begins_with)):
            return False
        sequence.begins_with = b""
        sequence.ids += word
        if sequence.position:  # a beginning is no part of what is drawn
            sequence.position += len(word)
        choice.draw = None
        choice.take_id(word[0])
        return True

    def _append(self, choice: Choice) -> bool:
        """Append a token that was chosen to its story; whether it ends there instead."""
        sequence = choice.sequence
        if sequence.begins_with:
            spelt = len(self.storyteller.token_bytes(choice.token_id))
            sequence.begins_with = sequence.begins_with[spelt:]
        sequence.must_go_on = False
        sequence.position += 1
        sequence.count -= not sequence.begins_with  # what was typed is written to its end
        if choice.token_id in self.storyteller.ends and sequence.settings.stop_at_end:
            return True
        sequence.ids.append(choice.token_id)
        return False

    def _record(self, choice: Choice) -> Token:
        """What there is to say about a token."""
        sequence = choice.sequence
        candidates = choice.candidates
        others = candidates.ids[:BEST].tolist()
        labels = map(self._labels.__getitem__, others)
        assert choice.rank is not None
        return Token(
            token_id=choice.token_id,
            text=sequence.letters.add(choice.token_id),
            draw=choice.draw,
            probability=math.exp(min(choice.logit - candidates.log_total, 0.0)),
            chosen_probability=min(choice.chosen_probability, 1.0),
            rank=choice.rank,
            entropy=candidates.entropy,
            alternatives=tuple(map(Alternative, others, labels, candidates.probabilities)),
        )

    def _next_tokens(self, choice: Choice) -> NextTokens:
        """What could follow, and the record of the token that was asked for."""
        candidates = choice.candidates
        ids = candidates.ids[:TOP_K_MAX].tolist()
        # What top-k leaves out of the candidates belongs to the others.
        rest = [(logit, 1) for logit in candidates.logits[TOP_K_MAX:].tolist()]
        return NextTokens(
            candidates=tuple(
                map(Candidate, ids, map(self._labels.__getitem__, ids), candidates.logits.tolist())
            ),
            rest=(*rest, *choice.rest),
            log_total=candidates.log_total,
            entropy=candidates.entropy,
            token=self._record(choice) if choice.draw is None else None,
        )

    def _banned(self, sequence: Sequence) -> np.ndarray:
        """Ids that must not come now: those that would complete a banned word, those that the model
        folder suppresses, and at a seam those that do not go on as a person began."""
        found = list(self.storyteller.suppressed)
        if not sequence.position:
            found += self.storyteller.suppressed_at_first
        if sequence.must_go_on:
            found += [one for one in self.storyteller.ends if one < self.head.vocabulary]
        for word in sequence.settings.banned_words:
            for ids in self._spellings(word):
                before = ids[:-1]
                if not before or sequence.ids[-len(before) :] == before:
                    found.append(ids[-1])
        banned = np.array(found, dtype=np.int64) if found else NOTHING
        if not sequence.begins_with:
            return banned
        return np.union1d(banned, self._beginnings.not_spelling(sequence.begins_with))


class Labels(dict[int, str]):
    """What stands for a token among the alternatives, looked up once."""

    def __init__(self, storyteller: ModelFolder) -> None:
        super().__init__()
        self._storyteller = storyteller

    def __missing__(self, token_id: int) -> str:
        label = self[token_id] = self._storyteller.label(token_id)
        return label


def pick(values: torch.Tensor, rows: list[int]) -> torch.Tensor:
    """Some rows, in rising order; mostly neighbours, which are a slice and need no copy."""
    if rows == list(range(rows[0], rows[-1] + 1)):
        return values[rows[0] : rows[-1] + 1]
    return values.index_select(0, send(np.array(rows), values.device))


def spellings(storyteller: ModelFolder, word: str) -> list[list[int]]:
    """The token sequences of a word: in three cases, with and without a space before it."""
    cases = sorted({word, word.lower(), word.capitalize()})
    found = [
        tuple(storyteller.encode(space + case, begins=begins))
        for case in cases
        for space in ("", " ")
        for begins in (True, False)
    ]
    return [list(ids) for ids in dict.fromkeys(found) if ids]
