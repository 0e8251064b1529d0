"""The picture that chats show of a story's link: its title, its first lines and its model.

Drawn with the page's typefaces, which have Latin letters. The page itself draws better ones, of
every script (web/share/picture.js).
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from playground.stories.shared_story import SharedStory, in_one_line, shortened

SIZE = (1200, 630)  # pixels: what Open Graph and Twitter show
# The colours of web/style/base.css by day.
DESK, PAPER, INK, FAINT, LINE = "#f3ecdf", "#fffdf8", "#2c2823", "#655b4e", "#d9cdb7"
MARGIN, PADDING = 36, 52
TITLE, BODY, FOOT = 54, 34, 26  # pixels: sizes of the letters
LEADING = 1.5  # of a line to its letters
TITLE_LINES, BODY_LINES = 2, 5
WORDS_MAX = 600  # letters of a story that are looked at
UNKNOWN = "\U0010ffff"  # which no typeface has
HAS_ENOUGH = 0.5  # part of a text's letters that the typeface must have for it to be drawn

Font = ImageFont.FreeTypeFont


def draw(story: SharedStory) -> bytes:
    """Return the picture as PNG."""
    image = Image.new("RGB", SIZE, DESK)
    on = ImageDraw.Draw(image)
    (width, height), left = SIZE, MARGIN + PADDING
    frame = (MARGIN, MARGIN, width - MARGIN, height - MARGIN)
    on.rounded_rectangle(frame, radius=10, fill=PAPER, outline=LINE)
    column, top = width - 2 * left, MARGIN + 40
    title, body = font("literata", TITLE, 600), font("literata", BODY, 400)
    foot = font("source-sans", FOOT, 600)
    model = drawable(story.model, foot) or "a small language model"
    words = drawable(story.title, title)
    for line in lines(words or model, title, column, TITLE_LINES):
        top += round(1.25 * TITLE)
        on.text((left, top), line, font=title, fill=INK, anchor="ls")
    top += 24
    text = drawable(shortened(in_one_line(story.text), WORDS_MAX), body) if words else "A story"
    for line in lines(text, body, column, BODY_LINES):
        top += round(LEADING * BODY)
        on.text((left, top), line, font=body, fill=INK, anchor="ls")
    (said,) = lines(f"A story by {model}", foot, column, 1)
    on.text((left, height - MARGIN - 30), said, font=foot, fill=FAINT, anchor="ls")
    description = PngImagePlugin.PngInfo()
    description.add_itxt("Description", story.alternative)
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=description)
    return out.getvalue()


@lru_cache
def font(name: str, size: int, weight: int) -> Font:
    """A bundled typeface; both have a weight from 200 to 900."""
    file = resources.files("playground").joinpath("web", "fonts", f"{name}.woff2")
    found = ImageFont.truetype(io.BytesIO(file.read_bytes()), size)
    found.set_variation_by_axes([weight])
    return found


@lru_cache(2**14)
def is_drawn(sign: str, letters: Font) -> bool:
    """Return whether a typeface has a character."""
    return sign == " " or bytes(letters.getmask(sign)) != bytes(letters.getmask(UNKNOWN))


def drawable(text: str, letters: Font) -> str:
    """Return a text as a typeface draws it: emoji that it lacks are left out, and letters that it
    lacks lose their marks; "" if it lacks most of the letters."""
    signs = {sign: sign if is_drawn(sign, letters) else "" for sign in set(text)}
    wanted = [sign for sign in text if sign.isalnum()]
    if sum(bool(signs[sign]) for sign in wanted) <= HAS_ENOUGH * len(wanted):
        return ""
    for sign in filter(str.isalnum, signs):  # a box for one letter is better than another word
        signs[sign] = signs[sign] or unicodedata.normalize("NFKD", sign)[0]
    return " ".join("".join(map(signs.__getitem__, text)).split())


def lines(text: str, letters: Font, column: int, most: int) -> Iterator[str]:
    """Yield a text in at most `most` lines of `column` pixels; the last ends in "…" if there is
    more. A word that is wider than a line is cut."""
    words = text.split()
    for number in range(1, most + 1):
        if not words:
            return
        line = words.pop(0)
        while words and letters.getlength(f"{line} {words[0]}") <= column:
            line += f" {words.pop(0)}"
        if (number == most and words) or letters.getlength(line) > column:
            while letters.getlength(f"{line}…") > column:
                line = line[:-1]
            line = f"{line.rstrip()}…"
        yield line
