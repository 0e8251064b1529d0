"""Routes of the page Publish, which runs the command `python -m playground.publish`.

The app has the page only when it listens to this computer alone, and requires the owner's key
(server/owner.py). Requests that change something need a header that another site's page cannot send
(CSRF). A typed token goes to huggingface_hub's own login, and is not kept or shown here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from playground.folder.exports import exports
from playground.publish.__main__ import ROOT, parser
from playground.sentences import capitalized
from playground.server.owner import Handler, Owner

HERE = Path(__file__).parent
HEADER = "x-inkling-publish"
FLAGS = ("private", "snapshots", "dry_run")


class PublishPage:
    """The routes, and the state of the current publication."""

    def __init__(self, folders: Sequence[Path], owner: Owner, runs: Path | None = None) -> None:
        """`folders`: open models, first in the list; `runs`: the folder of runs, by default
        runs/."""
        self.owner, self.folders, self.runs = owner, folders, runs
        self.lines: list[str] = []
        self.error = ""
        self.bar = ""  # progress of the current upload
        self.thread: threading.Thread | None = None

    @property
    def routes(self) -> list[Route]:
        """Return the routes of the page."""
        only = self.owner.only
        return [
            Route("/publish", only(file("page.html"))),
            Route("/publish/page.js", only(file("page.js"))),
            Route("/publish/text.json", only(file("text.json"))),
            Route("/publish/state", only(self.state)),
            Route("/publish/login", only(self.login), methods=["POST"]),
            Route("/publish/start", only(self.start), methods=["POST"]),
        ]

    async def state(self, request: Request) -> Response:
        """Return the account, the exports and the progress of the publication."""
        wants_account = "account" in request.query_params
        folders = dict.fromkeys([*self.folders, *exports(ROOT, self.runs)])
        return JSONResponse(
            {
                "account": await run_in_threadpool(account) if wants_account else None,
                "exports": [str(folder) for folder in folders],
                "lines": self.lines,
                "error": self.error,
                "bar": self.bar,
                "busy": self.busy,
            }
        )

    @property
    def busy(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    async def login(self, request: Request) -> Response:
        """Log in with a token, by huggingface_hub."""
        token = (await body_of(request)).get("token")
        if not isinstance(token, str) or not token.startswith("hf_"):
            return error_response("a token of the Hub begins with hf_: copy all of it.")
        from huggingface_hub import constants, login

        constants.HF_HUB_OFFLINE = False  # app.py switches it off where all models are folders
        try:
            await run_in_threadpool(login, token=token, add_to_git_credential=False)
        except Exception:  # its message may contain the token
            return error_response("the Hub does not accept this token, or cannot be reached.")
        return JSONResponse({"account": await run_in_threadpool(account)})

    async def start(self, request: Request) -> Response:
        """Start a publication or a dry run."""
        body = await body_of(request)
        if not body:
            return error_response("only the page Publish itself may send this.")
        if self.busy:
            return error_response("a publication is running: wait until it is done.")
        kind, name = str(body.get("kind")), str(body.get("name", ""))
        words = [kind, *([str(body.get("export", ""))] if kind == "model" else []), name]
        if kind == "space":
            words += ["--target", str(body.get("target"))]
            words += ["--model", str(body["model"])] if body.get("model") else []
        words += [f"--{flag.replace('_', '-')}" for flag in FLAGS if body.get(flag) is True]
        try:
            parser().parse_args(words)
        except ValueError as problem:
            return error_response(str(problem))
        self.lines, self.error, self.bar = [], "", ""
        self.thread = threading.Thread(target=self.publish, args=(words,), daemon=True)
        self.thread.start()
        return JSONResponse({})

    def publish(self, words: list[str]) -> None:
        """Run the command in a process of its own, since the app may have gone offline."""
        command = [sys.executable, "-m", "playground.publish", *words]
        environment = {**os.environ, "HF_HUB_OFFLINE": "0", "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, encoding="utf-8", errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout is not None and process.stderr is not None
            bars = threading.Thread(target=self.watch, args=(process.stderr,), daemon=True)
            bars.start()
            for line in process.stdout:
                self.lines.append(line.rstrip("\n"))
            bars.join()
        self.bar = ""
        if process.returncode and not self.error:
            self.error = "the command ended early: publish again."

    def watch(self, errors: IO[str]) -> None:
        """Read the command's stderr: its error message and its progress bars."""
        for line in errors:  # universal newlines make each state of a progress bar a line
            if line.startswith("error: "):
                self.error = line.removeprefix("error: ").strip()
            elif "%|" in line:
                self.bar = line.strip()


def file(name: str) -> Handler:
    """Return a handler that sends a file of this folder."""

    async def send(request: Request) -> Response:
        return FileResponse(HERE / name, headers={"cache-control": "no-cache"})

    return send


def error_response(message: str) -> Response:
    """Return the response of a request that cannot be done."""
    return JSONResponse({"detail": capitalized(message)}, 422)


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request; {} if it is not one or does not come from the page."""
    if HEADER not in request.headers:
        return {}
    try:
        body = json.loads(await request.body())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def account() -> str | None:
    """Return the account that is logged in to the Hub; None without a login or a network."""
    from huggingface_hub import HfApi, constants

    constants.HF_HUB_OFFLINE = False
    try:
        return str(HfApi().whoami()["name"])
    except Exception:
        return None
