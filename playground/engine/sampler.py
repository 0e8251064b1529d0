"""What is asked about each story's next token, and the record that is made of the answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache, partial
from typing import NamedTuple

import numpy as np

from playground.core.library import NOTHING_LEFT, QUESTION, SETTINGS, uniform
from playground.engine.answer import Answer
from playground.engine.characters import LONGEST, Characters, begun
from playground.engine.next_tokens import NextTokens, next_tokens
from playground.engine.seam import Beginnings, is_finished
from playground.engine.stream import Sequence
from playground.engine.words import PATIENCE, Spellings, WordsToUse
from playground.folder.model_folder import ModelFolder
from playground.model.decoder import Chunk, Decoder
from playground.sampling import NUMBERED, Settings
from playground.stories.story import Alternative, Token

NOT_FINITE = "the model computed NaN or infinity here: export it again, or open another one."
NOTHING_MAY_COME = "no token may come next: take some words off banned_words."
NOTHING = np.array([], dtype=np.int32)
Said = Token | NextTokens | ValueError | None


class Ask(NamedTuple):
    """A next token that is asked about: of which story, and its id if a person typed it."""

    sequence: Sequence
    known: int | None


class Sampler:
    """Chooses the next token of stories, or scores those that a person typed."""

    def __init__(self, storyteller: ModelFolder, network: Decoder) -> None:
        self.storyteller = storyteller
        self._network, self._head = network, network.head
        self._labels = Labels(storyteller)
        self._characters = Characters(self._tokens) if storyteller.is_byte_level else None
        self._spellings = lru_cache(10_000)(partial(spellings, storyteller))
        self._both_spellings = lru_cache(10_000)(partial(both_spellings, storyteller))

    @cached_property
    def _tokens(self) -> list[bytes]:
        return self.storyteller.bytes_of_tokens(self._head.ids)

    @cached_property
    def _beginnings(self) -> Beginnings:
        return Beginnings(self._tokens)

    def step(self, chunks: list[Chunk], asks: list[Ask]) -> list[tuple[Sequence, Said]]:
        """Feed chunks of stories. Returns, for each token asked about in them, what a story says:
        its next token, which is appended to its ids unless a person typed it; None for its end; a
        ValueError where its numbers went wrong, which ends it and no other."""
        if not chunks:
            return []
        questions, draws, _held = self._questions(asks)
        answers = self._network.step(chunks, questions)
        return [
            (ask.sequence, self._said(ask, draw, answer))
            for ask, draw, answer in zip(
                asks, draws, map(Answer._make, answers.tolist()), strict=True
            )
        ]

    def step_with_logits(self, chunk: Chunk, asks: list[Ask]) -> Iterator[tuple[Sequence, Said]]:
        """`step` for a story that peeks, which is answered with what could come, and for one that
        goes on after a word that may be finished."""
        for ask, logits in zip(asks, self._network.logits([chunk]), strict=True):
            sequence = ask.sequence
            if ask.known is None and sequence.word:
                ask = self._after_word(ask, logits)
            questions, draws, _held = self._questions([ask])
            answer = Answer._make(self._head.answer(logits, questions[0]).item())
            if answer.id >= 0 and sequence.peeks:
                token = None if ask.known is None else self._record(sequence, None, answer)
                yield sequence, next_tokens(self._head, logits, answer, self._labels, token)
            else:
                yield sequence, self._said(ask, draws[0], answer)

    def _questions(
        self, asks: Iterable[Ask]
    ) -> tuple[np.ndarray, list[float | None], list[np.ndarray]]:
        """A QUESTION for each token asked about, the draw of each, and what holds the arrays that
        the questions point to."""
        questions: list[tuple[float, ...]] = []
        draws: list[float | None] = []
        held: list[np.ndarray] = []
        for sequence, known in asks:
            if known is not None:
                questions.append((*NEUTRAL, 0.0, known, sequence.alternatives, *[0] * 10))
                draws.append(None)
                continue
            settings = sequence.settings
            draw = uniform(settings.seed, sequence.position)
            lists = (self._seen(sequence), self._banned(sequence), *self._wanted(sequence))
            questions.append((
                *values(settings), draw, -1, sequence.alternatives, *map(len, lists),
                sequence.written, 0, *map(address, lists),
            ))  # fmt: skip
            draws.append(draw)
            held += lists
        return np.array(questions, QUESTION), draws, held

    def _said(self, ask: Ask, draw: float | None, answer: Answer) -> Said:
        """What a story says, of an answer; a token that was chosen is appended to it."""
        if answer.id < 0:
            return ValueError(NOTHING_MAY_COME if answer.id == NOTHING_LEFT else NOT_FINITE)
        ended = ask.known is None and self._append(ask.sequence, answer.id)
        return None if ended else self._record(ask.sequence, draw, answer)

    def _append(self, sequence: Sequence, token_id: int) -> bool:
        """Append a token that was chosen to its story; whether it ends there instead."""
        if sequence.begins_with:
            spelt = len(self.storyteller.token_bytes(token_id))
            sequence.begins_with = sequence.begins_with[spelt:]
        sequence.must_go_on = False
        sequence.position += 1
        sequence.count -= not sequence.begins_with  # what was typed is written to its end
        if token_id in self.storyteller.ends and sequence.settings.stop_at_end:
            return True
        sequence.ids.append(token_id)
        return False

    def _record(self, sequence: Sequence, draw: float | None, answer: Answer) -> Token:
        """Return a token's record, with its alternatives."""
        others = answer.alternative[: answer.num_alternatives].tolist()
        labels = map(self._labels.__getitem__, others)
        return Token(
            token_id=answer.id,
            text=sequence.letters.add(answer.id),
            draw=draw,
            probability=answer.probability,
            chosen_probability=answer.chosen,
            rank=answer.rank,
            entropy=answer.entropy,
            alternatives=tuple(
                map(Alternative, others, labels, answer.alternative_probability.tolist())
            ),
        )

    def _after_word(self, ask: Ask, logits: np.ndarray) -> Ask:
        """What is asked where the word that a person typed last may be finished, by the logits
        (unique,) at its beginning. One that is stays typed: its first token is asked about now, and
        the others have their records later."""
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
        return ask._replace(known=word[0])

    def _seen(self, sequence: Sequence) -> np.ndarray:
        """The ids that the repetition penalty is for."""
        if sequence.settings.repetition_penalty == 1:
            return NOTHING
        return np.array(sequence.ids[sequence.first :], dtype=np.int32)

    def _wanted(self, sequence: Sequence) -> tuple[np.ndarray, np.ndarray]:
        """Ids that begin, and ids that continue, a word that the story should contain and does not
        yet."""
        words = self._words(sequence)
        found = (words.begins(), words.continues()) if words else ([], [])
        return np.array(found[0], dtype=np.int32), np.array(found[1], dtype=np.int32)

    def _words(self, sequence: Sequence) -> WordsToUse | None:
        """The words that a story waits for; None where it waits for nothing."""
        settings = sequence.settings
        if not settings.words_to_use:
            return None
        if sequence.words is None:
            letters = self.storyteller.letters()
            sequence.words = WordsToUse(settings.words_to_use, self._both_spellings, letters)
        sequence.words.follow(sequence.ids[1:])
        waits = sequence.words.missing and sequence.written < PATIENCE
        return sequence.words if waits else None

    def _banned(self, sequence: Sequence) -> np.ndarray:
        """Ids that must not come now: those that would complete a banned word, those that the model
        folder suppresses, those that would break a character, the story's end while a word that it
        should contain is missing, and at a seam those that do not continue what a person began."""
        found = list(self.storyteller.suppressed)
        if not sequence.position:
            found += self.storyteller.suppressed_at_first
        if sequence.must_go_on or self._words(sequence):
            found += [one for one in self.storyteller.ends if one < self._head.ids]
        for word in sequence.settings.banned_words:
            for ids in self._spellings(word):
                before = ids[:-1]
                if not before or sequence.ids[-len(before) :] == before:
                    found.append(ids[-1])
        banned = np.array(found, dtype=np.int32) if found else NOTHING
        breaking = self._breaking(sequence)
        banned = np.union1d(banned, breaking).astype(np.int32) if len(banned) else breaking
        if sequence.begins_with:
            banned = np.union1d(banned, self._beginnings.not_spelling(sequence.begins_with))
        return banned

    def _breaking(self, sequence: Sequence) -> np.ndarray:
        """Ids that would leave a broken character in a story."""
        if self._characters is None:
            return NOTHING
        return self._characters.not_continuing(self._begun(sequence))

    def _begun(self, sequence: Sequence) -> bytes:
        """The part of a character with which a story ends."""
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
    """The settings of a QUESTION: each at its number."""
    names = (NUMBERED.get(number) for number in range(SETTINGS))
    return tuple(0.0 if name is None else float(getattr(settings, name)) for name in names)


