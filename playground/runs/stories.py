"""Stories that a person brings to train on: sets of files in a folder beside the runs folder.

    stories/SET/FILE

A file is written beside its place and renamed when it is whole. Names lead nowhere else, and links
are not followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import unicodedata
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playground.runs.errors import DiskFull, Missing, Refused, TooLarge
from playground.runs.folder import NAME, sizes

LIMIT = 2 * 2**30  # bytes of a set
FILES_MAX = 10_000
PREFIX = "stories/"
FORBIDDEN = set('/\\:*?"<>|')  # in the names of files, on one system or another


class StorySets:
    """The sets in a folder; it need not exist."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit

    def all(self) -> list[dict[str, Any]]:
        """Return all sets with their files."""
        try:
            entries = sorted(os.scandir(self.folder), key=lambda entry: entry.name)
        except OSError:
            return []
        return [
            self.about(entry.name)
            for entry in entries
            if NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]

    def about(self, name: str) -> dict[str, Any]:
        """Return the details of a set."""
        files = [{"name": file, "bytes": size} for file, size in sizes(self.folder / name)]
        total = sum(size for _, size in sizes(self.folder / name))
        return {"name": name, "source": f"{PREFIX}{name}", "bytes": total, "files": files}

    def path(self, name: Any) -> Path:
        """The folder of a set, which need not be there; Refused for what is not a name."""
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise Refused(
                f"{str(name)[:40]!r} cannot be the name of stories: give 1 to 64 characters: "
                "letters, digits, dots, hyphens and underscores, the first a letter or a digit."
            )
        place = self.folder / name
        if place.is_symlink() or self.folder.is_symlink():
            raise Refused(f"{place} is a link, which is not followed: remove it.")
        return place

    def source(self, name: Any) -> Any:
        """A source of stories as the trainer takes it: of a set its folder, else what was given.

        Raises:
            Missing: there is no such set.
        """
        if not isinstance(name, str) or not name.startswith(PREFIX) or "," in name:
            return name
        place = self.path(name.removeprefix(PREFIX))
        if not place.is_dir():
            raise Missing(f"there are no stories {name!r} any more: add them again.")
        return str(place)

    async def write(self, name: Any, file: Any, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        """Write a file of a set, and return what there is to say of the set.

        Raises:
            Refused: a name that is not one.
            TooLarge: the set would have more than the limit, and the file is not kept.
            DiskFull: the same for the disk.
        """
        place, title = self.path(name), file_name(file)
        try:
            place.mkdir(parents=True, exist_ok=True)
            others = [(one, size) for one, size in sizes(place) if one != title]
            if len(others) >= FILES_MAX:
                raise TooLarge(f"{name} has {FILES_MAX:,} files, as many as are taken: join them.")
            await self.receive(place / title, chunks, self.limit - sum(size for _, size in others))
        except OSError as problem:
            kind = DiskFull if problem.errno in (errno.ENOSPC, errno.EDQUOT) else Refused
            raise kind(
                f"{title} cannot be written to {place} ({problem.strerror}): make room, or give "
                "the app another --runs."
            ) from None
        finally:
            with contextlib.suppress(OSError):
                place.rmdir()  # if nothing came of it
        return self.about(str(name))

    async def receive(self, path: Path, chunks: AsyncIterator[bytes], room: int) -> None:
        """Write what comes to a file of at most `room` bytes, all or nothing."""
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
        """Delete a set; Refused where `again` is not its name, Missing where it is missing."""
        place = self.path(name)
        if not place.is_dir():
            raise Missing(f"there are no stories {name!r} any more.")
        if again != name:
            raise Refused(f"type the name, {name}, to delete these stories.")
        shutil.rmtree(place)


def file_name(name: Any) -> str:
    """The name of a file that is safe on every system; Refused for what is not one."""
    text = unicodedata.normalize("NFC", name) if isinstance(name, str) else ""
    is_plain = text.isprintable() and not FORBIDDEN & set(text) and text == text.strip(" .")
    if not text or not is_plain or text.startswith(".") or len(os.fsencode(text)) > 200:
        raise Refused(
            f"{str(name)[:40]!r} cannot be the name of a file here: give letters, digits, spaces, "
            "dots and hyphens, at most 200 bytes."
        )
    return text
