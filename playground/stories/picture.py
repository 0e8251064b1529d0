"""A story as a picture for other people's pages: paper and ink, its title, a code of its link.

Drawn with the page's typefaces. Text that does not fit is drawn smaller, then cut at a sentence.
"""

from __future__ import annotations

import bisect
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from playground.stories import qr
from playground.stories.shared_story import SharedStory, Word, shortened

SHAPES = {"wide": (1200, 630), "tall": (1080, 1350)}  # pixels: a link's preview, a phone's screen
COVER = (1184, 1680)  # as A5
# The colours of web/style.css by day.
DESK, PAPER, INK, FAINT, LINE, OWN = (
    "#f3ecdf", "#fffdf8", "#2c2823", "#655b4e", "#d9cdb7", "#294876",
)  # fmt: skip
ODDS = (None, "#fdf3cf", "#fbe3a0", "#f8cd7c", "#f3b06a", "#ec9a6e")
MARGIN, PADDING = 36, 52
SIZES = range(40, 23, -2)  # of the story's letters, the largest that fits
LEADING = 1.5  # of a line to its letters
CODE = {"wide": 220, "tall": 330}  # pixels of the link's code, about
FOOT = 76  # pixels for author and settings

Font = ImageFont.FreeTypeFont


@dataclass(frozen=True)
class Part:
    """A part of a line that is drawn in one go."""

    text: str
    word: Word
    left: float
    right: float


Line = list[Part]


class Face:
    """The story's letters of one size: a person's words are heavier than the model's."""

    def __init__(self, size: int, weights: tuple[int, int] = (400, 560)) -> None:
        self.size = size
        self.of_model, self.of_person = (font("literata", size, weight) for weight in weights)

    def of(self, word: Word) -> Font:
        """The letters of a word."""
        return self.of_model if word.by_model else self.of_person

    def width(self, words: Sequence[Word]) -> float:
        """Of some words in a row, in pixels."""
        return sum(self.of(word).getlength(word.text) for word in words)


@lru_cache(64)
def font(name: str, size: int, weight: int) -> Font:
    """A bundled typeface; both have a weight from 200 to 900."""
    file = resources.files("playground").joinpath("web", "fonts", f"{name}.woff2")
    found = ImageFont.truetype(io.BytesIO(file.read_bytes()), size)
    found.set_variation_by_axes([weight])
    return found


def draw(story: SharedStory, shape: str = "wide", odds: bool = False) -> bytes:
    """The picture as PNG.

    Args:
        shape: "wide" or "tall".
        odds: colour each word by its surprise.

    Raises:
        ValueError: there is no such shape.
    """
    if shape not in SHAPES:
        raise ValueError(f"a picture is wide or tall, not {shape[:20]!r}.")
    width, height = SHAPES[shape]
    image = Image.new("RGB", (width, height), DESK)
    on = ImageDraw.Draw(image)
    on.rounded_rectangle(
        (MARGIN, MARGIN, width - MARGIN, height - MARGIN), radius=10, fill=PAPER, outline=LINE
    )
    left, right = MARGIN + PADDING, width - MARGIN - PADDING
    bottom = height - MARGIN - 30
    beside = 0  # a code takes the corner from the text
    if qr.fits(story.link):
        code = qr.image(story.link, CODE[shape])
        image.paste(code, (right - code.width + 8, bottom - code.height + 8))
        beside = code.width + 16
    is_wide = shape == "wide"
    column = right - left - (beside if is_wide else 0)
    floor = bottom - max(FOOT, 0 if is_wide else beside)
    top = heading(on, story, left, MARGIN + 40, column)
    write(on, story, (left, top, column, floor), odds=odds)
    foot = (f"{story.model} · {story.settings}" if story.author else story.settings, story.byline)
    for k, line in enumerate(foot):
        letters = font("source-sans", 22, 600 if k else 400)
        text = fitted(line, letters, right - left - beside)
        on.text((left, bottom - 30 * k), text, font=letters, fill=FAINT, anchor="ls")
    return as_png(image, story.alternative)


