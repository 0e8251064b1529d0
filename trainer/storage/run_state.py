"""The state of a run for programs that watch its folder: `state.json`, one small file.

    format         1
    state          "running", "finishing" (exports, evaluates), "finished", "stopped" or "failed"
    message        the error message, or why the run stopped
    pid, machine   of the process that wrote the file
    time           of writing, in seconds since 1970
    step, steps    updates in the newest checkpoint, and of the whole run
    tokens_per_step, parameters, processes
    store          the token store
    preset, settings, given     all settings, and the names of those that the user gave
    folder         the working directory, to which paths are relative

The file is replaced atomically at each change of state, not at each step: losses and speed are in
metrics.jsonl. A killed run leaves "running" behind, but its lock (run_folder.py) is free.
"""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from trainer.output.console import best_effort
from trainer.storage.atomic import atomic_file

STATE = "state.json"
FORMAT = 1
RUNNING, FINISHING, FINISHED, STOPPED, FAILED = (
    "running", "finishing", "finished", "stopped", "failed"
)  # fmt: skip


class RunState:
    """The state file of one run, which the main process writes."""

    def __init__(self, folder: Path, about: dict[str, Any], *, enabled: bool) -> None:
        """`about`: the constant values, from `steps` on in the list above."""
        self.file, self.about, self.enabled = folder / STATE, about, enabled

    def write(self, state: str, step: int, message: str = "") -> None:
        """Replace the file; an error of the disk does not stop the run."""
        if not self.enabled:
            return
        content = {
            "format": FORMAT,
            "state": state,
            "message": message,
            "pid": os.getpid(),
            "machine": socket.gethostname(),
            "time": time.time(),
            "step": step,
            **self.about,
        }
        with best_effort(self.file.name), atomic_file(self.file) as partial:
            partial.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
