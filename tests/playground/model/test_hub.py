"""A model by its name on the Hub: fetched over HTTP from a server on this machine, then opened
without one. Each case runs in a process of its own: huggingface_hub reads its settings once."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.paths import ROOT

MAIN, OFFER = "a" * 40, "b" * 40  # commits


@contextmanager
def serve(main: dict[str, bytes], offer: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """A Hub with one model, fox/tiny, and one pull request: its address, and what was fetched."""
    fetched: list[str] = []

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

        def do_GET(self) -> None:  # noqa: N802
            path = self.path.split("?")[0].replace("%2F", "/")
            if not re.match(r"(/api/models)?/fox/tiny\b", path):
                self.send(404, X_Error_Code="RepoNotFound")
                return
            commit = OFFER if f"/{OFFER}" in path or "refs/pr/1" in path else MAIN
            files = offer if commit == OFFER else main
            if "/discussions" in path:
                found = [
                    {
                        "num": 1, "author": {"name": "SFconvertbot"}, "title": "Adding safetensors",
                        "status": "open", "isPullRequest": True,
                        "createdAt": "2024-01-01T00:00:00.000Z",
                    }
                ]  # fmt: skip
                content = {"discussions": found if offer else [], "count": 1, "start": 0}
                self.send(200, json.dumps(content).encode(), Content_Type="application/json")
            elif "/revision/" in path or path.endswith("/fox/tiny"):
                names = [{"rfilename": name} for name in files]
                about = {"id": "fox/tiny", "sha": commit, "siblings": names, "tags": []}
                self.send(200, json.dumps(about).encode(), Content_Type="application/json")
            elif "/tree/" in path:
                entries = [
                    {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                    for name, content in files.items()
                ]
                self.send(200, json.dumps(entries).encode(), Content_Type="application/json")
            elif (name := path.rsplit("/", 1)[-1]) in files:
                if self.command == "GET":
                    fetched.append(name)
                digest = hashlib.sha1(files[name]).hexdigest()
                self.send(200, files[name], ETag=f'"{digest}"', X_Repo_Commit=commit)
            else:
                self.send(404, X_Error_Code="EntryNotFound")

        do_HEAD = do_GET  # noqa: N815

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", fetched
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def story(name: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m playground.generate NAME`, with its own cache."""
    return subprocess.run(
        [sys.executable, "-m", "playground.generate", name, "--length", "4", "--device", "cpu"],
        cwd=ROOT,
        env=os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "0"} | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_a_model_is_fetched_once_and_opened_offline_afterwards(
    tiny_export: Path, tmp_path: Path
) -> None:
    files = files_of(tiny_export) | {"pytorch_model.bin": b"\x80\x04.", "notes.md": b"x"}
    with serve(files, {}) as (address, fetched):
        first = story("fox/tiny", tmp_path, HF_ENDPOINT=address)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("Once upon a time")
    assert "model.safetensors" in fetched
    assert not {"pytorch_model.bin", "notes.md"} & set(fetched)
    again = story("fox/tiny", tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout


def test_weights_that_are_a_pickle_come_from_the_converter(
    tiny_export: Path, tmp_path: Path
) -> None:
    files = files_of(tiny_export)
    weights = {"model.safetensors": files.pop("model.safetensors")}
    files |= {"pytorch_model.bin": b"\x80\x04."}
    with serve(files, files | weights) as (address, _):
        done = story("fox/tiny", tmp_path / "one", HF_ENDPOINT=address)
        assert done.returncode == 0, done.stderr
    again = story("fox/tiny", tmp_path / "one", HF_HUB_OFFLINE="1")
    assert again.stdout == done.stdout
    with serve(files, {}) as (address, _):
        refused = story("fox/tiny", tmp_path / "two", HF_ENDPOINT=address)
    assert refused.returncode == 2
    assert "spaces/safetensors/convert" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with serve({}, {}) as (address, _):
        unknown = story("fox/other", tmp_path, HF_ENDPOINT=address)
    offline = story("fox/other", tmp_path, HF_HUB_OFFLINE="1")
    for done, words in ((unknown, "no model of this name"), (offline, "the Hub did not answer")):
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
