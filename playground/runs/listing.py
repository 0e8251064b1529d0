"""The list of runs, the newest activity first."""

from __future__ import annotations

import shutil
from typing import Any

from playground.runs.errors import Missing
from playground.runs.folder import RunsFolder
from playground.runs.status import summary


def listing(runs: RunsFolder) -> dict[str, Any]:
    """Return the summaries of all runs in a folder, and the free space on its disk."""
    summaries = []
    for name in runs.names():
        try:
            summaries.append(summary(runs.run(name)))
        except Missing:  # deleted meanwhile
            continue
    summaries.sort(key=lambda run: run["updated"], reverse=True)
    folder = runs.folder if runs.folder.exists() else runs.folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        free = None
    return {"folder": str(runs.folder), "free_bytes": free, "runs": summaries}
