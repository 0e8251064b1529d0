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
from playground.runs.folder import RunsFolder
from playground.runs.newest_model import model_folder
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

    def forget(self, run: str) -> None:
        """Close the models of a run that is deleted or started over."""
        with self.lock:
            for name in [one for one in self.opened if one.startswith(f"{run}, step ")]:
                self.close(name)

    def of_the_page(self) -> list[dict[str, Any]]:
        """Return the models that the app was started with."""
        with self.lock:
            return [
                {
                    "name": name,
                    "folder": str(engine.storyteller.folder),
                    "parameters": engine.storyteller.facts.parameters,
                    "open": True,
                    "run": "",
                }
                for name, engine in self.engines.items()
                if name not in self.opened
            ]

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


def write_with(models: OpenModels, runs: RunsFolder, name: str, task: Task) -> dict[str, Any]:
    """Open the newest model of a run in Write."""
    place, step = model_folder(runs.run(name), task)
    return {"model": models.open(f"{name}, step {step:,}", place), "step": step}
