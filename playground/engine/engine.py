"""The decode loop: many stories in one running batch, each with its record.

One thread owns the model. Between two steps stories join and leave; batch.py plans the
steps. A story that is cancelled frees its slot at the next step.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from concurrent.futures import Future
from dataclasses import replace

from playground.core.library import MAX_ALTERNATIVES
from playground.engine.batch import Batch
from playground.engine.next_tokens import NextTokens
from playground.engine.sampler import Sampler
from playground.engine.stream import Sequence, Stream, raise_failure
from playground.engine.token_healing import BLANKS, NO_SEAM, WORD, Seam
from playground.folder.detokenizer import IncrementalDecoder
from playground.folder.model_folder import ModelFolder
from playground.model.decoder import Decoder, allocate_cache, check_decoder, open_decoder
from playground.model.memory import SLOTS_PER_STORY
from playground.sampling import Settings
from playground.stories.story import Story

TEXT_MAX = 100_000  # bytes of a prompt


class Busy(ValueError):  # noqa: N818, a state and not an error
    """No more stories are taken now."""


class Engine:
    """One model, and the thread that computes it.

    Attributes:
        max_streams: stories that are written at once, as many as the memory holds.
        decoder: what computes the model, in the engine's thread.
    """

    def __init__(
        self,
        storyteller: ModelFolder,
        *,
        max_streams: int = 64,
        max_waiting: int = 32,
        memory: int | None = None,
        threads: int | None = None,
    ) -> None:
        """`memory`: bytes for the stories' keys and values; None for half of what is free.
        `threads`: that compute on a CPU; None for one per core.

        Raises:
            ValueError: the model cannot be used, or there is no memory for one story.
        """
        self.storyteller = storyteller
        self.max_streams = max_streams
        self._memory, self._threads = memory, threads
        self.max_waiting = max_waiting
        self._waiting: list[Sequence] = []
        self._wake = threading.Condition()
        self._closed = False
        opened: Future[Decoder] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name="storyteller", daemon=True
        )
        self._thread.start()
        self.decoder: Decoder = opened.result()

    @property
    def context(self) -> int:
        """The context in tokens; less than the model's own where the memory does not suffice."""
        return self.decoder.context

    def write(
        self,
        prompt: str,
        settings: Settings,
        *,
        completes_word: bool = False,
        alternatives: int = MAX_ALTERNATIVES,
    ) -> Stream:
        """Write a story after a prompt.

        With `completes_word`, half a word at the prompt's end is completed. `alternatives` is how
        many of the likeliest tokens a record holds, ten at most.

        Raises:
            Busy: too many stories are waiting.
            ValueError: the prompt is not text or too long.
        """
        seam = self.seam(prompt, completes_word=completes_word)
        ids, model = tuple(self.encode(seam.bare)), self.storyteller.fingerprint
        story = Story(model, settings, seam.bare, ids, begins_with=seam.begins)
        return self._start(
            story, position=0, seam=seam, of_prompt=len(seam.word), alternatives=alternatives
        )

    def extend(
        self,
        ids: list[int],
        text: str,
        settings: Settings,
        *,
        opening: int | None = None,
        token_id: int | None = None,
        beyond_end: bool = False,
        begins_with: str = "",
        completes_word: bool = False,
        written: int = 0,
        alternatives: int = MAX_ALTERNATIVES,
    ) -> Stream:
        """Continue the tokens of a story and what a person typed after them.

        The stream gives the record of the typed tokens first, then `settings.length` new ones.

        Args:
            ids: the story so far.
            text: typed after it. A space at its end belongs to the next word: the first new token
                begins with it.
            begins_with: what the first new tokens spell, without a text.
            completes_word: half a word at the text's end is completed. A word that the model finds
                finished is among the typed tokens.
            opening: index of the first token that a model wrote, from which draws are counted;
                None for the first new one.
            token_id: a token that was chosen after the text.
            beyond_end: the story was at its end, and continues all the same.
            written: tokens at the end of `ids` that the model wrote in the same run.
            alternatives: how many of the likeliest tokens a record holds, ten at most.

        Raises:
            ValueError: an id that the model does not have, or a text that is too long.
            Busy: too many stories are waiting.
        """
        seam = Seam(text, begins_with)
        if token_id is None and not begins_with:
            seam = self.seam(text, begins=not ids, completes_word=completes_word)
        typed = self.encode(seam.bare, begins=not ids) + ([] if token_id is None else [token_id])
        self.check_ids([*ids, *typed])
        count = len(ids) + len(typed)
        story = Story(self.storyteller.fingerprint, settings, "", tuple(ids))
        return self._start(
            story,
            *typed,
            position=0 if opening is None else max(0, count - opening),
            seam=seam,
            bans_end=beyond_end,
            written=written,
            alternatives=alternatives,
        )

    def candidates(
        self,
        ids: list[int],
        text: str = "",
        token_id: int | None = None,
        settings: Settings | None = None,
    ) -> NextTokens:
        """Return the most likely tokens after the tokens `ids` and a text, as words to use of the
        settings raise them; with `token_id`, that token's record too.

        Raises:
            ValueError: an id that the model does not have, or a text that is too long.
            Busy: too many stories are waiting.
        """
        text = self.seam(text, begins=not ids).bare
        before = [self.storyteller.bos_id, *ids, *self.encode(text, begins=not ids)]
        chosen = [] if token_id is None else [token_id]
        self.check_ids([*before, *chosen])
        sequence = Sequence(
            settings or Settings(),
            [*before, *chosen],
            0 if chosen else 1,
            1,
            len(before),
            self.storyteller.incremental_decoder(),
            begins_at=len(before),
            peeks=True,
        )
        self._admit_soon(sequence)
        outcome = sequence.out.get()
        raise_failure(outcome)
        if not isinstance(outcome, NextTokens):
            raise ValueError("the playground is closing: start it again.")
        return outcome

    def seam(self, text: str, *, begins: bool = True, completes_word: bool = False) -> Seam:
        """Return the end of a typed text, which `begins` a story or not.

        In most vocabularies a space is part of the next word; a single space is a token that is
        rare in stories, and no word follows it. With `completes_word`, the last word is cut off
        too if the tokens before it do not change. Only byte-level vocabularies are sure to spell
        several spaces.
        """
        if not isinstance(text, str) or not self.storyteller.joins_spaces:
            return Seam(text)
        if not self.storyteller.is_byte_level:
            return Seam(text[:-1], " ") if text.endswith(" ") else Seam(text)
        if blanks := BLANKS.search(text):
            return Seam(text[: blanks.start()], blanks[0])
        word = WORD.search(text) if completes_word else None
        if word is None:
            return Seam(text)
        bare = text[: word.start()]
        before, ids = self.encode(bare, begins=begins), self.encode(text, begins=begins)
        if ids[: len(before)] != before:
            return Seam(text)
        return Seam(bare, word[0], tuple(ids[len(before) :]))

    def branch(
        self, story: Story, position: int, token_id: int, settings: Settings | None = None
    ) -> Stream:
        """Continue a story from `position`, with another token there.

        The stream's first token is that token, with its record.

        Raises:
            ValueError: there is no such position or token, or the story is another model's.
            Busy: too many stories are waiting.
        """
        if story.model != self.storyteller.fingerprint:
            raise ValueError(
                "this story was written by another model: open that model to continue it."
            )
        self.check_ids([*story.prompt_ids, *(token.token_id for token in story.tokens)])
        if not 0 <= position < len(story.tokens):
            raise ValueError(f"position must be from 0 to {len(story.tokens) - 1}, not {position}.")
        if not 0 <= token_id < self.decoder.head.ids:
            raise ValueError(
                f"token_id must be from 0 to {self.decoder.head.ids - 1}, not {token_id}."
            )
        before = replace(story, tokens=story.tokens[:position], settings=settings or story.settings)
        return self._start(before, token_id, position=position + 1)

    def score(self, text: str) -> Story:
        """Return the records of the tokens of a typed text.

        Raises:
            ValueError: the text is empty or too long.
            Busy: too many stories are waiting.
        """
        return self.score_ids(self.encode(text))

    def score_ids(
        self,
        ids: Collection[int],
        *,
        after: Collection[int] = (),
        alternatives: int = MAX_ALTERNATIVES,
    ) -> Story:
        """`score` of tokens, `after` others; ValueError, too, for an id that the model does not
        have."""
        if not ids:
            raise ValueError("there is no text to look at: type some words.")
        return self.score_soon(ids, after=after, alternatives=alternatives).finish()

    def score_soon(
        self,
        ids: Collection[int],
        *,
        after: Collection[int] = (),
        begins: bool = True,
        alternatives: int = MAX_ALTERNATIVES,
    ) -> Stream:
        """Return the stream of `score_ids`, so that a caller can start several. `begins`: whether
        the tokens `after` begin a story; the start token then goes before them."""
        self.check_ids([*after, *ids])
        settings = Settings(temperature=1, top_k=0)
        story = Story(self.storyteller.fingerprint, settings, "", tuple(after))
        begin = [self.storyteller.bos_id, *after] if begins else list(after)
        sequence = Sequence(
            settings,
            [*begin, *ids],
            0,
            0,
            len(begin),
            self._decoder_after(after),
            alternatives=alternatives,
        )
        self._admit_soon(sequence)
        return Stream(sequence, story)

    def close(self) -> None:
        """Stop the thread; running stories end where they are."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def encode(self, prompt: str, *, begins: bool = True) -> list[int]:
        """Return the ids of a text, which `begins` a story or not; ValueError if it is too long,
        has half a character, or the tokenizer is not the model's."""
        if not isinstance(prompt, str):
            raise ValueError("the prompt must be text.")
        try:
            size = len(prompt.encode())
        except UnicodeEncodeError:
            raise ValueError("the prompt holds half a character: type it again.") from None
        if size > TEXT_MAX:
            raise ValueError(
                f"the prompt has {size:,} bytes; {TEXT_MAX:,} are the most: shorten it."
            )
        ids = self.storyteller.encode(prompt, begins=begins)
        unknown = max(ids, default=0)
        if unknown >= self.decoder.head.ids:
            raise ValueError(
                f"the tokenizer makes a token, {unknown}, of this text that the model does not "
                "have: write something else, or give the folder the model's own tokenizer."
            )
        return ids

    def texts(self, ids: Collection[int]) -> list[str]:
        """Return the text that each token of a story adds; ValueError for an id that the model does
        not have."""
        self.check_ids(list(ids))
        decoder = self.storyteller.incremental_decoder()
        return [decoder.add(token_id) for token_id in ids]

    def check_ids(self, ids: list[int]) -> None:
        """Raise ValueError for ids that the model does not have."""
        for token_id in (min(ids, default=0), max(ids, default=0)):
            if not 0 <= token_id < self.decoder.head.ids:
                raise ValueError(
                    f"this story holds a token, {token_id}, that its model does not have."
                )

    def _start(
        self,
        story: Story,
        *typed: int,
        position: int,
        seam: Seam = NO_SEAM,
        bans_end: bool = False,
        of_prompt: int = 0,
        written: int = 0,
        alternatives: int = MAX_ALTERNATIVES,
    ) -> Stream:
        """Continue a story after the tokens `typed`, which a person chose. The draws continue at
        `position`."""
        before = [*story.prompt_ids, *(token.token_id for token in story.tokens)]
        ids = [self.storyteller.bos_id, *before]
        settings = story.settings
        sequence = Sequence(
            settings,
            [*ids, *typed],
            settings.length,
            position,
            len(ids),
            self._decoder_after(before),
            begins_with=seam.begins.encode(),
            word=seam.word,
            bans_end=bans_end,
            begins_at=len(ids) + len(typed) - written,
            alternatives=alternatives,
        )
        self._admit_soon(sequence)
        return Stream(
            sequence, replace(story, ended=False), typed=typed, seam=seam, of_prompt=of_prompt
        )

    def _decoder_after(self, ids: Iterable[int]) -> IncrementalDecoder:
        """Return an incremental decoder that has read some tokens."""
        decoder = self.storyteller.incremental_decoder()
        for token_id in ids:
            decoder.add(token_id)
        return decoder

    def _admit_soon(self, sequence: Sequence) -> None:
        """Add a story to those that wait."""
        with self._wake:
            if self._closed:
                raise ValueError("the playground is closing: start it again.")
            waiting = [waiter for waiter in self._waiting if not waiter.cancelled]
            if len(waiting) + len(self._batch.running) >= self.max_waiting + self.max_streams:
                raise Busy(f"{len(waiting)} stories are waiting already: try again in a moment.")
            self._waiting = [*waiting, sequence]
            self._wake.notify()

    # What follows runs in the engine's thread.

    def _run(self, opened: Future[Decoder]) -> None:
        # The network is opened here for PyTorch: a GPU is chosen for a thread, and OpenMP keeps a
        # team of threads for every thread that computes, of which two get in each other's way.
        try:
            network = self._open()
        except BaseException as error:
            opened.set_exception(error)
            return
        opened.set_result(network)
        try:
            while self._admit():
                self._batch.step()
        except BaseException as error:  # every reader must learn of it
            with self._wake:
                self._closed = True
            for sequence in [*self._batch.running, *self._waiting]:
                sequence.out.put(error)
            raise
        for sequence in [*self._batch.running, *self._waiting]:
            sequence.out.put(None)

    def _open(self) -> Decoder:
        """Open the model, with a cache for as many stories and tokens as the memory holds."""
        network = open_decoder(self.storyteller, self._threads)
        self.max_streams = allocate_cache(network, self.storyteller, self.max_streams, self._memory)
        check_decoder(network, self.storyteller)
        sampler = Sampler(self.storyteller, network)
        slots = SLOTS_PER_STORY * self.max_streams
        self._batch = Batch(sampler, network.context, slots, network.tokens_per_step)
        return network

    def _admit(self) -> bool:
        """Let stories join and leave; wait while no story runs. Return False when the engine
        closes."""
        batch = self._batch
        with self._wake:
            while True:
                if self._closed:
                    return False
                for sequence in [sequence for sequence in batch.running if sequence.cancelled]:
                    batch.remove(sequence)
                for sequence in [sequence for sequence in self._waiting if sequence.cancelled]:
                    self._waiting.remove(sequence)
                    sequence.out.put(None)
                while self._waiting and len(batch.running) < self.max_streams:
                    batch.add(self._waiting.pop(0))
                if batch.running:
                    return True
                self._wake.wait()
