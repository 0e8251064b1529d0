"""A book as PDF, to print: A5, a cover, contents, and a page for each story."""

from __future__ import annotations

import io
import logging
from importlib import resources
from typing import Any

from playground.stories import qr
from playground.stories.booklet import Booklet
from playground.stories.picture import FAINT, INK, cover
from playground.stories.shared_story import SharedStory

MARGIN = 18.0  # millimetres
CODE = 30.0  # of a link's code
LINE = 6.6
A5 = (148, 210)  # millimetres
A_PAGE_OF_CONTENTS = 22  # rows


def pdf(book: Booklet) -> bytes:
    """The book as the bytes of a .pdf file."""
    from fpdf import FPDF, Align

    logging.getLogger("fpdf").setLevel(logging.ERROR)  # of letters that a typeface lacks
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    paper = FPDF(format=A5)
    paper.set_title(book.title)
    paper.set_author(book.by)
    paper.set_creator("Inkling")
    paper.set_margin(MARGIN)
    paper.set_auto_page_break(True, MARGIN)
    fonts = resources.files("playground").joinpath("web", "fonts")
    for family, style, weight in (("serif", "", 400.0), ("serif", "B", 600.0), ("sans", "", 400.0)):
        file = fonts.joinpath(f"{'literata' if family == 'serif' else 'source-sans'}.woff2")
        paper.add_font(family, style, str(file), variations={"wght": weight})
    paper.add_page()
    paper.image(
        io.BytesIO(cover(book.title, book.by, len(book.stories))),
        x=Align.C, y=0, w=paper.w, h=paper.h, keep_aspect_ratio=False, alt_text=book.title,
    )  # fmt: skip
    if len(book.stories) > 1:
        paper.add_page()
        pages = -(-len(book.stories) // A_PAGE_OF_CONTENTS)
        paper.insert_toc_placeholder(contents, pages=pages)
    for k, story in enumerate(book.stories):
        if k or len(book.stories) == 1:  # after the contents there is a page already
            paper.add_page()
        write(paper, story)
    return bytes(paper.output())


def ink(paper: Any, colour: str, family: str, style: str, size: float) -> None:
    """The letters that come next."""
    paper.set_text_color(*(int(colour[k : k + 2], 16) for k in (1, 3, 5)))
    paper.set_font(family, style, size)


def contents(paper: Any, outline: Any) -> None:
    """The table of contents, when all pages are known."""
    ink(paper, INK, "serif", "B", 20)
    paper.cell(0, 14, "Contents", new_x="LMARGIN", new_y="NEXT")
    ink(paper, INK, "serif", "", 11)
    for section in outline:
        link = paper.add_link(page=section.page_number)
        name, number = section.name, str(section.page_number)
        width = paper.epw - paper.get_string_width(number) - 4
        while paper.get_string_width(name) > width:
            name = name[:-2].rstrip() + "…"
        paper.cell(width, 7, name, link=link)
        paper.cell(0, 7, number, align="R", link=link, new_x="LMARGIN", new_y="NEXT")


def write(paper: Any, story: SharedStory) -> None:
    """A story's page, or pages if it is long, with the code of its link at the end."""
    paper.start_section(story.title)
    below = {"new_x": "LMARGIN", "new_y": "NEXT", "align": "L"}
    ink(paper, INK, "serif", "B", 20)
    paper.multi_cell(0, 9, story.title, **below)
    ink(paper, FAINT, "sans", "", 10)
    paper.multi_cell(0, 6, story.byline, **below)
    paper.ln(4)
    ink(paper, INK, "serif", "", 12)
    for part in story.paragraphs:
        paper.multi_cell(0, LINE, part, **below)
        paper.ln(1.6)
    has_code = qr.fits(story.link)
    height = CODE if has_code else 10
    if paper.will_page_break(height + 4):
        paper.add_page()
    top = paper.h - MARGIN - height
    ink(paper, FAINT, "sans", "", 8.5)
    if has_code:
        code = qr.image(story.link, 400)
        paper.image(code, x=MARGIN, y=top, w=CODE, h=CODE, link=story.link, alt_text="QR code")
        paper.set_xy(MARGIN + CODE + 4, top + CODE - 9)
        paper.multi_cell(
            0, 4, f"{story.model}: {story.settings}.\nThe code opens the story.", **below
        )
    else:
        paper.set_xy(MARGIN, top + 5)
        paper.multi_cell(0, 4, f"{story.model}: {story.settings}.", **below)
