"""Faults of a disk and of a machine, in the process: a kill at the n-th change, another user."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHANGES = ("mkdir", "fsync", "chmod", "rename", "replace", "unlink", "rmdir")
NOBODY = 65534


class Killed(BaseException):
    """The process is dead: from here on it changes nothing."""


@contextlib.contextmanager
def killed_at(change: int) -> Iterator[list[str]]:
    """Kill the block just before that change of a file system (from 0): it, and all that cleaning
    up would change afterwards, does not happen. Yields the names of the changes that did."""
    done: list[str] = []

    def interpose(name: str) -> Any:
        real = getattr(os, name)

        def changed(*args: Any, **options: Any) -> Any:
            if len(done) >= change:
                raise Killed
            done.append(name)
            return real(*args, **options)

        return changed

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(os, name, interpose(name))
        with contextlib.suppress(Killed):
            yield done


@contextlib.contextmanager
def second_user() -> Iterator[None]:
    """Be a user who owns nothing. Root is one for the time of the block; anybody else stays who
    they are, and takes the rights from the files instead."""
    if not hasattr(os, "seteuid"):
        pytest.skip("no users as on POSIX")
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def public_folder() -> Iterator[Path]:
    """An empty folder that every user may enter; pytest's belong to one."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)