def address(ids: np.ndarray) -> int:
    """Return the address of an array, for a QUESTION; 0 for an empty one."""
    return ids.__array_interface__["data"][0] if len(ids) else 0


class Labels(dict[int, str]):
    """What stands for a token among the alternatives, looked up once."""

    def __init__(self, storyteller: ModelFolder) -> None:
        super().__init__()
        self._storyteller = storyteller

    def __missing__(self, token_id: int) -> str:
        label = self[token_id] = self._storyteller.label(token_id)
        return label


def spellings(storyteller: ModelFolder, word: str) -> list[list[int]]:
    """The token sequences of a word: in three cases, with and without a space before it."""
    spaced, bare = both_spellings(storyteller, word)
    return [list(ids) for ids in dict.fromkeys(bare + spaced)]


def both_spellings(storyteller: ModelFolder, word: str) -> Spellings:
    """The token sequences of a word in three cases."""
    cases = sorted({word, word.lower(), word.capitalize()})
    found = [
        dict.fromkeys(
            tuple(storyteller.encode(space + case, begins=begins))
            for case in cases
            for begins in (True, False)
        )
        for space in (" ", "")
    ]
    return Spellings(*([ids for ids in forms if ids] for forms in found))


NEUTRAL = values(Settings(temperature=1, top_k=0))  # of a token that a person typed
