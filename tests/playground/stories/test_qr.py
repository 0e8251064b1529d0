"""The code of a link in the terminal, read back by another library."""

from __future__ import annotations

import numpy as np
import zxingcpp

from playground.stories import qr


def test_it_is_read_from_a_terminal() -> None:
    """Two modules a letter: the upper and the lower half."""
    rows = qr.terminal("http://192.168.1.5:7860/").splitlines()
    halves = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}
    pixels = [[halves[letter][half] for letter in row] for row in rows for half in (0, 1)]
    image = np.kron(np.array(pixels, np.uint8), np.ones((8, 8), np.uint8))
    image = np.pad(image, 40, constant_values=255)
    assert [code.text for code in zxingcpp.read_barcodes(image)] == ["http://192.168.1.5:7860/"]
