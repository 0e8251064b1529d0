"""The newest of what was made, as many bytes as there is room for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class BoundedCache:
    """Bytes by a key; those that were not asked for longest go first."""

    def __init__(self, room: int) -> None:
        """`room`: bytes."""
        self.room = room
        self.size = 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """Return the cached value, or None."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Hashable, data: bytes) -> None:
        """Keep it, if there is room for it at all."""
        self.size -= len(self._kept.pop(key, b""))
        self._kept[key] = data
        self.size += len(data)
        while self.size > self.room:
            _, oldest = self._kept.popitem(last=False)
            self.size -= len(oldest)
