"""What a run says of itself to whoever looks at its folder: `state.json`, one small file.

    format         1
    state          "running", "finishing" (exports, evaluates), "finished", "stopped" or "failed"
    message        why it failed or stopped, as the terminal says it
    pid, machine   the process that wrote this
    time           when it did, in seconds since 1970
    step, steps    updates that a checkpoint holds, and all of the run
    tokens_per_step, parameters, processes
    store          the token store that it reads
    preset, settings, given     all settings, and the names of those that the person named
    folder         where the command was given, to which its paths are relative

It is replaced as a whole at each change of state, not at each step: steps, losses and speed are in
metrics.jsonl. A run that was killed leaves "running" behind; its lock (run_folder.py) is then free.
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
        """`about`: what stays the same while the run lasts, from `steps` on in the list above."""
        self.file, self.about, self.enabled = folder / STATE, about, enabled

    def write(self, state: str, step: int, message: str = "") -> None:
        """Replace the file; a disk that refuses it does not stop the run."""
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
