"""In which language a text is, as far as its letters and its small words show it: for e-readers,
which read aloud, break lines and order letters by it.

A script that belongs to one language in most books names it (Devanagari is taken for Hindi). Of
Latin letters the commonest words decide; where they do not, the language is "und", undetermined.
browser/web/story_language.js finds the same, from the same table (web/languages.json).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

WORD = re.compile(r"[^\W\d_]+")
UNDETERMINED = "und"


class Language(NamedTuple):
    """A language as BCP 47 names it, and its direction: "ltr" or "rtl"."""

    code: str
    direction: str


def language_of(text: str) -> Language:
    """The language of a text."""
    scripts, words = table()["scripts"], table()["words"]
    found = Counter(filter(None, map(script_of, text)))
    if not found:
        return Language(UNDETERMINED, "ltr")
    # Japanese has Chinese letters too, and they are often more; Chinese has none of the Japanese.
    if found["CJK"] and (kana := found["HIRAGANA"] + found["KATAKANA"]):
        found["HIRAGANA"] = kana + found.pop("CJK")
    script = max(sorted(found), key=found.__getitem__)
    if script != "LATIN":
        return Language(*scripts.get(script, (UNDETERMINED, "ltr")))
    counts = Counter(WORD.findall(text.lower()))
    scores = {
        code: sum(counts[word] for word in set(known.split())) for code, known in words.items()
    }
    best = max(scores, key=scores.__getitem__)
    is_clear = list(scores.values()).count(scores[best]) == 1
    return Language(best if is_clear else UNDETERMINED, "ltr")


def script_of(letter: str) -> str:
    """The script of a letter, as Unicode's names begin; "" for a sign that is not a letter."""
    if not letter.isalpha():
        return ""
    return unicodedata.name(letter, "").split(" ")[0].split("-")[0]


@lru_cache(1)
def table() -> dict[str, Any]:
    """Languages by script and by word."""
    file = resources.files("playground").joinpath("web", "languages.json")
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return values
