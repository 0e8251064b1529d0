"""What the pages show of runs: the list of all, and the details of one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from playground.runs import exports, folder
from playground.runs.errors import Missing
from playground.runs.folder import RunsFolder
from playground.runs.log import lines_of
from playground.runs.metrics import Tail
from playground.runs.status import status_of, summary
from playground.runs.training import command_text, words_of_run


def listing(runs: RunsFolder) -> dict[str, Any]:
    """Return the summaries of all runs in a folder, the newest activity first, and the free space
    on its disk."""
    summaries = []
    for name in runs.names():
        try:
            summaries.append(summary(runs.run(name)))
        except Missing:  # deleted meanwhile
            continue
    summaries.sort(key=lambda run: run["updated"], reverse=True)
    try:
        free = shutil.disk_usage(runs.folder if runs.folder.exists() else runs.folder.parent).free
    except OSError:
        free = None
    return {"folder": str(runs.folder), "free_bytes": free, "runs": summaries}


def details(run: Path) -> dict[str, Any]:
    """Return the summary of a run with its settings, samples, snapshots, files and log lines."""
    status, tail = status_of(run), Tail(run / folder.METRICS)
    newest = tail.samples or {}
    return {
        **summary(run, status, tail),
        "command": command_text(words_of_run(status), run),
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
    """Return the step, losses and stories of a snapshot."""
    record = folder.read_json(path / "snapshot.json")
    names = ("loss", "validation_loss", "stories")
    return {"step": folder.step_of(path), **{name: record.get(name) for name in names}}
