"""A Hub for tests: a server on this machine that keeps repositories in memory and speaks the part
of the Hub's protocol that publishing needs, and refuses or breaks off when it is told to."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests import local_server

TOKEN = "hf_" + "t" * 34
LARGE = (".safetensors", ".png", ".woff2")
MOMENT = "2026-11-26T12:00:00.000Z"
STEPS = {
    "whoami": re.compile(r"/api/whoami-v2"),
    "create": re.compile(r"/api/repos/create"),
    "preupload": re.compile(r"/api/\w+/.*/preupload/"),
    "batch": re.compile(r".*/info/lfs/objects/batch"),
    "upload": re.compile(r"/lfs/"),
    "commit": re.compile(r"/api/\w+/.*/commit/"),
    "runtime": re.compile(r"/api/spaces/.*/runtime"),
}


@dataclass
class Repository:
    """Files by path; of a large one the hash."""

    private: bool
    about: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=lambda: ["0" * 40])


@dataclass
class Hub:
    """What is on it, and how it behaves.

    Attributes:
        refuse: status by step (STEPS); 0 breaks the connection off.
        stages: of a Space, one after the other.
        requests: (step or path) as they came.
        before_commit: called when a commit arrives.
    """

    url: str = ""
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    refuse: dict[str, int] = field(default_factory=dict)
    stages: list[str] = field(default_factory=lambda: ["BUILDING", "APP_STARTING", "RUNNING"])
    role: str = "write"
    answers: bool = True
    requests: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def files(self, kind: str, name: str) -> dict[str, bytes]:
        """The content of a repository's files."""
        found = self.repositories[kind, name].files
        return {
            path: self.objects[data[4:].decode()] if data.startswith(b"oid:") else data
            for path, data in found.items()
        }


@contextmanager
def serve() -> Iterator[Hub]:
    """A Hub at its `url`."""
    hub = Hub()
    with local_server.serving(type("Answer", (Handler,), {"hub": hub})) as hub.url:
        yield hub


class Handler(local_server.Handler):
    """One request."""

    hub: Hub

    def do_GET(self) -> None:  # noqa: N802
        self.answer()

    do_POST = do_PUT = do_GET  # noqa: N815

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        step = next((name for name, form in STEPS.items() if form.match(path)), path)
        self.hub.requests.append(step)
        status = self.hub.refuse.get(step)
        if status == 0:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if status is not None:
            content = {"error": "a reason of the Hub"}
            self.send(status, content, X_Error_Message="a reason of the Hub", Retry_After="7")
            return
        is_known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if path.startswith("/api/") and not is_known:
            self.send(401, {"error": "Invalid username or password."})
            return
        with self.hub.lock:
            self.reply(step, path, body)

    def reply(self, step: str, path: str, body: bytes) -> None:
        hub = self.hub
        if step == "whoami":
            auth = {"accessToken": {"displayName": "one", "role": hub.role}}
            self.send(200, {"name": "lily", "type": "user", "orgs": [], "auth": auth})
        elif step == "create":
            self.create(json.loads(body))
        elif path == "/api/validate-yaml":
            self.send(200, {"errors": [], "warnings": []})
        elif step == "batch":
            found = []
            for one in json.loads(body)["objects"]:
                upload = {"upload": {"href": f"{hub.url}/lfs/{one['oid']}"}}
                is_there = one["oid"] in hub.objects
                found.append(one | ({} if is_there else {"actions": upload}))
            self.send(200, {"transfer": "basic", "objects": found})
        elif step == "upload":
            oid = path.rsplit("/", 1)[-1]
            assert hashlib.sha256(body).hexdigest() == oid
            hub.objects[oid] = body
            self.send(200)
        elif path.startswith("/gradio_api/"):
            self.play()
        elif path == "/start.json":  # a static Space answers with its own files
            (space,) = [name for kind, name in self.hub.repositories if kind == "space"]
            self.send(200, self.hub.files("space", space)["start.json"])
        elif found := re.match(r"/api/(model|space)s/([\w-]+/[\w-]+)(?:/(.*))?$", path):
            self.repository(found[1], found[2], found[3] or "", body)
        else:
            self.send(404, X_Error_Code="RepoNotFound")

    def create(self, values: dict[str, Any]) -> None:
        kind = values.get("type", "model")
        name = f"{values['organization'] or 'lily'}/{values['name']}"
        url = f"{self.hub.url}/{'spaces/' if kind == 'space' else ''}{name}"
        if (kind, name) in self.hub.repositories:
            self.send(409, {"error": "You already created this repo", "url": url})
            return
        private = bool(values.get("private")) or values.get("visibility") == "private"
        self.hub.repositories[kind, name] = Repository(private, values)
        self.send(200, {"url": url, "name": name})

    def repository(self, kind: str, name: str, rest: str, body: bytes) -> None:
        hub = self.hub
        found = hub.repositories.get((kind, name))
        if found is None:
            self.send(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        elif rest.startswith("preupload/"):
            modes = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                    "oid": oid_of(found.files.get(one["path"])),
                }
                for one in json.loads(body)["files"]
            ]
            self.send(200, {"files": modes})
        elif rest.startswith("commit/"):
            self.commit(found, [json.loads(line) for line in body.splitlines()])
        elif rest.startswith("tree/"):
            entries = [
                {"type": "file", "path": path, "size": len(data), "oid": oid_of(data)}
                for path, data in found.files.items()
            ]
            self.send(200, entries)
        elif rest == "runtime":
            stage = hub.stages.pop(0) if len(hub.stages) > 1 else hub.stages[0]
            about = {"stage": stage, "hardware": {"current": None, "requested": "cpu-basic"}}
            self.send(200, about | {"sha": found.commits[-1], "storage": None})
        elif rest.startswith("logs/"):
            lines = [{"data": f"line {k} of {rest}\n", "timestamp": MOMENT} for k in range(30)]
            events = "".join(f"data: {json.dumps(line)}\n\n" for line in lines)
            self.send(200, events.encode())
        else:
            names = [{"rfilename": path} for path in found.files]
            about = {"id": name, "sha": found.commits[-1], "siblings": names, "tags": []}
            self.send(200, about | {"host": hub.url, "subdomain": "x", "private": found.private})

    def commit(self, repository: Repository, lines: list[dict[str, Any]]) -> None:
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, repository.commits[-1]):
            self.send(412, {"error": "A commit has happened since."})
            return
        files = dict(repository.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                assert value["oid"] in self.hub.objects
                files[value["path"]] = b"oid:" + value["oid"].encode()
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        repository.files = files
        oid = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        repository.commits.append(oid)
        self.send(
            200, {"commitUrl": f"{self.hub.url}/spaces/lily/x/commit/{oid}", "commitOid": oid}
        )

    def play(self) -> None:
        """A Space's API."""
        if self.command == "POST":
            self.send(200, {"event_id": "e1"})
        elif self.hub.answers:
            self.send(200, b'event: complete\ndata: ["Once upon a time there was a fox"]\n\n')
        else:
            self.send(200, b"event: error\ndata: null\n\n")


def oid_of(data: bytes | None) -> str | None:
    """A file's id as git and LFS name it."""
    if data is None:
        return None
    if data.startswith(b"oid:"):
        return data[4:].decode()
    return hashlib.sha1(b"blob %d\x00" % len(data) + data).hexdigest()
