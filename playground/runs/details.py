"""All that a page says of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playground.runs import exports, folder
from playground.runs.log import lines_of
from playground.runs.metrics import Tail
from playground.runs.status import status_of, summary
from playground.runs.training import shown, words_of_run


def details(run: Path) -> dict[str, Any]:
    """The summary of a run with its settings, samples, snapshots, files and last lines."""
    status, tail = status_of(run), Tail(run / folder.METRICS)
    newest = tail.samples or {}
    return {
        **summary(run, status, tail),
        "command": shown(words_of_run(status), run),
        "settings": status.about.get("settings", {}),
        "given": [key for key in status.about.get("given", []) if key != "run.dir"],
        "samples": newest.get("samples", []),
        "samples_step": newest.get("step"),
        "snapshots": [snapshot(path) for path in folder.steps(run / folder.SNAPSHOTS)],
        "files": exports.files(run),
        "log": lines_of(run / folder.OWN / "log.txt"),
        "task": None,
    }


def snapshot(path: Path) -> dict[str, Any]:
    """Return the facts of one snapshot."""
    about = folder.read_json(path / "snapshot.json")
    names = ("loss", "validation_loss", "stories")
    return {"step": folder.step_of(path), **{name: about.get(name) for name in names}}
