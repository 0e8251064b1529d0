"""Who attends to what: the rows of a step, each a token of some story, and the cache of their keys
and values.

Each row looks back on its own story by itself, so what the cache holds does not depend on how it
was fed, and a slot can be used again for a story that begins alike. Two forms, one interface:
`Group` is the processor's, where rows of neighbouring slots attend without a copy; `Rows` is the
GPU's, where the shapes of a step must never change, so that it can be recorded (cuda_graph.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

ROUND_KEYS = 16  # keys are read in multiples of this: no sum ends in a part of a vector register


@dataclass
class Chunk:
    """Tokens that one story is fed: `ids` at `slot` from position `start` on."""

    slot: int
    start: int
    ids: list[int]


def rows_of(chunks: list[Chunk]) -> list[tuple[int, int, int]]:
    """(id, slot, position) of every token, in the chunks' order."""
    return [
        (number, chunk.slot, chunk.start + offset)
        for chunk in chunks
        for offset, number in enumerate(chunk.ids)
    ]


class Group:
    """Rows that attend together, the same for every layer: one row each of stories in neighbouring
    slots, or all rows of one story's chunk."""

    def __init__(self, chunks: list[Chunk], rows: slice, cache: torch.Tensor) -> None:
        self.rows = rows
        end = max(chunk.start + len(chunk.ids) for chunk in chunks)
        num_keys = -(-end // ROUND_KEYS) * ROUND_KEYS
        positions = torch.tensor(
            [position for _, _, position in rows_of(chunks)], device=cache.device
        )
        self.mask = mask(positions, num_keys)
        known = cache[:, chunks[0].slot : chunks[-1].slot + 1, :, :, :num_keys]
        known = known.expand(-1, len(positions), -1, -1, -1, -1)
        self.known = [layer.unbind(1) for layer in known.unbind()]  # keys and values of each layer

    def attend(self, number: int, query: torch.Tensor) -> torch.Tensor:
        """(rows, heads * width): what rows of query (all rows, heads, width) gather in a layer."""
        keys, values = self.known[number]  # (rows, heads, keys, width)
        rows = query[self.rows][:, :, None]
        attended = functional.scaled_dot_product_attention(rows, keys, values, attn_mask=self.mask)
        return attended.flatten(1)


class Rows:
    """The first rows of a step over the first keys of their stories: these two numbers alone decide
    every shape.

    A key that a row may not see adds an exact zero and each row attends by itself, so the result
    does not depend on the two numbers.
    """

    def __init__(
        self,
        slots: torch.Tensor,
        positions: torch.Tensor,
        cache: torch.Tensor,
        num_rows: int,
        num_keys: int,
    ) -> None:
        """Of slots and positions (all rows,); a row beyond `num_rows` attends to nothing."""
        self.slots, self.known = slots[:num_rows], cache[:, :, :, :, :num_keys]
        self.mask = mask(positions[:num_rows], num_keys)

    def attend(self, number: int, query: torch.Tensor) -> torch.Tensor:
        """(all rows, heads * width): what query (all rows, heads, width) gathers in a layer."""
        keys, values = self.known[number].index_select(0, self.slots).unbind(1)
        attended = functional.scaled_dot_product_attention(
            query[: len(self.slots), :, None], keys, values, attn_mask=self.mask
        )
        return functional.pad(attended.flatten(1), (0, 0, 0, len(query) - len(attended)))


def mask(positions: torch.Tensor, num_keys: int) -> torch.Tensor:
    """(rows, 1, 1, keys): 0 where a row at its position may look, else -inf."""
    hidden = torch.arange(num_keys, device=positions.device) > positions[:, None, None, None]
    return torch.zeros(hidden.shape, device=positions.device).masked_fill_(hidden, -torch.inf)


def groups_of(chunks: list[Chunk], cache: torch.Tensor) -> list[Group]:
    """Which rows attend together: a longer chunk's, and neighbours' that are fed one token."""
    groups: list[Group] = []
    row, first = 0, 0
    while first < len(chunks):
        last = first + 1
        if len(chunks[first].ids) == 1:
            while (
                last < len(chunks)
                and len(chunks[last].ids) == 1
                and chunks[last].slot == chunks[last - 1].slot + 1
            ):
                last += 1
        run = chunks[first:last]
        rows = slice(row, row + sum(len(chunk.ids) for chunk in run))
        groups.append(Group(run, rows, cache))
        row, first = rows.stop, last
    return groups
