"""The book to print: a cover, contents with the right pages, every story, readable codes."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import zxingcpp
from pypdf import PdfReader

from playground.stories.booklet import booklet
from playground.stories.pdf import pdf
from playground.stories.shared_story import SharedStory, Word


@pytest.mark.slow
def test_a_book_has_its_contents_and_its_stories(hostile: SharedStory) -> None:
    long = replace(hostile, title="A long one", words=(Word("The fox ran home. " * 400, True),))
    last = replace(hostile, title="The last", link="")
    book = PdfReader(io.BytesIO(pdf(booklet([hostile, long, last], title="Ours", author="4b"))))
    assert book.metadata is not None and book.metadata.title == "Ours"
    pages = [page.extract_text() for page in book.pages]
    assert "Contents" in pages[1] and "A long one" in pages[1]
    assert '<script>alert("x")</script>' in "".join(pages[2].split("\n"))
    outline = [(one.title, book.get_destination_page_number(one)) for one in book.outline]
    assert [title for title, _ in outline] == [hostile.title, "A long one", "The last"]
    for title, number in outline:
        assert number is not None and title[:8] in pages[number]
        assert f"{number + 1}" in pages[1]
    assert sum(page.count("fox") for page in pages) == 400
    codes = [
        code.text for image in book.pages[2].images for code in zxingcpp.read_barcodes(image.image)
    ]
    assert codes == [hostile.link]


@pytest.mark.slow
def test_one_story_has_no_contents(hostile: SharedStory) -> None:
    book = PdfReader(io.BytesIO(pdf(booklet([hostile]))))
    assert len(book.pages) == 2
    assert "The end." in book.pages[1].extract_text()
