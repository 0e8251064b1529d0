"""The page's kernel under wasmtime: what JavaScript does with it, in Python (web/kernel.js)."""

from __future__ import annotations

import json
import struct
from functools import cache
from pathlib import Path

import numpy as np
import wasmtime

from playground.browser import build_kernel

KERNEL = Path(build_kernel.__file__).parent / "kernel.wasm"
PAGE = 65_536
COLUMNS = 4


@cache
def compiled() -> tuple[wasmtime.Engine, wasmtime.Module]:
    """Return the kernel, compiled once for all tests of this process."""
    engine = wasmtime.Engine()
    return engine, wasmtime.Module.from_file(engine, str(KERNEL))


class Kernel:
    """A packed model and the kernel that computes it."""

    def __init__(self, content: bytes, slots: int = 2) -> None:
        assert content[:8] == b"INKLING1"
        (length,) = struct.unpack_from("<I", content, 8)
        self.header = json.loads(content[12 : 12 + length])
        data = content[12 + length :]
        engine, module = compiled()
        self.store = wasmtime.Store(engine)
        self.exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        self.memory = self.exports["memory"]
        base = -(-self.exports["__heap_base"].value(self.store) // 64) * 64
        layers_at = base + len(data)
        end = layers_at + 4 * len(self.header["layers"])
        self.grow(end)
        self.memory.write(self.store, data, base)
        self.write_words(layers_at, self.header["layers"], base, {})
        known = {"slots": slots, "layers": layers_at}
        self.write_words(self.call("model"), self.header["words"], base, known)
        work = -(-end // 64) * 64
        # What setup() says decides how much memory there must be; it writes none.
        self.grow(self.call("setup", work))
        self.data, self.base = data, base
        self.unique_of = self.ids("unique_of")
        self.rows_of = self.ids("rows_of")
        self.unique = int(self.unique_of.max()) + 1

    def call(self, name: str, *arguments: float) -> int:
        found: int = self.exports[name](self.store, *arguments)
        return found

    def grow(self, end: int) -> None:
        missing = -(-end // PAGE) - self.memory.size(self.store)
        if missing > 0:
            self.memory.grow(self.store, missing)

    def write_words(self, at: int, words: list, base: int, known: dict[str, int]) -> None:
        out = b""
        for kind, value in words:
            if kind == "f":
                out += struct.pack("<f", value)
            elif kind == "p":
                out += struct.pack("<i", 0 if value < 0 else base + value)
            else:
                out += struct.pack("<i", known.get(kind, int(value)))
        self.memory.write(self.store, out, at)

    def ids(self, name: str) -> np.ndarray:
        where = self.header[name]
        return np.frombuffer(self.data, f"<u{where['size']}", where["count"], where["offset"])

    def feed(self, columns: list[tuple[int, int, int]]) -> None:
        """Feed up to four (id, slot, position)."""
        rows = [(int(self.rows_of[token]), slot, position) for token, slot, position in columns]
        packed = np.array(rows, dtype="<i4").tobytes()
        self.memory.write(self.store, packed, self.call("columns"))
        self.call("step", len(columns))

    def logits(self, first: int, columns: int) -> np.ndarray:
        """(columns, vocabulary)."""
        self.call("logits", first, columns)
        room = -(-self.unique // 4) * 4
        at = self.call("logits_at")
        content = self.memory.read(self.store, at, at + 4 * columns * room)
        found = np.frombuffer(content, "<f4").reshape(columns, room)
        return found[:, self.unique_of].copy()

    def all_logits(self, ids: list[int], slot: int = 0, at_once: int = COLUMNS) -> np.ndarray:
        """(tokens, vocabulary) after each token of a text."""
        found = []
        for start in range(0, len(ids), at_once):
            part = ids[start : start + at_once]
            self.feed([(token, slot, start + k) for k, token in enumerate(part)])
            found.append(self.logits(0, len(part)))
        return np.concatenate(found)

    def sums(self, column: int, temperature: float) -> tuple[float, float, float]:
        """Largest logit, sum of exp, and sum of exp times the exponent, of a column's logits."""
        self.call("sums", column, 1 / temperature)
        at = self.call("answer")
        return struct.unpack("<3d", self.memory.read(self.store, at, at + 24))
