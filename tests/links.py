"""Links that tests write bit by bit (docs/permalink.md): of hand-made bits, and of stories that a
person wrote. Those that a model wrote come from the page's encoder."""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64encode
from collections.abc import Sequence


def sealed(bits: str) -> str:
    """Bits as a link with its checksum."""
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    return urlsafe_b64encode(data + zlib.crc32(data).to_bytes(4, "big")).decode().rstrip("=")


def number(value: int) -> str:
    """The bits of a number."""
    return f"{value:05b}" if value < 16 else f"{16 | value & 15:05b}{number(value >> 4)}"


def by_person(tokens: Sequence[str]) -> str:
    """The bits of a story of one person, from the bits of its tokens."""
    return number(1) + number(0) + number(len(tokens)) + "".join(tokens)


def link_of(ids: Sequence[int], tokenizer: str = "0000", name: str = "fox") -> str:
    """The link of a story that a person wrote for a model with the fingerprint 0."""
    head = f"0011{0:064b}{int(tokenizer, 16):016b}{len(name):06b}"
    letters = "".join(f"{byte:08b}" for byte in name.encode())
    return sealed(head + letters + number(0) + by_person([f"111{one:020b}" for one in ids]))
