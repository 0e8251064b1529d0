"""Parts that the playground's commands share: the argument parser, UTF-8 output, input text."""

from __future__ import annotations

import argparse
import io
import os
import sys
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Raises ValueError, which a command's `main` prints as one error message."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (--help lists the options)")


def add_model_options(parser: Parser) -> None:
    """Add MODEL, --base and --device, which name a model and the device that computes it."""
    add: Any = parser.add_argument
    add("model", metavar="MODEL", help="an export, another model's folder, or its name on the Hub")
    add("--base", metavar="MODEL", help="base of a LoRA adapter (default: as the adapter says)")
    add("--device", default="auto", help="auto, cpu or cuda (default: a GPU if there is one)")


def use_utf8() -> None:
    """Let stdout and stderr accept every character, whatever the locale: files and pipes get UTF-8,
    and a terminal without a character gets its number, such as \\u65e5."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def typed_text(text: str) -> str:
    """Return a text of the command line, decoded as UTF-8: a locale without UTF-8 (LC_ALL=C) leaves
    its bytes as surrogates. Raises ValueError if the bytes are not UTF-8."""
    try:
        has_bytes = any("\ud800" <= character <= "\udfff" for character in text)
        return os.fsencode(text).decode() if has_bytes else text
    except UnicodeError:
        raise ValueError(f"{text!r} is not text: give it in UTF-8.") from None
