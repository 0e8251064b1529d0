"""The questions about each story's next token, and the records made of the core's answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache, partial
from typing import NamedTuple

import numpy as np

from playground.core.library import NOTHING_LEFT, QUESTION, SETTINGS, Answer, Chunk, uniform
from playground.engine.characters import LONGEST, Characters, begun
from playground.engine.next_tokens import NextTokens, next_tokens
from playground.engine.stream import Sequence
from playground.engine.token_healing import Beginnings, is_finished
from playground.engine.words import PATIENCE, Spellings, WordsToUse
from playground.folder.model_folder import ModelFolder
from playground.model.decoder import Decoder
from playground.sampling import NUMBERED, Settings
from playground.stories.story import Alternative, Token

NOT_FINITE = "the model computed NaN or infinity here: export it again, or open another one."
NOTHING_MAY_COME = "no token may come next: take some words off banned_words."
NOTHING = np.array([], dtype=np.int32)
Outcome = Token | NextTokens | ValueError | None


class Ask(NamedTuple):
    """A question about a story's next token: the story, and the token's id if a person typed it."""

    sequence: Sequence
    typed: int | None


class Sampler:
    """Chooses the next tokens of stories, or scores tokens that a person typed."""

    def __init__(self, storyteller: ModelFolder, network: Decoder) -> None:
        self.storyteller = storyteller
        self._network, self._head = network, network.head
        self._labels = Labels(storyteller)
        self._characters = Characters(self._tokens) if storyteller.is_byte_level else None
        self._spellings = lru_cache(10_000)(partial(spellings, storyteller))
        self._both_spellings = lru_cache(10_000)(partial(both_spellings, storyteller))
        self._as_given = lru_cache(10_000)(partial(both_spellings, storyteller, as_given=True))

    @cached_property
    def _tokens(self) -> list[bytes]:
        return self.storyteller.bytes_of_tokens(self._head.ids)

    @cached_property
    def _beginnings(self) -> Beginnings:
        return Beginnings(self._tokens)

    def step(self, chunks: list[Chunk], asks: list[Ask]) -> list[tuple[Sequence, Outcome]]:
        """Compute chunks of stories and return the outcome of each question: the next token, which
        is appended to the story's ids unless a person typed it; None for the story's end; a
        ValueError for NaN or infinity, which ends this story only."""
        if not chunks:
            return []
        questions, draws, _held = self._questions(asks)
        answers = self._network.step(chunks, questions)
        return [
            (ask.sequence, self._outcome(ask, draw, answer))
            for ask, draw, answer in zip(
                asks, draws, map(Answer._make, answers.tolist()), strict=True
            )
        ]

    def step_with_logits(self, chunk: Chunk, asks: list[Ask]) -> Iterator[tuple[Sequence, Outcome]]:
        """`step` for a story that peeks, with NextTokens as outcome, and for a story whose last
        typed word may be finished."""
        for ask, logits in zip(asks, self._network.logits([chunk]), strict=True):
            sequence = ask.sequence
            if ask.typed is None and sequence.word:
                ask = self._after_word(ask, logits)
            questions, draws, _held = self._questions([ask])
            answer = Answer._make(self._head.answer(logits, questions[0]).item())
            if answer.id >= 0 and sequence.peeks:
                token = None if ask.typed is None else self._record(sequence, None, answer)
                yield (
                    sequence,
                    next_tokens(self._head, logits, questions[0], answer, self._labels, token),
                )
            else:
                yield sequence, self._outcome(ask, draws[0], answer)

    def _questions(
        self, asks: Iterable[Ask]
    ) -> tuple[np.ndarray, list[float | None], list[np.ndarray]]:
        """Return a QUESTION for each ask, its draw, and the arrays that the questions point to,
        which must stay alive."""
        questions: list[tuple[float, ...]] = []
        draws: list[float | None] = []
        held: list[np.ndarray] = []
        for sequence, typed in asks:
            if typed is not None:
                questions.append((*NEUTRAL, 0.0, typed, sequence.alternatives, *[0] * 10))
                draws.append(None)
                continue
            settings = sequence.settings
            draw = uniform(settings.seed, sequence.position)
            lists = (self._seen(sequence), self._banned(sequence), *self._word_ids(sequence))
            questions.append((
                *values(settings), draw, -1, sequence.alternatives, *map(len, lists),
                sequence.written, 0, *map(address, lists),
            ))  # fmt: skip
            draws.append(draw)
            held += lists
        return np.array(questions, QUESTION), draws, held

    def _outcome(self, ask: Ask, draw: float | None, answer: Answer) -> Outcome:
        """Return the outcome of an answer; append a token that was chosen to its story."""
        if answer.id < 0:
            return ValueError(NOTHING_MAY_COME if answer.id == NOTHING_LEFT else NOT_FINITE)
        ended = ask.typed is None and self._append(ask.sequence, answer.id)
        return None if ended else self._record(ask.sequence, draw, answer)

    def _append(self, sequence: Sequence, token_id: int) -> bool:
        """Append a token that was chosen to its story; return whether the story ends instead."""
        if sequence.begins_with:
            spelt = len(self.storyteller.token_bytes(token_id))
            sequence.begins_with = sequence.begins_with[spelt:]
        sequence.bans_end = False
        sequence.position += 1
        sequence.count -= not sequence.begins_with  # what was typed is written to its end
        if token_id in self.storyteller.eos_ids and sequence.settings.stop_at_end:
            return True
        sequence.ids.append(token_id)
        return False

    def _record(self, sequence: Sequence, draw: float | None, answer: Answer) -> Token:
        """Return a token's record, with its alternatives."""
        ids = answer.alternative[: answer.num_alternatives].tolist()
        labels = map(self._labels.__getitem__, ids)
        return Token(
            token_id=answer.id,
            text=sequence.decoder.add(answer.id),
            draw=draw,
            probability=answer.probability,
            chosen_probability=answer.chosen,
            rank=answer.rank,
            entropy=answer.entropy,
            alternatives=tuple(
                map(Alternative, ids, labels, answer.alternative_probability.tolist())
            ),
        )

    def _after_word(self, ask: Ask, logits: np.ndarray) -> Ask:
        """Return the question where the last typed word may be finished, by the logits (unique,) at
        its beginning. A finished word stays typed: the question is about its first token, and
        its other tokens get their records later."""
        sequence, word = ask.sequence, ask.sequence.word
        sequence.word = ()
        longer = self._beginnings.longer_than(sequence.begins_with)
        if not is_finished(self._head, logits, word[0], longer):
            return ask
        sequence.begins_with = b""
        sequence.ids += word
        sequence.begins_at += len(word)
        if sequence.position:  # a beginning is not part of what is drawn
            sequence.position += len(word)
        return ask._replace(typed=word[0])

    def _seen(self, sequence: Sequence) -> np.ndarray:
        """Return the ids to which the repetition penalty applies."""
        if sequence.settings.repetition_penalty == 1:
            return NOTHING
        return np.array(sequence.ids[sequence.first :], dtype=np.int32)

    def _word_ids(self, sequence: Sequence) -> tuple[np.ndarray, np.ndarray]:
        """Return ids that begin, and ids that continue, a missing word."""
        words = self._words(sequence)
        begins, continues = (words.begins(), words.continues()) if words else ([], [])
        return np.array(begins, dtype=np.int32), np.array(continues, dtype=np.int32)

    def _words(self, sequence: Sequence) -> WordsToUse | None:
        """Return the words that a story waits for; None without any."""
        settings = sequence.settings
        if not settings.words_to_use:
            return None
        if sequence.words is None:
            decoder = self.storyteller.incremental_decoder()
            # A word in another case would be raised where a name may come: "a girl named Ladder".
            spelt = self._as_given if settings.words_form > 1 else self._both_spellings
            sequence.words = WordsToUse(settings.words_to_use, spelt, decoder)
        sequence.words.follow(sequence.ids[1:])
        waits = sequence.words.missing and sequence.written < PATIENCE
        return sequence.words if waits else None

    def _banned(self, sequence: Sequence) -> np.ndarray:
        """Return ids that must not come now: they would complete a banned word, the model folder
        suppresses them, or they would break a character; the story's end while a word is
        missing; at a seam all that do not continue the typed text."""
        ids = list(self.storyteller.suppressed)
        if not sequence.position:
            ids += self.storyteller.suppressed_at_first
        if sequence.bans_end or self._words(sequence):
            ids += [end for end in self.storyteller.eos_ids if end < self._head.ids]
        for word in sequence.settings.banned_words:
            for *before, last in self._spellings(word):
                if not before or sequence.ids[-len(before) :] == before:
                    ids.append(last)
        banned = np.array(ids, dtype=np.int32) if ids else NOTHING
        breaking = self._breaking(sequence)
        banned = np.union1d(banned, breaking).astype(np.int32) if len(banned) else breaking
        if sequence.begins_with:
            banned = np.union1d(banned, self._beginnings.not_spelling(sequence.begins_with))
        return banned

    def _breaking(self, sequence: Sequence) -> np.ndarray:
        """Return ids that would leave a broken character in a story."""
        if self._characters is None:
            return NOTHING
        return self._characters.not_continuing(self._begun(sequence))

    def _begun(self, sequence: Sequence) -> bytes:
        """Return the bytes of an incomplete character at a story's end."""
        if self.storyteller.token_bytes(sequence.ids[-1])[-1:] < b"\x80":
            return b""
        tail = b""
        for token_id in reversed(sequence.ids[-LONGEST:]):
            piece = self.storyteller.token_bytes(token_id)
            if not piece:
                break
            tail = piece + tail
        return begun(tail)


