"""How commands read their options, import, print, warn and end."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Complains with a ValueError, which `run_command` prints as one message."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (--help lists the options)")


@contextlib.contextmanager
def quick_imports() -> Iterator[None]:
    """Import large libraries in this block without garbage collection, which takes a fifth of the
    time of importing PyTorch and transformers and finds nothing. Later collections ignore what was
    imported."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def print_every_character() -> None:
    """From now on, print a character that an output cannot hold as its code (`\\u65e5`).

    A Windows pipe has cp1252 and a container's C locale ASCII: without this, a story or the name of
    a file ends the command with a UnicodeEncodeError.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def to_stderr(message: str) -> None:
    """Print a message on standard error."""
    print(message, file=sys.stderr, flush=True)


def say_once(messages: Iterable[str]) -> None:
    """Print messages on standard error, in the first of several processes."""
    if os.environ.get("RANK", "0") in ("", "0"):
        for message in messages:
            to_stderr(message)


@contextlib.contextmanager
def best_effort(what: str, say: Callable[[str], None] = to_stderr) -> Iterator[None]:
    """Run the block; whatever it raises becomes one warning that `what` is left out.

    Only for what the model and its checkpoints do not depend on: a curve, a sample, a report. Every
    kind of error is meant, from a full disk to a bug of a drawing library; Ctrl-C stops the run.
    """
    try:
        yield
    except Exception as error:
        say(f"warning: {what} is left out ({first_line(error)})")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its class where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def refusal(error: BaseException) -> str:
    """Return an error's message; of a package that is missing, how to install it.

    `make play` installs what writing needs, and the page then offers Train too.
    """
    if isinstance(error, ModuleNotFoundError):
        return (
            f"this needs the package {error.name}, which is not installed: run `make .venv/.train` "
            "or `pip install -e '.[train]'` in the project's folder"
        )
    return str(error)


def run_command(work: Callable[[], object], stopped: str = "stopped") -> int:
    """Run a command and return its exit status: 0 when it is done, 2 with one message when it
    cannot be, 130 with `stopped` when it was interrupted."""
    print_every_character()
    try:
        work()
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {refusal(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        return 130
    return 0
