"""Parts that the playground's commands share: argument parser, exit codes, UTF-8, input text."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable
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


def run_command(command: Callable[[], int | None], stopped: str = "") -> int:
    """Run a command; return its exit code (None is 0), 2 after one error message, 1 if the reader
    of its output is gone, or 130 after Ctrl+C. `stopped`: the message then."""
    use_utf8()
    try:
        return command() or 0
    except BrokenPipeError:  # the reader has closed the pipe, as after `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's last flush
        return 1
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{stopped}" if stopped else "", file=sys.stderr)
        return 130


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
