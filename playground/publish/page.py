"""Routes of the page Publish, which runs the command `python -m playground.publish`.

The app has the page only when it listens to this computer alone, and requires the owner's key
(server/owner.py). A typed token goes to huggingface_hub's own login, and is not kept or shown here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from starlette.routing import Route

from playground.folder.source import exports
from playground.publish.__main__ import ROOT, parser
from playground.server.owner import Owner
from playground.server.owner_calls import route

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
        self.starting = threading.Lock()

    @property
    def routes(self) -> list[Route]:
        """Return the routes of the page."""
        files = {"": "page.html", "/page.js": "page.js", "/text.json": "text.json"}
        return [
            *(
                Route(f"/publish{path}", self.owner.file(HERE / name))
                for path, name in files.items()
            ),
            route(self.owner, HEADER, "GET", "/publish/state", self.state),
            route(self.owner, HEADER, "POST", "/publish/login", self.login),
            route(self.owner, HEADER, "POST", "/publish/start", self.start),
        ]

    def state(self, asked: dict[str, Any]) -> Any:
        """Return the account, the exports and the progress of the publication."""
        folders = dict.fromkeys([*self.folders, *exports(ROOT, self.runs)])
        return {
            "account": account() if "account" in asked else None,
            "exports": [str(folder) for folder in folders],
            "lines": self.lines,
            "error": self.error,
            "bar": self.bar,
            "busy": self.busy,
        }

    @property
    def busy(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def login(self, asked: dict[str, Any]) -> Any:
        """Log in with a token, by huggingface_hub."""
        token = asked.get("token")
        if not isinstance(token, str) or not token.startswith("hf_"):
            raise ValueError("a token of the Hub begins with hf_: copy all of it.")
        from huggingface_hub import constants, login

        constants.HF_HUB_OFFLINE = False  # app.py switches it off where all models are folders
        try:
            login(token=token, add_to_git_credential=False)
        except Exception:  # its message may contain the token
            raise ValueError("the Hub does not accept this token, or cannot be reached.") from None
        return {"account": account()}

    def start(self, asked: dict[str, Any]) -> Any:
        """Start a publication or a dry run."""
        kind, name = str(asked.get("kind")), str(asked.get("name", ""))
        words = [kind, *([str(asked.get("export", ""))] if kind == "model" else []), name]
        if kind == "space":
            words += ["--target", str(asked.get("target"))]
            words += ["--model", str(asked["model"])] if asked.get("model") else []
        words += [f"--{flag.replace('_', '-')}" for flag in FLAGS if asked.get(flag) is True]
        parser().parse_args(words)
        with self.starting:
            if self.busy:
                raise ValueError("a publication is running: wait until it is done.")
            self.lines, self.error, self.bar = [], "", ""
            self.thread = threading.Thread(target=self.publish, args=(words,), daemon=True)
            self.thread.start()
        return {}

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


def account() -> str | None:
    """Return the account that is logged in to the Hub; None without a login or a network."""
    from huggingface_hub import HfApi, constants

    constants.HF_HUB_OFFLINE = False
    try:
        return str(HfApi().whoami()["name"])
    except Exception:
        return None
