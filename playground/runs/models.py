"""Models of runs that are opened in Write while the app runs, beside those that it began with.

At most a few at a time: the one that was opened first is closed for another.
"""

from __future__ import annotations

import threading
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.runs import folder
from playground.runs.errors import Conflict, Refused
from playground.runs.folder import RunsFolder
from playground.runs.status import FINISHED, status_of
from playground.runs.tasks import Task
from playground.server.write import listed

OPEN_AT_ONCE = 3
MEMORY = 256 * 2**20  # bytes for the stories of each


class OpenModels:
    """The models of the page, which the page's `engines` and `start` name."""

    def __init__(
        self, engines: MutableMapping[str, Engine], start: dict[str, Any], device: str = "auto"
    ) -> None:
        self.engines, self.start, self.device = engines, start, device
        self.opened: list[str] = []  # those of runs, the oldest first
        self.lock = threading.Lock()

    def open(self, name: str, place: Path) -> str:
        """Open a model folder under a name of the page's list, and return the name."""
        with self.lock:
            if name in self.engines and name not in self.opened:
                name = f"{name} (run)"
            if name in self.engines:
                return name
            engine = Engine(ModelFolder.open(place, device=self.device), memory=MEMORY)
            self.engines[name] = engine
            self.start["models"] = [*self.start["models"], listed(name, engine)]
            self.opened.append(name)
            while len(self.opened) > OPEN_AT_ONCE:
                self.close(self.opened[0])
            return name

    def close(self, name: str) -> None:
        """Close one that was opened here."""
        self.opened.remove(name)
        self.start["models"] = [one for one in self.start["models"] if one["name"] != name]
        self.engines.pop(name).close()

    def close_all(self) -> None:
        """Close them, with the app."""
        with self.lock:
            while self.opened:
                self.close(self.opened[0])


def model_folder(run: Path, task: Task) -> tuple[Path, int]:
    """The folder of the newest model of a run and its step: the export of a finished run, else an
    export of the newest checkpoint, which is made if it is not there.

    Raises:
        Refused: there is no model yet, or the export of it failed.
    """
    status = status_of(run)
    kept = folder.steps(run / folder.CHECKPOINTS)
    export = run / folder.EXPORT
    training = folder.read_json(export / "training.json")
    step = training.get("steps")
    is_exported = (export / "config.json").is_file() and not export.is_symlink()
    newest = folder.step_of(kept[-1]) if kept else -1
    if is_exported and (status.state == FINISHED or (isinstance(step, int) and step >= newest)):
        return export, step if isinstance(step, int) else max(newest, 0)
    if not kept:
        raise Conflict(f"{run.name} has not saved a model yet: wait for its first checkpoint.")
    place = folder.own(run) / "model"
    found = made(place)
    if found is None or folder.step_of(found) < newest:
        partial = place / f"step-{newest:08d}"
        task.call(["-m", "trainer.export", "model", str(run), str(partial)])
        found = made(place)
        if found is None:
            raise Refused("the model was not written: ask again.")
        for old in folder.steps(place)[:-2]:  # the last one may be open
            remove(old)
    return found, folder.step_of(found)


def made(place: Path) -> Path | None:
    """The newest export of a checkpoint that is whole."""
    found = [path for path in folder.steps(place) if (path / "training.json").is_file()]
    return found[-1] if found else None


def remove(place: Path) -> None:
    """Remove an older export of a checkpoint."""
    import shutil

    shutil.rmtree(place, ignore_errors=True)


def write_with(models: OpenModels, runs: RunsFolder, name: str, task: Task) -> dict[str, Any]:
    """Open the newest model of a run in Write."""
    place, step = model_folder(runs.run(name), task)
    return {"model": models.open(f"{name}, step {step:,}", place), "step": step}