def cover(title: str, by: str, stories: int) -> bytes:
    """A book's cover as PNG, in the proportions of A5."""
    width, height = COVER
    image = Image.new("RGB", COVER, DESK)
    on = ImageDraw.Draw(image)
    frame = (MARGIN * 2, MARGIN * 2, width - MARGIN * 2, height - MARGIN * 2)
    on.rounded_rectangle(frame, radius=10, fill=PAPER, outline=LINE, width=2)
    column = width - 2 * (MARGIN * 2 + PADDING)
    face = Face(84, (600, 600))
    lines = list(wrapped([Word(title, by_model=True)], face, column, 6))
    top = height // 3
    for line in lines[:6]:
        text = "".join(part.text for part in line)
        on.text((width // 2, top), text, font=face.of_model, fill=INK, anchor="ms")
        top += 106
    letters = font("source-sans", 36, 500)
    on.text((width // 2, top), fitted(by, letters, column), font=letters, fill=FAINT, anchor="ms")
    count = f"{stories} stories" if stories > 1 else "A story"
    small = font("source-sans", 30, 400)
    said = f"{count} told with a small language model"
    on.text((width // 2, height - 160), said, font=small, fill=FAINT, anchor="ms")
    return as_png(image, f"The cover of “{title}” by {by}")


def as_png(image: Image.Image, description: str) -> bytes:
    """A picture's file, which says in words what is on it."""
    said = PngImagePlugin.PngInfo()
    said.add_itxt("Description", description)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=6, pnginfo=said)
    return out.getvalue()


def heading(on: ImageDraw.ImageDraw, story: SharedStory, left: int, top: int, column: int) -> int:
    """The title, in at most two lines; the y below it."""
    title = [Word(story.title, by_model=True)]
    for size in (54, 46, 40):
        face = Face(size, (600, 600))
        lines = list(wrapped(title, face, column))
        if len(lines) == 1:
            break
    for k, line in enumerate(lines[:2]):
        text = "".join(part.text for part in line)
        text = fitted(text + "…", face.of_model, column) if k == 1 and len(lines) > 2 else text
        top += round(size * 1.25)
        on.text((left, top - round(size * 0.25)), text, font=face.of_model, fill=INK, anchor="ls")
    return top + 12


def write(
    on: ImageDraw.ImageDraw, story: SharedStory, box: tuple[int, int, int, int], *, odds: bool
) -> None:
    """The story's words in (left, top, width, floor)."""
    left, top, column, floor = box
    lines, face = fitting(story, column, floor - top)
    size = face.size
    for k, line in enumerate(lines):
        baseline = top + round(size * (1.1 + LEADING * k))
        for part in line:
            colour = ODDS[part.word.level] if odds else None
            if colour and part.text.strip():  # the space before a word is not tinted
                space = len(part.text) - len(part.text.lstrip())
                start = part.left + face.of(part.word).getlength(part.text[:space])
                area = (left + start, baseline - size, left + part.right, baseline + 0.3 * size)
                on.rectangle(area, fill=colour)
        for part in line:
            colour = INK if part.word.by_model else OWN
            at = (left + part.left, baseline)
            on.text(at, part.text, font=face.of(part.word), fill=colour, anchor="ls")


def fitting(story: SharedStory, column: int, height: int) -> tuple[list[Line], Face]:
    """The story's lines in the largest letters in which it fits; or in the smallest, cut at a
    sentence."""
    for size in SIZES:
        face, most = Face(size), int(height / (size * LEADING))
        lines = list(wrapped(story.words, face, column, most + 1))
        if len(lines) <= most:
            return lines, face
    text = "".join(word.text for word in story.words)
    length = min(len(text), sum(len(part.text) + 2 for line in lines for part in line))
    while len(lines) > most:
        length = int(0.95 * length)
        words = list(cut(story.words, shortened(text, length)))
        lines = list(wrapped(words, face, column, most + 1))
    return lines, face


def cut(words: Sequence[Word], text: str) -> Iterator[Word]:
    """The words of a text that begins as they do, with what it ends in instead."""
    at = 0
    for word in words:
        part = text[at : at + len(word.text)]
        if part != word.text:
            yield replace(word, text=text[at:])
            return
        yield word
        at += len(part)


def wrapped(words: Sequence[Word], face: Face, column: int, most: int = 200) -> Iterator[Line]:
    """Lines of at most `column` pixels, `most` of them. Tokens that are one word stay together; a
    word that is wider than a line is broken."""
    line: Line = []
    for unit in itertools.islice(units(words), most * column):
        is_end = unit[0].text == "\n"
        x = line[-1].right if line else 0.0
        if is_end or (line and x + face.width(unit) > column):
            yield line
            line, x, most = [], 0.0, most - 1
        if most <= 0:
            return
        if is_end:
            continue
        if not line:  # no space at its beginning
            unit[0] = replace(unit[0], text=unit[0].text.lstrip(" "))
        for word in unit:
            text = word.text
            while text:
                count = letters_that_fit(text, face.of(word), column - x)
                if not count:  # the line is full, in the middle of a long word
                    yield line
                    line, x, most = [], 0.0, most - 1
                    count = max(1, letters_that_fit(text, face.of(word), column))
                end = x + face.of(word).getlength(text[:count])
                line.append(Part(text[:count], word, x, end))
                text, x = text[count:], end
    if line:
        yield line


def letters_that_fit(text: str, letters: Font, width: float) -> int:
    """How many letters of a text stand in a width."""
    if letters.getlength(text) <= width:
        return len(text)
    return bisect.bisect_right(
        range(1, len(text)), width, key=lambda k: letters.getlength(text[:k])
    )


def units(words: Sequence[Word]) -> Iterator[list[Word]]:
    """What must stand in one line: tokens up to the next that begins with a space; line ends by
    themselves."""
    unit: list[Word] = []
    for word in words:
        for text in re.findall(r"\n| *[^ \n]+| +", word.text):
            if text[0] in " \n" and unit:
                yield unit
                unit = []
            unit.append(replace(word, text=text))
            if text == "\n":
                yield unit
                unit = []
    if unit:
        yield unit


def fitted(text: str, letters: Font, column: int) -> str:
    """A line that is cut where the column ends."""
    if letters.getlength(text) <= column:
        return text
    while text and letters.getlength(text + "…") > column:
        text = text[:-1]
    return text.rstrip() + "…"
