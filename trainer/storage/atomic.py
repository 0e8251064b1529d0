"""Write files and directories atomically: beside their path, synced, then renamed.

Their permissions follow the umask: safetensors ignores it and writes with mode 0600, so modes are
set here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_directory(folder: Path) -> Iterator[Path]:
    """Yield a directory to write into, which becomes `folder` when the block ends, and is removed
    if the block fails.

    An older `folder` is removed after the new one is in place. If `folder` is a symbolic link, its
    target is replaced, and the link stays.
    """
    folder = folder.resolve()
    partial, old = (folder.with_name(f"{folder.name}.{end}") for end in ("partial", "old"))
    if partial.exists():
        shutil.rmtree(partial)
    try:
        partial.mkdir(parents=True)
        yield partial
        mode = mode_of_new_file(partial)
        for path in partial.rglob("*"):
            if path.is_file() and path.stat().st_mode & 0o777 != mode:
                with contextlib.suppress(OSError):  # some file systems have no permissions
                    path.chmod(mode)
            sync(path)
        sync(partial)
        if folder.exists():  # a directory cannot replace another that is not empty: two renames
            if old.exists():
                shutil.rmtree(old)
            folder.rename(old)
        partial.rename(folder)
        sync(folder.parent)
    except BaseException:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)  # the new one is in place; `tidy` tries again


@contextlib.contextmanager
def atomic_file(file: Path) -> Iterator[Path]:
    """Yield a path to write to, which becomes `file` when the block ends, and is removed if the
    block fails."""
    partial = file.with_name(f"{file.name}.partial")
    try:
        yield partial
        sync(partial)
        os.replace(partial, file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def tidy(folder: Path, pattern: str) -> None:
    """Clean up after processes that were killed while they wrote directories named `pattern`:
    remove partial ones, and restore old versions that were not replaced."""
    for partial in sorted(folder.glob(f"{pattern}.partial")):
        shutil.rmtree(partial, ignore_errors=True)
    for old in sorted(folder.glob(f"{pattern}.old")):
        current = old.with_suffix("")
        if current.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(current)


def is_writable(folder: Path) -> bool:
    """Return whether this process may create and remove files in a folder."""
    effective = os.access in os.supports_effective_ids
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)


def mode_of_new_file(folder: Path) -> int:
    """Return the permissions that a new file in a folder gets, from the umask or the folder's ACL.

    The umask cannot be read without setting it for all threads for a moment, so a file is created.
    """
    probe = folder / ".mode"
    probe.touch()
    mode = probe.stat().st_mode & 0o777
    probe.unlink()
    return mode


def sync(path: Path) -> None:
    """Flush a file, or a folder's entries, to disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows has no handle for a folder, and renames are durable there
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
