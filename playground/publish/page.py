"""The page "Publish": what the command does, in the app on one's own computer.

It is there only when the app listens to this computer alone, and asks for the owner's key
(pages/owner.py). Another site in the same browser cannot ask these addresses: what changes
something wants a header that only a page from here can send. A token that is typed goes to
huggingface_hub's own login, and is neither kept nor shown here.
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
    """The routes, and the one thing that is being published."""

    def __init__(self, folders: Sequence[Path], owner: Owner, runs: Path | None = None) -> None:
        """`folders`: the models that are open, first in the list; `owner`: for whom the page is;
        `runs`: where the runs are, if not in runs/."""
        self.owner, self.folders, self.runs = owner, folders, runs
        self.lines: list[str] = []
        self.error = ""
        self.bar = ""  # of what goes up now
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
        """Answer who is logged in, what can be published, and how far a publication is."""
        return JSONResponse(
            {
                "account": await run_in_threadpool(account)
                if "account" in request.query_params
                else None,
                "exports": [
                    str(folder)
                    for folder in dict.fromkeys([*self.folders, *exports(ROOT, self.runs)])
                ],
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
        """Give a token to huggingface_hub's own login."""
        token = (await values_of(request)).get("token")
        if not isinstance(token, str) or not token.startswith("hf_"):
            return refusal("a token of the Hub begins with hf_: copy it whole.")
        from huggingface_hub import constants, login

        constants.HF_HUB_OFFLINE = False  # app.py switches it off where all models are folders
        try:
            await run_in_threadpool(login, token=token, add_to_git_credential=False)
        except Exception:  # its message may hold what was typed
            return refusal("the Hub does not take this token, or cannot be reached.")
        return JSONResponse({"account": await run_in_threadpool(account)})

    async def start(self, request: Request) -> Response:
        """Begin to publish, or to show what would be published."""
        asked = await values_of(request)
        if not asked:
            return refusal("this is for the page itself.")
        if self.busy:
            return refusal("something is being published: wait for it.")
        kind, name = str(asked.get("kind")), str(asked.get("name", ""))
        words = [kind, *([str(asked.get("export", ""))] if kind == "model" else []), name]
        if kind == "space":
            words += ["--target", str(asked.get("target"))]
            words += ["--model", str(asked["model"])] if asked.get("model") else []
        words += [f"--{flag.replace('_', '-')}" for flag in FLAGS if asked.get(flag) is True]
        try:
            parser().parse_args(words)
        except ValueError as problem:
            return refusal(str(problem))
        self.lines, self.error, self.bar = [], "", ""
        self.thread = threading.Thread(target=self.publish, args=(words,), daemon=True)
        self.thread.start()
        return JSONResponse({})

    def publish(self, words: list[str]) -> None:
        """The command, in a process of its own: here the Hub may have been switched off."""
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
            self.error = "it ended before it was done: give the same command again."

    def watch(self, errors: IO[str]) -> None:
        """Read the command's stderr: its error message and its progress bars."""
        for line in errors:  # universal newlines: each state of a bar is a line
            if line.startswith("error: "):
                self.error = line.removeprefix("error: ").strip()
            elif "%|" in line:
                self.bar = line.strip()


def file(name: str) -> Handler:
    """Answers with a file of this folder, as it is now."""

    async def answer(request: Request) -> Response:
        return FileResponse(HERE / name, headers={"cache-control": "no-cache"})

    return answer


def refusal(sentence: str) -> Response:
    return JSONResponse({"detail": capitalized(sentence)}, 422)


async def values_of(request: Request) -> dict[str, Any]:
    """Return the values that our page sent; empty for any other sender."""
    if HEADER not in request.headers:
        return {}
    try:
        found = json.loads(await request.body())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def account() -> str | None:
    """The name of who is logged in to the Hub."""
    from huggingface_hub import HfApi, constants

    constants.HF_HUB_OFFLINE = False
    try:
        return str(HfApi().whoami()["name"])
    except Exception:  # not logged in, or no network
        return None
