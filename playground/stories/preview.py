"""The preview image of a story's link in chats (Open Graph): title, first lines and model.

It is drawn with the page's fonts, which have Latin letters only. The page draws better pictures, in
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

SIZE = (1200, 630)  # pixels, as Open Graph and Twitter recommend
# The light colours of web/style/base.css.
BACKGROUND, PAGE, TEXT, MUTED, BORDER = "#f3ecdf", "#fffdf8", "#2c2823", "#655b4e", "#d9cdb7"
MARGIN, PADDING = 36, 52
TITLE, BODY, FOOTER = 54, 34, 26  # font sizes in pixels
LINE_HEIGHT = 1.5  # relative to the font size
TITLE_LINES, BODY_LINES = 2, 5
TEXT_MAX = 600  # characters of a story that are laid out
UNKNOWN = "\U0010ffff"  # a code point without a glyph
MIN_COVERAGE = 0.5  # part of a text's letters that the font must have for the text to be drawn

Font = ImageFont.FreeTypeFont


def draw(story: SharedStory) -> bytes:
    """Return the image as PNG."""
    image = Image.new("RGB", SIZE, BACKGROUND)
    canvas = ImageDraw.Draw(image)
    (width, height), left = SIZE, MARGIN + PADDING
    frame = (MARGIN, MARGIN, width - MARGIN, height - MARGIN)
    canvas.rounded_rectangle(frame, radius=10, fill=PAGE, outline=BORDER)
    column, top = width - 2 * left, MARGIN + 40
    title_font, body_font = font("literata", TITLE, 600), font("literata", BODY, 400)
    footer_font = font("source-sans", FOOTER, 600)
    model = drawable(story.model, footer_font) or "a small language model"
    title = drawable(story.title, title_font)
    for line in lines(title or model, title_font, column, TITLE_LINES):
        top += round(1.25 * TITLE)
        canvas.text((left, top), line, font=title_font, fill=TEXT, anchor="ls")
    top += 24
    text = drawable(shortened(in_one_line(story.text), TEXT_MAX), body_font) if title else "A story"
    for line in lines(text, body_font, column, BODY_LINES):
        top += round(LINE_HEIGHT * BODY)
        canvas.text((left, top), line, font=body_font, fill=TEXT, anchor="ls")
    (footer,) = lines(f"A story by {model}", footer_font, column, 1)
    canvas.text((left, height - MARGIN - 30), footer, font=footer_font, fill=MUTED, anchor="ls")
    description = PngImagePlugin.PngInfo()
    description.add_itxt("Description", story.alternative)
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=description)
    return out.getvalue()


@lru_cache
def font(name: str, size: int, weight: int) -> Font:
    """Return a bundled variable font in a weight from 200 to 900."""
    file = resources.files("playground").joinpath("web", "fonts", f"{name}.woff2")
    loaded = ImageFont.truetype(io.BytesIO(file.read_bytes()), size)
    loaded.set_variation_by_axes([weight])
    return loaded


@lru_cache(2**14)
def has_glyph(character: str, font: Font) -> bool:
    """Return whether a font has a glyph for a character."""
    return character == " " or bytes(font.getmask(character)) != bytes(font.getmask(UNKNOWN))


def drawable(text: str, font: Font) -> str:
    """Return a text without characters that the font lacks: letters lose their diacritics, emoji
    are left out; "" if the font lacks most of the letters."""
    glyphs = {character: character if has_glyph(character, font) else "" for character in set(text)}
    letters = [character for character in text if character.isalnum()]
    if sum(bool(glyphs[letter]) for letter in letters) <= MIN_COVERAGE * len(letters):
        return ""
    for letter in filter(str.isalnum, glyphs):  # an empty box is better than another word
        glyphs[letter] = glyphs[letter] or unicodedata.normalize("NFKD", letter)[0]
    return " ".join("".join(map(glyphs.__getitem__, text)).split())


def lines(text: str, font: Font, column: int, max_lines: int) -> Iterator[str]:
    """Yield a text in at most `max_lines` lines of `column` pixels. The last line ends in "…" if
    the text is longer. A word that is wider than a line is cut."""
    words = text.split()
    for number in range(1, max_lines + 1):
        if not words:
            return
        line = words.pop(0)
        while words and font.getlength(f"{line} {words[0]}") <= column:
            line += f" {words.pop(0)}"
        if (number == max_lines and words) or font.getlength(line) > column:
            while font.getlength(f"{line}…") > column:
                line = line[:-1]
            line = f"{line.rstrip()}…"
        yield line
