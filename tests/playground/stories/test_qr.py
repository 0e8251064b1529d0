"""The code of a link: read back by another library, from a picture and from the terminal."""

from __future__ import annotations

import numpy as np
import pytest
import zxingcpp

from playground.stories import qr

LINK = "https://huggingface.co/spaces/somebody/inkling?story=" + "Ab_-9zZ" * 90


def test_a_camera_reads_it() -> None:
    for link in (LINK, "http://192.168.1.5:7860/"):
        image = qr.image(link, 220)
        assert [code.text for code in zxingcpp.read_barcodes(image)] == [link]


def test_it_is_read_from_a_terminal() -> None:
    """Two modules a letter: the upper and the lower half."""
    rows = qr.terminal("http://192.168.1.5:7860/").splitlines()
    halves = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}
    pixels = [[halves[letter][half] for letter in row] for row in rows for half in (0, 1)]
    image = np.kron(np.array(pixels, np.uint8), np.ones((8, 8), np.uint8))
    image = np.pad(image, 40, constant_values=255)
    assert [code.text for code in zxingcpp.read_barcodes(image)] == ["http://192.168.1.5:7860/"]


def test_a_drawing_has_no_size_of_its_own() -> None:
    drawing = qr.svg(LINK)
    assert drawing.startswith("<svg") and "viewBox" in drawing and "width=" not in drawing


def test_a_link_that_is_too_long_is_refused() -> None:
    assert qr.fits("x" * 2_953) and not qr.fits("x" * 2_954) and not qr.fits("")
    with pytest.raises(ValueError, match="at most 2,953 letters"):
        qr.svg("x" * 3_000)
