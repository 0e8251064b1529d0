"""Draw stories as a picture; a token's background shows how much it surprised the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

COLUMNS = 96  # characters in a line
ADVANCE, LINE = 8.4, 24  # pixels of a character and of a line, of 14-pixel monospace
MARGIN = 16
GROUND = "#fdf9f3"
INK = "#1d2733"
SURPRISE = "#b5482a"
MOST = 8.0  # nats with the full colour: a probability of 1 in 3,000
Token = tuple[str, float]  # its text, its nats


def draw_stories(file: Path, stories: Sequence[tuple[str, list[Token]]]) -> None:
    """Write an SVG: each story under its heading, as tokens with their nats."""
    parts, y = [], MARGIN + LINE
    for heading, tokens in stories:
        parts.append(text(MARGIN, y, heading, weight="bold"))
        y += LINE
        for line in broken(tokens):
            column = 0
            for characters, nats in line:
                x = MARGIN + column * ADVANCE
                parts.append(ground(x, y, len(characters), nats))
                parts.append(text(x, y, characters))
                column += len(characters)
            y += LINE
        y += LINE
    width, height = round(2 * MARGIN + COLUMNS * ADVANCE), y
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="monospace" font-size="14" fill="{INK}">'
        f'<rect width="{width}" height="{height}" fill="{GROUND}"/>{"".join(parts)}</svg>\n',
        encoding="utf-8",
    )


def broken(tokens: Sequence[Token]) -> list[list[Token]]:
    """Return the tokens in lines, broken at the story's line breaks and before words that do not
    fit."""
    lines: list[list[Token]] = [[]]
    column = 0
    for characters, nats in tokens:
        for number, part in enumerate(characters.split("\n")):
            if number:
                lines.append([])
                column = 0
            if column + len(part) > COLUMNS and part.startswith(" "):
                lines.append([])
                column = 0
            while part:  # a token longer than a line, or inside a word
                room = COLUMNS - column
                lines[-1].append((part[:room], nats))
                column += len(part[:room])
                part = part[room:]
                if part:
                    lines.append([])
                    column = 0
    return lines


def ground(x: float, y: float, characters: int, nats: float) -> str:
    """Return the coloured rectangle behind some characters."""
    return (
        f'<rect x="{x:.1f}" y="{y - 16}" width="{characters * ADVANCE:.1f}" height="21"'
        f' fill="{SURPRISE}" fill-opacity="{0.75 * min(1.0, nats / MOST):.2f}"/>'
    )


def text(x: float, y: float, characters: str, weight: str = "normal") -> str:
    """Return some characters at a fixed width, so that every monospace font fits the colours."""
    return (
        f'<text x="{x:.1f}" y="{y}" textLength="{len(characters) * ADVANCE:.1f}"'
        f' lengthAdjust="spacingAndGlyphs" font-weight="{weight}" xml:space="preserve">'
        f"{escape(characters)}</text>"
    )
