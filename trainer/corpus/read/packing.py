"""Unpack files of stories: compression, and archives of several files.

    stories.jsonl.gz .zst .xz .bz2      compressed
    stories.zip .tar .tar.gz .tgz ...   an archive; its members are read like the files of a folder

Compression is recognised by the first bytes, so a gzip named `.jsonl` is read too. An archive is
read from its start to its end; nothing is unpacked to the disk.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.output.console import first_line
from trainer.storage.checksummed_json import sha256

PIECE = 2**20  # bytes
MAGIC = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
}
SUFFIXES = {".gz": "gzip", ".zst": "zstd", ".xz": "xz", ".bz2": "bzip2"}
ARCHIVE = re.compile(r"\.(?:zip|tar|tar\.(?:gz|bz2|xz|zst)|tgz|tbz2?|txz)$", re.IGNORECASE)
POINTER = b"version https://git-lfs.github.com/spec/"


class Stream:
    """Bytes that are read forward, with a look ahead."""

    def __init__(self, source: Callable[[int], bytes]) -> None:
        """`source` returns some of the next bytes, none at the end; its argument is the most that
        is needed."""
        self.source, self.ahead = source, b""

    def look(self, size: int) -> bytes:
        """Return the next bytes without reading past them; fewer than `size` only at the end."""
        parts, missing = [self.ahead], size - len(self.ahead)
        while missing > 0 and (part := self.source(missing)):
            parts.append(part)
            missing -= len(part)
        self.ahead = b"".join(parts)
        return self.ahead[:size]

    def read(self, size: int) -> bytes:
        """Return the next bytes; fewer than `size` only at the end."""
        part = self.look(size)
        self.ahead = self.ahead[size:]
        return part

    def pieces(self) -> Iterator[bytes]:
        """Yield the rest of the stream."""
        while piece := self.read(PIECE):
            yield piece


def stream_of(pieces: Iterable[bytes]) -> Stream:
    """Return a stream of some pieces."""
    filled = filter(None, pieces)
    return Stream(lambda _: next(filled, b""))


@dataclass(frozen=True)
class StoryFile:
    """A file on the disk, or a member of an archive."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """The file's own name, whose ending is its kind."""
        return Path(self.member or self.path).name

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)


@dataclass(frozen=True)
class OpenFile:
    """The unpacked content of a file.

    Attributes:
        file: its path, and its name inside an archive.
        stream: its content.
        raw: the open file on the disk.
        start: its offset there, in bytes.
        compression: the name of its compression; "" if it is not compressed.
    """

    file: StoryFile
    stream: Stream
    raw: Any
    start: int = 0
    compression: str = ""

    def position(self) -> int:
        """Return how many bytes were read from the disk since its start."""
        return int(self.raw.tell()) - self.start

    def checksum(self) -> str:
        """Return the SHA-256 of the file on the disk; the position stays."""
        before = self.raw.tell()
        self.raw.seek(0)
        checksum = sha256(self.raw)
        self.raw.seek(before)
        return checksum


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive, by its name."""
    return ARCHIVE.search(path.name) is not None


def bare_name(name: str) -> str:
    """Return a name in lower case without the suffix of its compression."""
    name = name.lower()
    suffix = Path(name).suffix
    return name.removesuffix(suffix) if suffix in SUFFIXES else name


def members_of(path: Path) -> list[StoryFile]:
    """Return the files in an archive, in its order, without hidden files of the system."""
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            names = [member.filename for member in archive.infolist() if not member.is_dir()]
    else:
        with open_tar(path) as (tar, _):
            names = [member.name for member in tar if member.isfile()]
    return [
        StoryFile(path, name)
        for name in dict.fromkeys(names)
        if not any(part.startswith((".", "__MACOSX")) for part in Path(name).parts)
    ]


def open_files(files: Iterable[StoryFile]) -> Iterator[OpenFile]:
    """Open one file after the other, an archive once for all its members. The next file closes the
    one before."""
    for members in runs(files):
        path = next(iter(members.values())).path
        if "" in members:
            with path.open("rb") as raw:
                yield unpacked(members[""], raw, raw)
        elif path.name.lower().endswith(".zip"):
            with path.open("rb") as raw, zipfile.ZipFile(raw) as archive:
                for name, file in members.items():
                    with archive.open(name) as member:
                        yield unpacked(file, member, raw)
        else:
            with open_tar(path) as (tar, raw):
                for entry in tar:
                    if entry.name in members and (content := tar.extractfile(entry)):
                        yield unpacked(members[entry.name], content, raw)


def runs(files: Iterable[StoryFile]) -> list[dict[str, StoryFile]]:
    """Return the files in groups that are read together: the members of an archive by name, or a
    single file. A file that is named twice is read twice."""
    groups: list[dict[str, StoryFile]] = []
    before = None
    for file in files:
        if file.path != before or file.member in groups[-1]:
            groups.append({})
        groups[-1][file.member] = file
        before = file.path
    return groups


@contextlib.contextmanager
def open_tar(path: Path) -> Iterator[tuple[tarfile.TarFile, Any]]:
    """Open a tar archive, compressed or not, to be read forward."""
    with path.open("rb") as raw:
        stream = unpacked(StoryFile(path), raw, raw).stream
        with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]
            yield tar, raw


def unpacked(file: StoryFile, content: Any, raw: Any) -> OpenFile:
    """Return a file without its compression. Raises ValueError if Git LFS has not fetched it.

    Args:
        file: its path, and its name inside an archive.
        content: its bytes, a stream with `peek`.
        raw: the open file on the disk.
    """
    before = raw.tell()
    start = content.peek(len(POINTER))[: len(POINTER)]
    if start == POINTER:
        raise ValueError(
            f"{file} holds a pointer of Git LFS, not stories: fetch them with git lfs pull"
        )
    named = SUFFIXES.get(Path(file.name.lower()).suffix, "")
    if not file.member and file.path.name.lower().endswith(".tgz"):
        named = "gzip"
    compression = next((name for name, magic in MAGIC.items() if magic.match(start)), named)
    stream = Stream(decompressed(content, compression).read)
    return OpenFile(file, stream, raw, before, compression)


def decompressed(content: Any, compression: str) -> Any:
    """Return a reader of a compressed stream's content."""
    if compression == "gzip":
        # Unlike pyarrow's reader, gzip skips the zeros of a tape's padding.
        return gzip.GzipFile(fileobj=content)
    if compression == "xz":
        return lzma.LZMAFile(content)
    if compression == "bzip2":
        return bz2.BZ2File(content)
    if compression == "zstd":
        import pyarrow

        # Unlike zstandard's reader, pyarrow's raises when the last frame is cut off.
        return pyarrow.CompressedInputStream(pyarrow.PythonFile(content, mode="r"), "zstd")
    return content


# Errors of a damaged or locked file; RuntimeError: a zip with a password, or of an unknown
# compression.
DAMAGED = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    RuntimeError,
)


@contextlib.contextmanager
def unbroken(file: object) -> Iterator[None]:
    """Turn the errors of reading a file into one message."""
    try:
        yield
    except DAMAGED as error:
        reason = first_line(error)
        raise ValueError(f"{file} cannot be read to its end ({reason}): fetch it again") from None
