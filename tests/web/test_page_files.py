"""The page's files: small enough, and every text in every language and in use."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from playground.page_html import WEB, page_html
from playground.sampling import NUMBERS

VALUE = re.compile(r"\{\w+\}")


def test_the_page_is_light() -> None:
    html = page_html("start_server.js")
    linked = set(re.findall(r'(?:href|src)="web/([^"]+\.(?:css|js))"', html))
    assert {"story/tree.js", "start_failure.js", "style/print.css"} < linked
    assert "learning/view.js" not in linked
    files = [*(WEB / name for name in linked), WEB / "text.json", *WEB.glob("fonts/*.woff2")]
    # Texts in three languages, and what makes files.
    assert len(html.encode()) + sum(file.stat().st_size for file in files) < 450_000


LANGUAGES = ["en", "de", "es"]
PUBLISH = WEB.parent / "publish"
TEXTS = [WEB / name for name in ("text.json", "sources/local/text.json", "studio/text.json")]
TEXTS.append(PUBLISH / "text.json")


@pytest.mark.parametrize("file", TEXTS, ids=["page", "static", "studio", "publish"])
def test_every_language_says_everything(file: Path) -> None:
    texts = json.loads(file.read_text(encoding="utf-8"))
    assert list(texts) == LANGUAGES
    for words in texts.values():
        assert list(words) == list(texts["en"])
        values = {key: sorted(VALUE.findall(text)) for key, text in words.items()}
        assert values == {key: sorted(VALUE.findall(text)) for key, text in texts["en"].items()}


def test_every_text_is_used() -> None:
    texts = json.loads((WEB / "text.json").read_text(encoding="utf-8"))
    files = [*WEB.rglob("*.js"), *WEB.parent.glob("server/*.py")]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    made = re.compile(
        r"(opening_\d|place_\w+|preset_\w+|\w+_hint|link_too_long_\w+)$"
    )  # keys that are put together
    names = {row.name for row in NUMBERS}
    unused = [
        key
        for key in texts["en"]
        if f'"{key}"' not in source and not made.match(key) and key not in names
    ]
    assert unused == []


# Keys of the texts of Train and Models that are put together.
MADE = re.compile(
    r"(axis|curve|do|doing|figure|form|kind|preset|rule|section|state|step|tagline|wait)_\w+"
    r"|\w+_(hint|title)"
)


def test_every_text_of_studio_is_used() -> None:
    texts = json.loads((WEB / "studio/text.json").read_text(encoding="utf-8"))
    files = [
        file for folder in ("studio", "train", "models") for file in WEB.glob(f"{folder}/*.js")
    ]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    unused = [key for key in texts["en"] if f'"{key}"' not in source and not MADE.fullmatch(key)]
    assert unused == []


def test_every_text_that_studio_says_is_there() -> None:
    """Also those that are put together: a key that has no text would be shown itself."""
    common, own = (
        json.loads((WEB / name).read_text(encoding="utf-8"))["en"]
        for name in ("text.json", "studio/text.json")
    )
    files = [
        file for folder in ("studio", "train", "models") for file in WEB.glob(f"{folder}/*.js")
    ]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    keys = re.findall(r'(?:\bsay\(|data-(?:text|label|hint)=)"(\w+)"', source)
    assert [key for key in keys if key not in {**common, **own}] == []


def test_every_text_of_publish_is_used() -> None:
    texts = json.loads((PUBLISH / "text.json").read_text(encoding="utf-8"))["en"]
    source = (PUBLISH / "page.js").read_text(encoding="utf-8")
    keys = set(re.findall(r"\bpublish_\w+", source))
    made = {f"publish_{name}" for name in ("snapshots", "private", "send_model", "send_space")}
    made |= {f"publish_target_{name}" for name in ("static", "zerogpu", "cpu")}
    put_together = {"publish_send_", "publish_target_"}
    assert {*texts, *put_together} == keys | made | {"tagline_publish"}
