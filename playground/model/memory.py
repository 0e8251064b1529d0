"""How many stories of how many tokens the memory holds: by arithmetic, before anything is taken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

FEW_STREAMS = 8  # stories at once that are kept before the context is shortened for them
LEAST_CONTEXT = 256  # tokens
SLOTS_PER_STORY = 2  # one is for its next window
UNKNOWN = 4 * 2**30  # bytes, where the system does not say what is free
CGROUP = Path("/sys/fs/cgroup")


class Room(NamedTuple):
    """The number and length of stories that fit in memory."""

    streams: int
    context: int


def free_memory(device: str) -> int:
    """Bytes that are free on a device; a container's own limit counts."""
    if device != "cpu":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    found = [bytes_free for bytes_free in (free_in_system(), free_in_container()) if bytes_free]
    return min(found, default=UNKNOWN)


def free_in_system() -> int | None:
    """MemAvailable on Linux, half of all elsewhere; None where the system does not say."""
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
    """What of `streams` stories of `context` tokens fits in `memory` bytes: first there are fewer
    stories, then a shorter context, then one story. None where not even that fits."""

    def fits(count: int, tokens: int) -> bool:
        return SLOTS_PER_STORY * count * (tokens * bytes_per_token + bytes_per_slot) <= memory

    while streams > FEW_STREAMS and not fits(streams, context):
        streams = max(FEW_STREAMS, streams // 2)
    while context > LEAST_CONTEXT and not fits(streams, context):
        context = max(LEAST_CONTEXT, context // 2)
    while streams > 1 and not fits(streams, context):
        streams //= 2
    return Room(streams, context) if fits(streams, context) else None
