"""A book as EPUB 3.3: XHTML pages in a ZIP file, which e-readers, phones and Word open.

Made here and not by a library: the one that is kept up, ebooklib, is under the AGPL. A test has
epubcheck, the format's own checker, read what comes out.
"""

from __future__ import annotations

import html
import io
import re
import uuid
import zipfile
from datetime import datetime, timezone
from importlib import resources

from playground.stories.booklet import Booklet
from playground.stories.language import Language, language_of
from playground.stories.picture import cover
from playground.stories.shared_story import SharedStory

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ENGLISH = 'lang="en" xml:lang="en" dir="ltr"'  # the words that are not the story's


def part(name: str) -> str:
    """A part that every book has; a page without a server makes its books of the same ones."""
    return resources.files("playground").joinpath("web", "epub", name).read_text(encoding="utf-8")


def epub(book: Booklet) -> bytes:
    """The book as the bytes of an .epub file."""
    whole = language_of("\n".join(story.text for story in book.stories))
    pages = {f"story{k}.xhtml": story for k, story in enumerate(book.stories, 1)}
    files: dict[str, str | bytes] = {
        "META-INF/container.xml": part("container.xml"),
        "book/book.opf": package(book, list(pages)),
        "book/style.css": part("style.css"),
        "book/cover.png": cover(book.title, book.by, len(book.stories)),
        "book/cover.xhtml": page(
            book.title,
            f'<div class="cover"><img src="cover.png" alt="{escaped(book.title)}"/></div>',
            language_of(book.title),
        ),
        "book/contents.xhtml": page("Contents", contents(pages), whole),
        **{
            f"book/{name}": page(story.title, body(story), language_of(story.text))
            for name, story in pages.items()
        },
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        # First and not compressed: that is how a reader recognises the format.
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def package(book: Booklet, pages: list[str]) -> str:
    """What the book is and holds; first the language of most of it."""
    whole = language_of("\n".join(story.text for story in book.stories))
    codes = dict.fromkeys([whole.code, *(language_of(story.text).code for story in book.stories)])
    words = "\n".join([book.title, book.by, *(story.text for story in book.stories)])
    items = "\n".join(
        f'<item id="page{k}" href="{name}" media-type="application/xhtml+xml"/>'
        for k, name in enumerate(pages, 1)
    )
    return part("package.opf").format(
        id=uuid.uuid5(uuid.NAMESPACE_URL, words),
        title=escaped(book.title),
        by=escaped(book.by),
        modified=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        items=items,
        language=whole.code,
        languages="".join(f"<dc:language>{code}</dc:language>" for code in codes),
        direction=whole.direction,
        order="".join(f'<itemref idref="page{k}"/>' for k in range(1, len(pages) + 1)),
    )


def page(title: str, content: str, language: Language) -> str:
    """A page of the book."""
    code, direction = language
    return part("page.xhtml").format(
        title=escaped(title), body=content, language=code, direction=direction
    )


def contents(pages: dict[str, SharedStory]) -> str:
    """The table of contents, a page and the reader's own menu."""
    rows = "".join(
        f'<li><a href="{name}">{escaped(story.title)}</a></li>' for name, story in pages.items()
    )
    return f'<nav epub:type="toc"><h1 {ENGLISH}>Contents</h1><ol>{rows}</ol></nav>'


def body(story: SharedStory) -> str:
    """A story's page."""
    paragraphs = "".join(f"<p>{escaped(part)}</p>" for part in story.paragraphs)
    how = escaped(f"{story.model}: {story.settings}")
    link = f' <a href="{escaped(story.link)}">Open it</a>' if story.link else ""
    return (
        f'<h1>{escaped(story.title)}</h1><p class="by">{escaped(story.byline)}</p>'
        f'{paragraphs}<p class="how" {ENGLISH}>{how}.{link}</p>'
    )


def escaped(text: str) -> str:
    """Text without markup, and without the control characters that XML does not allow."""
    return html.escape(NOT_XML.sub("", text))
