"""The command lines beside the run's own: argparse, with errors as every command prints them."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Complains with a ValueError, which a command's `main` prints as one message."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (--help lists the options)")
