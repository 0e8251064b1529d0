"""Compute how many stories of how many tokens fit in memory, before the cache is allocated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

MIN_STREAMS = 8  # parallel stories; below that number the context is shortened first
MIN_CONTEXT = 256  # tokens
SLOTS_PER_STORY = 2  # the second is for its next window
UNKNOWN = 4 * 2**30  # bytes assumed free if the system does not say
CGROUP = Path("/sys/fs/cgroup")


class Room(NamedTuple):
    """The number and length of stories that fit in memory."""

    streams: int
    context: int


def free_memory(device: str) -> int:
    """Return the free bytes of a device, within the limit of a container."""
    if device != "cpu":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    return min(filter(None, (free_in_system(), free_in_container())), default=UNKNOWN)


def free_in_system() -> int | None:
    """Return MemAvailable on Linux, half of all memory elsewhere; None if unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        values = dict(line.split(":", 1) for line in lines)
        return int(values["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):  # Windows has no such call
        return None


def free_in_container() -> int | None:
    """Return the bytes that a container may still take (cgroup v2); None without a limit. Cached
    files count as free."""
    try:
        limit = int((CGROUP / "memory.max").read_text(encoding="ascii"))
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        stat = (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
        files = int(dict(line.split() for line in stat).get("inactive_file", 0))
    except (OSError, ValueError):
        return None
    return max(0, limit - used + files)


def room_for(
    streams: int, context: int, bytes_per_token: int, bytes_per_slot: int, memory: int
) -> Room | None:
    """Return how many of `streams` stories, of up to `context` tokens, fit in `memory` bytes: first
    the number of stories is halved down to MIN_STREAMS, then the context, then the number again.
    None if one short story does not fit."""

    def fits(count: int, tokens: int) -> bool:
        return SLOTS_PER_STORY * count * (tokens * bytes_per_token + bytes_per_slot) <= memory

    while streams > MIN_STREAMS and not fits(streams, context):
        streams = max(MIN_STREAMS, streams // 2)
    while context > MIN_CONTEXT and not fits(streams, context):
        context = max(MIN_CONTEXT, context // 2)
    while streams > 1 and not fits(streams, context):
        streams //= 2
    return Room(streams, context) if fits(streams, context) else None
