"""Models of runs that were opened on the page Write, beside the models that the app started with.

At most OPEN_AT_ONCE of them are open; a further model closes the oldest.
"""

from __future__ import annotations

import threading
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.runs.exports import model_folder
from playground.runs.tasks import Task
from playground.server.write import listed

OPEN_AT_ONCE = 3
MEMORY = 256 * 2**20  # bytes of KV cache per model


class OpenModels:
    """The page's models, in its `engines` and `start`."""

    def __init__(
        self, engines: MutableMapping[str, Engine], start: dict[str, Any], device: str = "auto"
    ) -> None:
        self.engines, self.start, self.device = engines, start, device
        self.opened: list[str] = []  # models of runs, the oldest first
        self.lock = threading.Lock()

    def open(self, name: str, folder: Path) -> str:
        """Open a model folder under a name for the page's list; return the name, which differs if
        a model of the app has it."""
        with self.lock:
            if name in self.engines and name not in self.opened:
                name = f"{name} (run)"
            if name in self.engines:
                return name
            engine = Engine(ModelFolder.open(folder, device=self.device), memory=MEMORY)
            self.engines[name] = engine
            self.start["models"] = [*self.start["models"], listed(name, engine)]
            self.opened.append(name)
            while len(self.opened) > OPEN_AT_ONCE:
                self.close(self.opened[0])
            return name

    def forget(self, run: str) -> None:
        """Close the models of a run that was deleted or restarted."""
        with self.lock:
            for name in [name for name in self.opened if name.startswith(f"{run}, step ")]:
                self.close(name)

    def of_the_page(self) -> list[dict[str, Any]]:
        """Return the models that the app started with."""
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
        """Close a model of a run."""
        self.opened.remove(name)
        self.start["models"] = [entry for entry in self.start["models"] if entry["name"] != name]
        self.engines.pop(name).close()

    def close_all(self) -> None:
        """Close all models of runs, when the app ends."""
        with self.lock:
            while self.opened:
                self.close(self.opened[0])


def write_with(models: OpenModels, run: Path, task: Task) -> dict[str, Any]:
    """Open the newest model of a run on the page Write; return its name there and its step."""
    folder, step = model_folder(run, task)
    return {"model": models.open(f"{run.name}, step {step:,}", folder), "step": step}
