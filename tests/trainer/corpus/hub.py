"""A Hub for tests: a local server that answers what huggingface_hub and `datasets` ask about one
data set with two versions of two splits."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow
import pyarrow.parquet

from tests import local_server

NAME = "roneneldan/TinyStories"
NEWEST = "7" * 40  # commit of a data set that was asked for without one


def parquet(stories: list[str], column: str) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({column: stories}), file)
    return file.getvalue()


def digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@dataclass
class DataSet:
    """What is on the Hub.

    Attributes:
        files: content by path.
        failing: the Hub says that it has the data set, and is overloaded when asked for it.
        commits: those that were asked for.
    """

    name: str
    files: dict[str, bytes]
    failing: bool
    commits: set[str] = field(default_factory=set)

    def entry(self, kind: str, path: str) -> dict[str, object]:
        """A line of the list of files."""
        content = self.files.get(path, b"")
        return {"type": kind, "oid": digest(content), "size": len(content), "path": path}

    def tree(self, folder: str) -> list[dict[str, object]]:
        """The files below a folder, "" for all."""
        files = [self.entry("file", path) for path in self.files if path.startswith(folder)]
        return files if folder else [*files, self.entry("directory", "data")]


class Handler(local_server.Handler):
    """One request."""

    data_set: DataSet

    def do_GET(self) -> None:  # noqa: N802
        path, name = self.path.split("?")[0], self.data_set.name
        if path == f"/api/datasets/{name}":
            self.send(200, {"id": name, "sha": NEWEST, "siblings": [], "tags": []})
            return
        match = re.fullmatch(
            rf"(/api)?/datasets/{name}/(revision|tree|resolve)/([^/]+)/?(.*)", path
        )
        if match:
            self.send_part(*match.groups()[1:])
        else:
            self.send(404)

    do_HEAD = do_GET  # noqa: N815

    def send_part(self, kind: str, commit: str, path: str) -> None:
        """Answer what a commit is, which files it has, or one of them."""
        self.data_set.commits.add(commit)
        files = self.data_set.files
        if kind == "revision":
            names = [{"rfilename": file} for file in files]
            about = {"id": self.data_set.name, "sha": commit, "siblings": names, "tags": []}
            self.send(200, about)
        elif self.data_set.failing:
            self.send(503, Retry_After="0")
        elif kind == "tree":
            self.send(200, self.data_set.tree(path))
        elif path in files:
            self.send_file(files[path], commit)
        else:
            self.send(404, X_Error_Code="EntryNotFound")

    def send_file(self, content: bytes, commit: str) -> None:
        """Answer with a file, or with the part of it that is asked for."""
        about = {"ETag": f'"{digest(content)}"', "X_Repo_Commit": commit}
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not part:
            self.send(200, content, **about)
            return
        start, end = int(part[1]), min(int(part[2] or len(content)), len(content) - 1)
        about["Content_Range"] = f"bytes {start}-{end}/{len(content)}"
        self.send(206, content[start : end + 1], **about)


@contextmanager
def serve(
    first: dict[str, list[str]],
    second: dict[str, list[str]],
    failing: bool = False,
    name: str = NAME,
    column: str = "text",
) -> Iterator[tuple[str, set[str]]]:
    """Its address and, as they come in, the commits that were asked for; `first` and `second` are
    the versions: stories of "train" and "validation". A `failing` one says that it has the data
    set, and is overloaded when asked for it."""
    files = {"README.md": b"---\nlicense: cdla-sharing-1.0\n---\n"}
    for split, stories in first.items():
        files[f"data/{split}-00000-of-00001.parquet"] = parquet(stories, column)
    for split, stories in second.items():
        content = "\n<|endoftext|>\n".join(stories)
        files[f"TinyStoriesV2-GPT4-{split[:5]}.txt"] = content.encode()
    data_set = DataSet(name, files, failing)
    answer = type("Answer", (Handler,), {"data_set": data_set})
    with local_server.serving(answer) as address:
        yield address, data_set.commits
