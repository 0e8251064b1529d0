"""The heap of a process that trains on the CPU: freed memory is kept, in large pages.

glibc gives every tensor of more than some megabytes pages of its own and returns them when it is
freed, so each update asks the kernel for its activations anew, 4 KiB at a time.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD = -1  # the numbers of mallopt(3)
M_MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, and PyTorch ask for large pages; False where the C
    library is not glibc and nothing changed.

    To be called before the first large tensor: PyTorch reads its variable once.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # musl has none
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, -1))