@lru_cache(10_000)
def values(settings: Settings) -> tuple[float, ...]:
    """Return the settings of a QUESTION: each at its number."""
    names = (NUMBERED.get(number) for number in range(SETTINGS))
    return tuple(0.0 if name is None else float(getattr(settings, name)) for name in names)


def address(ids: np.ndarray) -> int:
    """Return the address of an array, for a QUESTION; 0 for an empty one."""
    return ids.__array_interface__["data"][0] if len(ids) else 0


class Labels(dict[int, str]):
    """The labels of tokens among the alternatives, looked up once."""

    def __init__(self, storyteller: ModelFolder) -> None:
        super().__init__()
        self._storyteller = storyteller

    def __missing__(self, token_id: int) -> str:
        label = self[token_id] = self._storyteller.label(token_id)
        return label


def spellings(storyteller: ModelFolder, word: str) -> list[list[int]]:
    """Return the token sequences of a word: in three cases, with and without a space before it."""
    spaced, bare = both_spellings(storyteller, word)
    return [list(ids) for ids in dict.fromkeys(bare + spaced)]


def both_spellings(storyteller: ModelFolder, word: str, *, as_given: bool = False) -> Spellings:
    """Return the token sequences of a word in three cases, or only in its own."""
    cases = [word] if as_given else sorted({word, word.lower(), word.capitalize()})
    both = [
        dict.fromkeys(
            tuple(storyteller.encode(space + case, begins=begins))
            for case in cases
            for begins in (True, False)
        )
        for space in (" ", "")
    ]
    return Spellings(*([ids for ids in forms if ids] for forms in both))


NEUTRAL = values(Settings(temperature=1, top_k=0))  # of a token that a person typed
