"""The name of a story's file, which every system takes."""

from __future__ import annotations

import re
import unicodedata

LETTERS_MAX = 60
# Devices of Windows, whatever stands behind the first dot.
RESERVED = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³])", re.IGNORECASE)


def file_name(title: str) -> str:
    """A title as the name of a file, without its ending: letters, marks and numbers of any script,
    small, with hyphens between words; "story" if the title has none of them."""
    kept = [
        letter if unicodedata.category(letter)[0] in "LMN" else "-"
        for letter in unicodedata.normalize("NFC", title.lower())
    ]
    name = shortened(re.sub("-+", "-", "".join(kept)).strip("-")) or "story"
    return f"{name}-story" if RESERVED.fullmatch(name) else name


def shortened(name: str) -> str:
    """At most LETTERS_MAX letters, without a last one that has lost its marks."""
    if len(name) <= LETTERS_MAX:
        return name
    end = LETTERS_MAX
    while end and unicodedata.category(name[end])[0] == "M":
        end -= 1
    return name[:end].rstrip("-")
