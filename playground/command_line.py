"""What the playground's commands share: how they complain, and in which letters they write."""

from __future__ import annotations

import argparse
import io
import os
import sys
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Complains with a ValueError, which a command's `main` prints as one sentence."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (--help lists the options)")


def use_utf8() -> None:
    """Write every letter, whatever the locale: files and pipes get UTF-8, and a terminal without a
    letter gets its number, such as \\u65e5."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def typed_text(text: str) -> str:
    """Return a text of the command line, decoded as UTF-8: a locale without UTF-8 (LC_ALL=C) leaves
    its bytes as surrogates. Raises ValueError if the bytes are not UTF-8."""
    try:
        return (
            os.fsencode(text).decode() if any("\ud800" <= one <= "\udfff" for one in text) else text
        )
    except UnicodeError:
        raise ValueError(f"{text!r} is not text: give it in UTF-8.") from None
