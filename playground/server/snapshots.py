"""The snapshots of a model's run: the same story by each, with the same draws, or its surprise at a
text.

A snapshot is opened at its first use. At most three are open, to bound the memory.
"""

import atexit
import threading
from dataclasses import replace
from typing import Any

from playground.engine.engine import Engine
from playground.folder.history import Snapshot, read_snapshots
from playground.folder.model_folder import ModelFolder
from playground.server.page_calls import PageCalls, checked_text, rows, settings_of, whole

OPEN_AT_ONCE = 3
MEMORY = 64 * 2**20  # bytes for a snapshot's story
LENGTH_MAX = 200  # tokens of a story
TEXT_MAX = 500  # characters of a text that is scored


class Snapshots:
    """The endpoints of the page, for its models."""

    def __init__(self, page: PageCalls) -> None:
        self.page = page
        self.opened: dict[str, Engine] = {}  # by folder, the last used at the end
        self.lock = threading.Lock()  # held while a snapshot computes, so none is closed then
        atexit.register(self.close)

    def page_snapshots(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the snapshots of a model: step, tokens read, loss, and the story that the run
        wrote then."""
        return {
            "stages": [
                {"step": step, "tokens": tokens, "loss": loss, "story": story}
                for step, tokens, loss, story, _ in self.of_model(asked)
            ]
        }

    def page_snapshot_story(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return a story by a snapshot: the prompt, and each new token as (text, surprise, id)."""
        settings = settings_of(asked)[0]
        checked = replace(settings, length=min(settings.length, LENGTH_MAX))
        prompt = checked_text(asked.get("text", ""))
        with self.lock:
            engine = self.engine(asked)
            story = engine.write(prompt, checked, completes_word=True, alternatives=0).finish()
        return {"prompt": story.prompt, "tokens": rows(story.tokens)}

    def page_snapshot_score(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the surprise of a snapshot at each token of a text: (text, nats, id)."""
        text = checked_text(asked.get("text", ""))[:TEXT_MAX]
        with self.lock:
            engine = self.engine(asked)
            tokens = engine.score_ids(engine.encode(text), alternatives=0).tokens
        return {"tokens": rows(tokens)}

    def of_model(self, request: dict[str, Any]) -> list[Snapshot]:
        """Return the snapshots of the model that a request names."""
        folder = self.page.engine(request.get("model")).storyteller.snapshots
        return read_snapshots(folder) if folder is not None else []

    def engine(self, request: dict[str, Any]) -> Engine:
        """Open the snapshot that a request names; the caller holds `lock`."""
        step = whole(request.get("step"), "step")
        folders = (each.folder for each in self.of_model(request) if each.step == step)
        if (folder := next(folders, None)) is None:
            raise ValueError(f"This model has no snapshot of step {step}: reload the page.")
        model = self.page.engine(request.get("model")).storyteller
        key = f"{folder} {model.fingerprint}"
        engine = self.opened.pop(key, None)
        if engine is None:
            while len(self.opened) >= OPEN_AT_ONCE:
                self.opened.pop(next(iter(self.opened))).close()
            snapshot = ModelFolder(folder, model.device, tokenizer_of=model)
            engine = Engine(snapshot, max_streams=1, memory=MEMORY)
        self.opened[key] = engine
        return engine

    def close(self) -> None:
        """Close what is open."""
        with self.lock:
            while self.opened:
                self.opened.popitem()[1].close()
