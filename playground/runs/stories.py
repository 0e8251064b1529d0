"""Uploaded stories to train on: sets of files in a folder beside the folder of runs.

    stories/SET/FILE

Uploads are atomic. Names cannot contain a path, and symbolic links are not followed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import unicodedata
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playground.runs.errors import Missing, Refused, TooLarge, disk_error
from playground.runs.folder import checked_name, sizes, subfolders

LIMIT = 2 * 2**30  # bytes of a set
FILES_MAX = 10_000
PREFIX = "stories/"
FORBIDDEN = set('/\\:*?"<>|')  # in file names, on some operating system


class StorySets:
    """The sets in a folder, which need not exist. `limit`: bytes per set."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit

    def all(self) -> list[dict[str, Any]]:
        """Return all sets with their files."""
        return [self.about(path.name) for path in subfolders(self.folder)]

    def about(self, name: str) -> dict[str, Any]:
        """Return a set's name, source, size and files."""
        found = dict(sizes(self.folder / name))
        files = [{"name": file, "bytes": size} for file, size in found.items()]
        total = sum(found.values())
        return {"name": name, "source": f"{PREFIX}{name}", "bytes": total, "files": files}

    def path(self, name: Any) -> Path:
        """Return the folder for a set, existing or not; Refused for an invalid name."""
        path = self.folder / checked_name(name, "a set")
        if path.is_symlink() or self.folder.is_symlink():
            raise Refused(f"{path} is a link, which is not followed: remove it.")
        return path

    def source(self, name: Any) -> Any:
        """Return the trainer's name of a source: the folder of a set, any other value unchanged.

        Raises:
            Missing: the set does not exist.
        """
        if not isinstance(name, str) or not name.startswith(PREFIX) or "," in name:
            return name
        path = self.path(name.removeprefix(PREFIX))
        if not path.is_dir():
            raise Missing(f"there are no stories {name!r} any more: add them again.")
        return str(path)

    async def write(self, name: Any, file: Any, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        """Write a file of a set, and return the details of the set.

        Raises:
            Refused: a name is invalid.
            TooLarge: the set would exceed its limit; the file is not kept.
            DiskFull: the disk is full; the file is not kept.
        """
        folder, title = self.path(name), file_name(file)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            others = [size for other, size in sizes(folder) if other != title]
            if len(others) >= FILES_MAX:
                raise TooLarge(f"{name} has {FILES_MAX:,} files, the most allowed: join some.")
            await self.receive(folder / title, chunks, self.limit - sum(others))
        except OSError as problem:
            raise disk_error(f"{title} cannot be written to {folder}", problem) from None
        finally:
            with contextlib.suppress(OSError):
                folder.rmdir()  # only if it is empty, after a failed first upload
        return self.about(str(name))

    async def receive(self, path: Path, chunks: AsyncIterator[bytes], room: int) -> None:
        """Write the chunks to a file of at most `room` bytes, atomically."""
        partial, size = path.with_name(f".{uuid.uuid4().hex}.partial"), 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(partial, flags, 0o644), "wb") as output:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > room:
                        raise TooLarge(
                            f"a set of stories has at most {self.limit / 1e9:.1f} GB: give a file "
                            "on this machine by its path instead."
                        )
                    output.write(chunk)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def delete(self, name: Any, again: Any) -> None:
        """Delete a set; Refused if `again` is not its name, Missing if it does not exist."""
        path = self.path(name)
        if not path.is_dir():
            raise Missing(f"there are no stories {name!r} any more.")
        if again != name:
            raise Refused(f"type the name, {name}, to delete these stories.")
        shutil.rmtree(path)


def file_name(name: Any) -> str:
    """Return a file name that is valid on every system; Refused for any other value."""
    text = unicodedata.normalize("NFC", name) if isinstance(name, str) else ""
    is_plain = text.isprintable() and not FORBIDDEN & set(text) and text == text.strip(" .")
    if not text or not is_plain or text.startswith(".") or len(os.fsencode(text)) > 200:
        raise Refused(
            f"{str(name)[:40]!r} cannot be the name of a file here: give letters, digits, spaces, "
            "dots and hyphens, at most 200 bytes."
        )
    return text
