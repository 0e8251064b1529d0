"""The page's files: small enough, and every sentence in both languages and in use."""

from __future__ import annotations

import json
import re

from playground.pages.write import WEB
from playground.sampling import NUMBERS


def test_the_page_is_light() -> None:
    files = [file for ending in ("js", "css", "json", "html") for file in WEB.glob(f"*.{ending}")]
    size = sum(file.stat().st_size for file in [*files, *WEB.glob("fonts/*.woff2")])
    assert size < 430_000


def test_both_languages_say_everything() -> None:
    texts = json.loads((WEB / "text.json").read_text(encoding="utf-8"))
    assert {name: sorted(words) for name, words in texts.items()} == {
        name: sorted(texts["en"]) for name in ("en", "de")
    }
    files = [*WEB.glob("*.js"), *WEB.parent.glob("pages/*.py")]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    made = re.compile(
        r"(opening_\d|preset_\w+|\w+_hint|link_too_long_\w+)$"
    )  # keys that are put together
    names = {row.name for row in NUMBERS}
    unused = [
        key
        for key in texts["en"]
        if f'"{key}"' not in source and not made.match(key) and key not in names
    ]
    assert unused == []
