"""What the decode loop asks of a model, whichever class computes it; how one is opened."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from playground.core.library import ANSWER, QUESTION, Head
from playground.folder.families import family_of
from playground.folder.model_folder import ModelFolder
from playground.model.memory import SLOTS_PER_STORY, free_memory, room_for
from playground.sentences import first_line


@dataclass
class Chunk:
    """Tokens of one story to process: `ids` at `slot` from position `start` on. `asked` are the
    offsets of those whose next token is asked about."""

    slot: int
    start: int
    ids: list[int]
    asked: range = range(0)


class Decoder(ABC):
    """A causal model with a cache of several stories, each in a slot.

    Attributes:
        context: tokens that a story looks back on; until `reserve`, those the model was made for.
        head: which ids share a row of logits; after `reserve`.
        bytes_per_token: of a slot's cache.
        bytes_per_slot: besides those of its tokens.
        tokens_per_step: more in a step take longer and save nothing.
    """

    context: int
    head: Head
    bytes_per_token: int
    bytes_per_slot: int
    tokens_per_step: int = 64

    @abstractmethod
    def reserve(self, slots: int, context: int) -> None:
        """Make room for `slots` stories of `context` tokens.

        Raises:
            MemoryError: there is not enough memory.
        """

    @abstractmethod
    def logits(self, chunks: list[Chunk]) -> np.ndarray:
        """Feed some stories their next tokens, at most one chunk a slot.

        Returns:
            (asked tokens of all chunks, unique) fp32: the logits of what follows each.
        """

    def step(self, chunks: list[Chunk], questions: np.ndarray) -> np.ndarray:
        """Feed some stories their next tokens, at most one chunk a slot, and answer a question
        about what follows each asked token: QUESTION and ANSWER arrays in the chunks' order."""
        answers = np.zeros(len(questions), ANSWER)
        for number, logits in enumerate(self.logits(chunks)):
            answers[number] = self.head.answer(logits, questions[number])
        return answers


def open_decoder(storyteller: ModelFolder, workers: int | None = None) -> Decoder:
    """Return the folder's model: by the core or on a GPU if its shape is one of ours, else by
    transformers. `workers`: threads of the core; None for one per processor core.

    Raises:
        ValueError: weights are missing or of another shape, or the model does not
            write text; one sentence.
    """
    try:
        if family_of(storyteller.config) is None:
            from playground.model.transformers_decoder import TransformersDecoder

            return TransformersDecoder(storyteller)
        if storyteller.device == "cpu":
            from playground.model.core_decoder import CoreDecoder

            return CoreDecoder(storyteller, workers)
        from playground.model.cuda_decoder import CudaDecoder

        return CudaDecoder(storyteller)
    except MemoryError:
        raise ValueError(no_room(storyteller)) from None


def no_room(storyteller: ModelFolder) -> str:
    """Return the message for memory that does not hold a model and one story."""
    return (
        f"there is no memory for {storyteller.folder} and a story on {storyteller.device}: close "
        "what else uses it, or give more with --memory, or --device cpu."
    )


def make_room(
    network: Decoder, storyteller: ModelFolder, streams: int, memory: int | None = None
) -> int:
    """Take the cache of `streams` stories, or of fewer and shorter ones where `memory` bytes do not
    hold them, by default half of what is free; says so then. Where others use the memory too, it
    can end before the arithmetic says so.

    Returns:
        the number of stories.

    Raises:
        ValueError: there is no memory for one story.
    """
    device, wanted = storyteller.device, (streams, network.context)
    memory = free_memory(device) // 2 if memory is None else memory
    room = room_for(*wanted, network.bytes_per_token, network.bytes_per_slot, memory)
    while room is not None:
        try:
            network.reserve(SLOTS_PER_STORY * room.streams, room.context)
            break
        except MemoryError:
            room = room._replace(streams=room.streams // 2) if room.streams > 1 else None
    if room is None:
        raise ValueError(no_room(storyteller))
    if room != wanted:
        held = "one story" if room.streams == 1 else f"{room.streams} stories at once"
        print(
            f"{storyteller.facts.name}: the memory holds {held} of {room.context:,} tokens each, "
            f"not {wanted[0]} of {wanted[1]:,} (--memory says how much they may take)",
            file=sys.stderr,
        )
    return room.streams


def try_out(network: Decoder, storyteller: ModelFolder) -> None:
    """Compute a token, so that a model which cannot be computed is refused when it is opened and
    not at its first word; ValueError then."""
    start = storyteller.start
    if start >= network.head.ids:
        raise ValueError(
            f"the tokenizer in {storyteller.folder} is another model's: it begins stories with the "
            f"token {start}, and the model has {network.head.ids:,}."
        )
    question = np.zeros(1, QUESTION)
    question["repetition_penalty"] = 1
    try:
        network.step([Chunk(0, 0, [start], range(1))], question)
    except MemoryError:
        raise ValueError(no_room(storyteller)) from None
    except (RuntimeError, IndexError) as error:
        raise ValueError(
            f"the model in {storyteller.folder} cannot be computed ({first_line(error)}): export "
            "or copy it again."
        ) from None
