"""What the decode loop asks of a model, whichever class computes it; how one is opened."""

from __future__ import annotations

import sys
from typing import Protocol

import torch

from playground.model.attention import Chunk
from playground.model.batched_decoder import BatchedDecoder
from playground.model.cuda_graph import fixed_rows
from playground.model.families import family_of
from playground.model.folder import ModelFolder
from playground.model.head import Head
from playground.model.memory import SLOTS_PER_STORY, free_memory, room_for
from playground.model.transformers_decoder import TransformersDecoder
from playground.sentences import first_line


class Decoder(Protocol):
    """A causal model with a cache of several stories, each in a slot.

    Attributes:
        context: tokens that a story looks back on; until `reserve`, those the model was made for.
        head: of states to logits.
        padding: the states of a step's rows, if a step has a fixed number of them; else None.
        bytes_per_token: of a slot's cache.
        bytes_per_slot: besides those of its tokens.
    """

    context: int
    head: Head
    padding: torch.Tensor | None
    bytes_per_token: int
    bytes_per_slot: int

    def reserve(self, slots: int, context: int, rows: int | None = None) -> None:
        """Make room for `slots` stories of `context` tokens; `rows` fixes the number of rows of
        every step (cuda_graph.py)."""

    def feed(self, chunks: list[Chunk]) -> torch.Tensor:
        """Feed some stories their next tokens, at most one chunk a slot.

        Returns:
            (tokens of all chunks, hidden): the head's input after each, in the chunks' order.
        """


def open_decoder(storyteller: ModelFolder) -> Decoder:
    """The folder's model: our own loop where it does the shape, else transformers'.

    Raises:
        ValueError: weights are missing or of another shape, or the model is none that writes
            stories; one sentence.
    """
    try:
        if family_of(storyteller.config) is None:
            return TransformersDecoder(storyteller)
        return BatchedDecoder(storyteller)
    except torch.OutOfMemoryError:
        raise ValueError(no_room(storyteller)) from None


def no_room(storyteller: ModelFolder) -> str:
    """What is said where the memory does not hold a model and one story."""
    return (
        f"there is no memory for {storyteller.folder} and a story on {storyteller.device}: close "
        "what else uses it, or give more with --memory, or --device cpu."
    )


def make_room(
    network: Decoder, storyteller: ModelFolder, streams: int, memory: int | None = None
) -> int:
    """Take the cache of `streams` stories, or of fewer and shorter ones where `memory` bytes do not
    hold them, by default half of what is free; says so then. On a GPU that others use too, the
    memory can end before the arithmetic says so.

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
            network.reserve(
                SLOTS_PER_STORY * room.streams,
                room.context,
                fixed_rows(torch.device(device), room.streams),
            )
            break
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
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
    if start >= network.head.vocabulary:
        raise ValueError(
            f"the tokenizer in {storyteller.folder} is another model's: it begins stories with the "
            f"token {start}, and the model has {network.head.vocabulary:,}."
        )
    try:
        with torch.inference_mode():
            network.head.logits(network.feed([Chunk(0, 0, [start])]))
    except torch.OutOfMemoryError:
        raise ValueError(no_room(storyteller)) from None
    except (RuntimeError, IndexError) as error:
        raise ValueError(
            f"the model in {storyteller.folder} cannot be computed ({first_line(error)}): export "
            "or copy it again."
        ) from None
