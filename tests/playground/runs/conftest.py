"""Folders of runs as the trainer writes them, and a browser of the owner before the endpoints."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from playground.runs.endpoints import Studio
from playground.server.owner import Owner
from playground.server.proxies import Proxies

HEADERS = {"x-inkling-studio": "1"}
SETTINGS = {"optim": {"lr": 0.005}, "run": {"dir": ""}, "corpus": {"source": "sample"}}


def write_run(folder: Path, *, steps: int = 100, logged: int = 40, **state: Any) -> Path:
    """A run as the trainer leaves it after `logged` steps, with a checkpoint of half of them."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"format": 1, "inkling": "0.1.0", "id": "a"}))
    about = {
        "format": 1, "state": "stopped", "message": "", "pid": 2**30, "time": time.time(),
        "machine": socket.gethostname(), "step": logged // 2, "steps": steps, "processes": 1,
        "tokens_per_step": 64, "parameters": 1000, "preset": "smoke", "given": ["optim.lr"],
        "settings": SETTINGS, "folder": os.getcwd(), "store": "",
    }  # fmt: skip
    (folder / "state.json").write_text(json.dumps(about | state))
    lines: list[dict[str, Any]] = [
        {"step": step, "loss": 5 - step / 100, "lr": 0.005, "tokens_per_second": 640,
         "mfu": 0.1, "seconds": step / 10}
        for step in range(5, logged + 1, 5)
    ]  # fmt: skip
    samples = [{"prompt": "One day", "story": "One day it rained."}]
    lines.append(
        {"step": logged, "validation_loss": 4.5, "validation_bits_per_byte": 1.5,
         "samples": samples, "seconds": logged / 10}
    )  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text)
    saved = folder / "checkpoints" / f"step-{logged // 2:08d}"
    saved.mkdir(parents=True)
    (saved / "checkpoint.json").write_text("{}")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of runs."""
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def owner() -> Owner:
    """Who has the key."""
    return Owner()


@pytest.fixture
def studio(runs: Path, owner: Owner) -> Iterator[Studio]:
    """The endpoints over that folder, without a model."""
    studio = Studio(runs, owner, {}, {"models": []})
    yield studio
    studio.close()


@pytest.fixture
def stranger(studio: Studio) -> TestClient:
    """A browser without the key."""
    app = Proxies(Starlette(routes=studio.routes), "", "", {"127.0.0.1", "localhost"})
    return TestClient(app, base_url="http://127.0.0.1:7860", follow_redirects=False)


@pytest.fixture
def browser(stranger: TestClient, owner: Owner) -> TestClient:
    """The owner's browser."""
    stranger.get("/studio/runs", params={"key": owner.key})
    return stranger


@pytest.fixture
def post(browser: TestClient) -> Callable[..., Any]:
    """A POST as the page sends it."""
    return lambda path, **values: browser.post(f"/studio/{path}", json=values, headers=HEADERS)
