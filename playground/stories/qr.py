"""A link as a QR code: for a picture, a screen in front of a class, and the terminal."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

QUIET = 4  # modules of white around it, as the standard asks (ISO 18004)
LETTERS_MAX = 2_953  # bytes that the largest code holds


def fits(link: str) -> bool:
    """Whether a link is short enough for a code."""
    return 0 < len(link.encode()) <= LETTERS_MAX


def code_of(link: str) -> Any:
    """The code, of the size that the link needs.

    Raises:
        ValueError: it is too long.
    """
    import segno

    if not fits(link):
        raise ValueError(f"a QR code holds at most {LETTERS_MAX:,} letters: send the link itself.")
    return segno.make_qr(link, error="l", boost_error=False)


def image(link: str, size: int) -> Image.Image:
    """The code as a picture of about `size` x `size` pixels: whole pixels a module, so that a
    camera sees edges, and two at least; ValueError as of `code_of`."""
    code = code_of(link)
    modules = code.symbol_size(border=QUIET)[0]
    out = io.BytesIO()
    code.save(out, kind="png", scale=max(2, size // modules), border=QUIET)
    return Image.open(out).convert("RGB")


def svg(link: str) -> str:
    """The code as a drawing without a size of its own; ValueError as of `code_of`."""
    out = io.BytesIO()
    code_of(link).save(
        out, kind="svg", border=QUIET, omitsize=True, xmldecl=False, light="#ffffff", dark="#000000"
    )
    return out.getvalue().decode()


def terminal(link: str) -> str:
    """The code in letters, two modules high each; ValueError as of `code_of`."""
    out = io.StringIO()
    code_of(link).terminal(out, border=2, compact=True)
    return out.getvalue()
