"""A Hub for tests: a local server that answers what huggingface_hub and `datasets` ask about one
data set with two versions of two splits."""

import hashlib
import http.server
import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow
import pyarrow.parquet

NAME = "roneneldan/TinyStories"
NEWEST = "7" * 40  # commit of a data set that was asked for without one


def parquet(stories: list[str], column: str) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({column: stories}), file)
    return file.getvalue()


@contextmanager
def serve(
    first: dict[str, list[str]],
    second: dict[str, list[str]],
    failing: bool = False,
    name: str = NAME,
    column: str = "text",
) -> Iterator[tuple[str, set]]:
    """Its address and, as they come in, the commits that were asked for; `first` and `second` are
    the versions: stories of "train" and "validation". A `failing` one says that it has the data
    set, and is overloaded when asked for it."""
    files = {"README.md": b"---\nlicense: cdla-sharing-1.0\n---\n"}
    for split, stories in first.items():
        files[f"data/{split}-00000-of-00001.parquet"] = parquet(stories, column)
    for split, stories in second.items():
        content = "\n<|endoftext|>\n".join(stories)
        files[f"TinyStoriesV2-GPT4-{split[:5]}.txt"] = content.encode()
    commits: set[str] = set()
    dataset = name

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def send(self, code: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def send_json(self, content: object) -> None:
            self.send(200, json.dumps(content).encode(), Content_Type="application/json")

        def do_GET(self) -> None:  # noqa: N802
            path = self.path.split("?")[0]
            if path == f"/api/datasets/{dataset}":
                self.send_json({"id": dataset, "sha": NEWEST, "siblings": [], "tags": []})
                return
            asked = re.fullmatch(
                rf"(/api)?/datasets/{dataset}/(revision|tree|resolve)/([^/]+)/?(.*)", path
            )
            if not asked:
                self.send(404)
                return
            _, what, commit, name = asked.groups()
            commits.add(commit)
            if what == "revision":
                names = [{"rfilename": file} for file in files]
                self.send_json({"id": dataset, "sha": commit, "siblings": names, "tags": []})
            elif failing:
                self.send(503, Retry_After="0")
            elif what == "tree":
                found = [entry("file", file) for file in files if file.startswith(name)]
                self.send_json(found if name else [*found, entry("directory", "data")])
            elif name in files:
                self.send_file(files[name], commit)
            else:
                self.send(404, X_Error_Code="EntryNotFound")

        def send_file(self, content: bytes, commit: str) -> None:
            about = {"ETag": f'"{digest(content)}"', "X_Repo_Commit": commit}
            part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if not part:
                self.send(200, content, **about)
                return
            start, end = int(part[1]), min(int(part[2] or len(content)), len(content) - 1)
            about["Content_Range"] = f"bytes {start}-{end}/{len(content)}"
            self.send(206, content[start : end + 1], **about)

        do_HEAD = do_GET  # noqa: N815

    def digest(content: bytes) -> str:
        return hashlib.sha1(content).hexdigest()

    def entry(kind: str, name: str) -> dict[str, object]:
        content = files.get(name, b"")
        return {"type": kind, "oid": digest(content), "size": len(content), "path": name}

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", commits
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
