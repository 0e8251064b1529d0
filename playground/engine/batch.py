"""The running batch: which stories are written together, where the cache holds them, and what a
step feeds of each.

A step feeds one token of every story that is being written and, beside them, chunks of new
prompts, so nobody waits for somebody else's prompt.

A story longer than the context continues with its newest three quarters, prefilled again: the model
sees what it was trained on, positions from 0. That window is prepared in a second slot, a few
tokens beside each new one of the old window's last quarter, so nobody waits for it. Where the
window begins is a function of the number of tokens alone, so a story that is stopped and continued
is the one that was never stopped.

A slot keeps its keys and values until another story takes it. A story that begins alike, such as a
branch of the one before, finds its beginning there.
"""

from __future__ import annotations

from playground.engine.sampler import Ask, Said, Sampler
from playground.engine.stream import Sequence
from playground.model.decoder import Chunk
from playground.stories.story import Token

PREFILL_CHUNK = 64  # tokens of a prompt that are prefilled at once
PREFILL_BUDGET = 128  # tokens of prompts in one step, so that running stories go on at their pace
REFILL_PER_STEP = 4  # tokens of the next window prefilled beside a new one; three are enough


class Batch:
    """Stories that are being written, each in a slot of the network's cache.

    Attributes:
        running: the stories, in the order in which their prompts take turns.
    """

    def __init__(self, sampler: Sampler, context: int, slots: int) -> None:
        """`context` and `slots` are those of the cache; a story may need two slots."""
        self._sampler, self._context = sampler, context
        self._slots = range(slots)
        self._held: list[list[int]] = [[] for _ in self._slots]  # tokens in free slots
        self.running: list[Sequence] = []

    def add(self, sequence: Sequence) -> None:
        """Give a story the free slot that holds most of its beginning, the lowest of equals."""
        sequence.first = window_start(self._context, sequence.scored)
        window = sequence.ids[sequence.first : sequence.scored - 1]  # what needs no answer
        known = {slot: common(self._held[slot], window) for slot in self._free()}
        sequence.slot = max(known, key=lambda slot: (known[slot], -slot))
        sequence.num_cached = known[sequence.slot]
        self.running.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """End a story where it is; its slot is free."""
        self.running.remove(sequence)
        self._leave(sequence)
        sequence.slot = sequence.next_slot = None
        sequence.out.put(None)

    def step(self) -> None:
        """Feed every running story, and hand out what it says next."""
        running, refilled = self._plan()
        chunks = [chunk for chunk, _ in refilled]
        asks: list[Ask] = []
        found: list[tuple[Sequence, Said]] = []
        for chunk, sequence in running:
            its = self._ask(chunk, sequence)
            if its and (sequence.peeks or sequence.word):  # which only all logits can answer
                found += self._sampler.step_with_logits(chunk, its)
            else:
                chunks.append(chunk)
                asks += its
        found += self._sampler.step(chunks, asks)
        for chunk, sequence in refilled:
            sequence.num_refilled += len(chunk.ids)
        for sequence, token in found:
            if token is None:  # the story's end
                sequence.ended = True
            else:
                sequence.out.put(token)
            if not isinstance(
                token, Token
            ):  # an end, an answer or a refusal: nothing comes after it
                sequence.count = 0
        for _, sequence in running:
            self._advance(sequence)

    def _plan(self) -> tuple[list[tuple[Chunk, Sequence]], list[tuple[Chunk, Sequence]]]:
        """What the next step processes: chunks of the running stories by slot, and chunks of the
        windows that come next."""
        running: list[tuple[Chunk, Sequence]] = []
        refilled: list[tuple[Chunk, Sequence]] = []
        budget = PREFILL_BUDGET
        for sequence in list(self.running):
            end = sequence.first + min(sequence.num_cached + PREFILL_CHUNK, self._context)
            ids = sequence.ids[sequence.first + sequence.num_cached : end]
            if len(ids) > 1:
                if len(ids) > budget:
                    continue
                budget -= len(ids)
                self.running.remove(sequence)  # prompts take turns
                self.running.append(sequence)
            elif refill := self._refill(sequence):
                refilled.append((refill, sequence))
            assert sequence.slot is not None
            running.append((Chunk(sequence.slot, sequence.num_cached, ids), sequence))
        running.sort(key=lambda one: one[0].slot)
        return running, refilled

    def _ask(self, chunk: Chunk, sequence: Sequence) -> list[Ask]:
        """What is asked about a story's chunk; notes it there, and that the chunk is processed."""
        known = sequence.first + sequence.num_cached  # index of its first token
        sequence.num_cached += len(chunk.ids)
        end = known + len(chunk.ids)  # one more than the index of its last
        first = max(known, sequence.scored - 1)  # the first whose next token has no record
        last = end if sequence.count or end < len(sequence.ids) else end - 1
        if first >= last:
            return []
        chunk.asked = range(first - known, last - known)
        sequence.scored = last + 1
        ids = sequence.ids
        return [Ask(sequence, ids[k] if k < len(ids) else None) for k in range(first + 1, last + 1)]

    def _free(self) -> list[int]:
        """The slots that no story has."""
        taken = {slot for sequence in self.running for slot in (sequence.slot, sequence.next_slot)}
        return [slot for slot in self._slots if slot not in taken]

    def _refill(self, sequence: Sequence) -> Chunk | None:
        """Some tokens of the window that comes after this one, in this one's last quarter."""
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
        """Note what a story's slot holds."""
        assert sequence.slot is not None
        self._held[sequence.slot] = sequence.ids[
            sequence.first : sequence.first + sequence.num_cached
        ]
        if sequence.next_slot is not None:
            self._held[sequence.next_slot] = []


def window_start(context: int, count: int) -> int:
    """Index of the oldest of `count` tokens that a model with this context sees."""
    step = max(1, context // 4)
    return max(0, -(-(count - context) // step)) * step


def common(one: list[int], other: list[int]) -> int:
    """Number of tokens with which both begin."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
