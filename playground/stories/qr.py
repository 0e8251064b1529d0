"""A link as a QR code for the terminal; the page draws its own (web/share/qr.js)."""

from __future__ import annotations

import io


def terminal(link: str) -> str:
    """Return the code in block characters, two modules each."""
    import segno

    out = io.StringIO()
    segno.make_qr(link, error="l", boost_error=False).terminal(out, border=2, compact=True)
    return out.getvalue()
