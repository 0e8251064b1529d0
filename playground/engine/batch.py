"""The running batch: which stories are written together, in which cache slots, and which tokens of
each a step computes.

A step computes one token of some stories and, beside them, chunks of new prompts, each up to the
number of tokens that keeps the processor busy: a longer step only lets others wait longer. Stories
without a word yet come first, then all take turns, so no story waits for another's prompt.

A story longer than the context continues with its newest three quarters, prefilled again: the model
sees what it was trained on, positions from 0. That window is prepared in a second slot, a few
tokens beside each new one of the old window's last quarter, so no story waits for it. Where the
window begins depends on the number of tokens alone, so stopping and continuing a story does not
change its text.

A slot keeps its keys and values until another story takes it. A story with the same
beginning, such as a branch, reuses them.
"""

from __future__ import annotations

from playground.core.library import Chunk
from playground.engine.sampler import Ask, Outcome, Sampler
from playground.engine.stream import Sequence
from playground.stories.story import Token

REFILL_PER_STEP = 4  # tokens of the next window prefilled beside a new one; three are enough


class Batch:
    """Stories that are being written, each in a slot of the network's cache.

    Attributes:
        running: the stories, in the order in which they take turns.
    """

    def __init__(self, sampler: Sampler, context: int, slots: int, tokens_per_step: int) -> None:
        """`context` and `slots` are those of the cache; a story may need two slots.
        `tokens_per_step`: of prompts, and as many of stories that are being written."""
        self._sampler, self._context, self._tokens = sampler, context, tokens_per_step
        self._slots = range(slots)
        self._held: list[list[int]] = [[] for _ in self._slots]  # tokens in free slots
        self.running: list[Sequence] = []

    def add(self, sequence: Sequence) -> None:
        """Give a story the free slot with most of its beginning; of equals, the lowest."""
        sequence.first = window_start(self._context, sequence.scored)
        window = sequence.ids[sequence.first : sequence.scored - 1]  # what needs no answer
        cached = {slot: common(self._held[slot], window) for slot in self._free()}
        sequence.slot = max(cached, key=lambda slot: (cached[slot], -slot))
        sequence.num_cached = cached[sequence.slot]
        self.running.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """End a story where it is and free its slot."""
        self.running.remove(sequence)
        self._leave(sequence)
        sequence.slot = sequence.next_slot = None
        sequence.out.put(None)

    def step(self) -> None:
        """Compute the next tokens of every running story, and put them into its queue."""
        running, refilled = self._plan()
        chunks = [chunk for chunk, _ in refilled]
        asks: list[Ask] = []
        outcomes: list[tuple[Sequence, Outcome]] = []
        for chunk, sequence in running:
            new = self._ask(chunk, sequence)
            is_at_word = sequence.word and new and new[-1].typed is None
            if new and (sequence.peeks or is_at_word):  # these need all logits
                outcomes += self._sampler.step_with_logits(chunk, new)
            else:
                chunks.append(chunk)
                asks += new
        outcomes += self._sampler.step(chunks, asks)
        for chunk, sequence in refilled:
            sequence.num_refilled += len(chunk.ids)
        for sequence, outcome in outcomes:
            if outcome is None:  # the story's end
                sequence.ended = True
            else:
                sequence.out.put(outcome)
            if not isinstance(outcome, Token):  # an end, NextTokens or an error is the last
                sequence.count = 0
        for _, sequence in running:
            self._advance(sequence)

    def _plan(self) -> tuple[list[tuple[Chunk, Sequence]], list[tuple[Chunk, Sequence]]]:
        """Return what the next step computes: chunks of the running stories by slot, and chunks of
        their next windows."""
        running: list[tuple[Chunk, Sequence]] = []
        refilled: list[tuple[Chunk, Sequence]] = []
        waiting: list[Sequence] = []
        of_prompts = of_others = self._tokens
        if any(not one.written for one in self.running):
            of_others //= 4  # a shorter step: somebody waits for a first word
        for sequence in sorted(self.running, key=lambda one: one.written > 0):
            end = sequence.first + self._context
            ids = sequence.ids[sequence.first + sequence.num_cached : end]
            is_prompt = len(ids) > 1
            if (of_prompts if is_prompt else of_others) <= 0:
                waiting.append(sequence)
                continue
            if is_prompt:
                # A word's logits are a step of their own, so only the last token asks for them.
                ids = ids[: min(of_prompts, len(ids) - bool(sequence.word))]
                of_prompts -= len(ids)
            else:
                of_others -= 1
                if refill := self._refill(sequence):
                    refilled.append((refill, sequence))
                    of_others -= len(refill.ids)
            assert sequence.slot is not None
            running.append((Chunk(sequence.slot, sequence.num_cached, ids), sequence))
        self.running = [*waiting, *(sequence for _, sequence in running)]
        running.sort(key=lambda pair: pair[0].slot)
        return running, refilled

    def _ask(self, chunk: Chunk, sequence: Sequence) -> list[Ask]:
        """Return the questions about a story's chunk; note them there, and the chunk as
        computed."""
        start = sequence.first + sequence.num_cached  # index of the chunk's first token
        sequence.num_cached += len(chunk.ids)
        end = start + len(chunk.ids)
        first = max(start, sequence.scored - 1)  # the first whose next token has no record
        last = end if sequence.count or end < len(sequence.ids) else end - 1
        if first >= last:
            return []
        chunk.asked = range(first - start, last - start)
        sequence.scored = last + 1
        ids = sequence.ids
        return [Ask(sequence, ids[k] if k < len(ids) else None) for k in range(first + 1, last + 1)]

    def _free(self) -> list[int]:
        """Return the slots without a story."""
        taken = {slot for sequence in self.running for slot in (sequence.slot, sequence.next_slot)}
        return [slot for slot in self._slots if slot not in taken]

    def _refill(self, sequence: Sequence) -> Chunk | None:
        """Return some tokens of the next window, while the current one is in its last quarter."""
        step = window_start(self._context, self._context + 1)
        if (
            sequence.num_cached < self._context - step
            or sequence.num_cached + sequence.count <= self._context
        ):
            return None  # too early, or the story ends before
        if sequence.next_slot is None:
            sequence.next_slot, sequence.num_refilled = self._free()[-1], 0
        start = sequence.first + step + sequence.num_refilled
        ids = sequence.ids[start : start + REFILL_PER_STEP]
        return Chunk(sequence.next_slot, sequence.num_refilled, ids) if ids else None

    def _advance(self, sequence: Sequence) -> None:
        """After a step: end a story, or slide its window."""
        if sequence.first + sequence.num_cached == len(sequence.ids) and not sequence.count:
            self.remove(sequence)
        elif sequence.num_cached == self._context:
            self._leave(sequence)
            sequence.first = window_start(self._context, sequence.first + sequence.num_cached + 1)
            if sequence.next_slot is None:
                sequence.num_cached = 0
            else:
                sequence.slot, sequence.num_cached, sequence.next_slot = (
                    sequence.next_slot,
                    sequence.num_refilled,
                    None,
                )

    def _leave(self, sequence: Sequence) -> None:
        """Note which tokens a story's slot holds."""
        assert sequence.slot is not None
        self._held[sequence.slot] = sequence.ids[
            sequence.first : sequence.first + sequence.num_cached
        ]
        if sequence.next_slot is not None:
            self._held[sequence.next_slot] = []


def window_start(context: int, count: int) -> int:
    """Return the index of the oldest of `count` tokens that a model with this context sees."""
    step = max(1, context // 4)
    return max(0, -(-(count - context) // step)) * step


def common(a: list[int], b: list[int]) -> int:
    """Return the length of the common beginning of two lists of tokens."""
    count = 0
    for left, right in zip(a, b, strict=False):
        if left != right:
            break
        count += 1
    return count
