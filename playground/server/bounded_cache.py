"""A cache with a bound in bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class BoundedCache:
    """Bytes by key; the least recently used are dropped first."""

    def __init__(self, room: int) -> None:
        """`room`: bytes."""
        self.room = room
        self.size = 0
        self._values: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """Return the cached value, or None."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Hashable, data: bytes) -> None:
        """Add a value, unless it is larger than the cache."""
        self.size -= len(self._values.pop(key, b""))
        self._values[key] = data
        self.size += len(data)
        while self.size > self.room:
            _, oldest = self._values.popitem(last=False)
            self.size -= len(oldest)
