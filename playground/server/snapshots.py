"""What a model's earlier selves write: the snapshots of its run, each asked for the same story with
the same draws, or for how surprised it was by a text.

A snapshot is opened when it is asked for. At most three are open, so that however many there are,
they never take more memory than three models.
"""

import atexit
import threading
from typing import Any

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.folder.snapshots import Snapshot, read_snapshots
from playground.sampling import Settings
from playground.server.api import Api, checked_text, columns, refusals, settings_of, whole

OPEN_AT_ONCE = 3
MEMORY = 64 * 2**20  # bytes for the story that each writes
LENGTH_MAX = 200  # tokens of a story
TEXT_MAX = 500  # characters of a text that is scored


class Snapshots:
    """The endpoints of the page, for the models of `api`."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.opened: dict[str, Engine] = {}  # by folder, the one that was used last at the end
        self.lock = threading.Lock()  # held while one computes: another must not close it
        atexit.register(self.close)

    def page_snapshots(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The snapshots of a model as they are now: step, tokens read, loss, and the story that the
        run wrote then."""
        with refusals():
            return {
                "stages": [
                    {"step": one.step, "tokens": one.tokens_seen, "loss": one.loss}
                    | {"story": one.story}
                    for one in self.of_model(asked)
                ]
            }

    def page_snapshot_story(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A story by one of a model's snapshots: what was given, and each new token as
        (text, surprise, id)."""
        with refusals():
            settings, seeds = settings_of(asked)
            length = min(whole(settings.get("length"), "length"), LENGTH_MAX)
            wanted = Settings(**settings | {"length": length, "seed": seeds[0]})
            prompt = checked_text(asked.get("text", ""))
            with self.lock:
                engine = self.engine(asked)
                with engine.write(prompt, wanted, completes_word=True, alternatives=0) as stream:
                    for _ in stream:
                        pass
            story = stream.story
            return {
                "prompt": story.prompt,
                "tokens": list(zip(*columns(story.tokens), strict=True)),
            }

    def page_snapshot_score(self, asked: dict[str, Any]) -> dict[str, Any]:
        """How surprised one of a model's snapshots is by each token of a text: (text, nats, id)."""
        with refusals():
            text = checked_text(asked.get("text", ""))[:TEXT_MAX]
            with self.lock:
                engine = self.engine(asked)
                tokens = engine.score_ids(engine.encode(text), alternatives=0).tokens
            return {"tokens": list(zip(*columns(tokens), strict=True))}

    def of_model(self, asked: Any) -> list[Snapshot]:
        """The snapshots of the model that a request names."""
        if not isinstance(asked, dict):
            raise ValueError("The request must be a JSON object.")
        folder = self.api.engine(asked.get("model")).storyteller.snapshots
        return read_snapshots(folder) if folder is not None else []

    def engine(self, asked: dict[str, Any]) -> Engine:
        """The snapshot that a request names, opened; `lock` is held."""
        step = whole(asked.get("step"), "step")
        found = next((one for one in self.of_model(asked) if one.step == step), None)
        if found is None:
            raise ValueError(f"This model has no snapshot of step {step}: reload the page.")
        model = self.api.engine(asked.get("model")).storyteller
        key = f"{found.folder} {model.fingerprint}"
        engine = self.opened.pop(key, None)
        if engine is None:
            while len(self.opened) >= OPEN_AT_ONCE:
                self.opened.pop(next(iter(self.opened))).close()
            snapshot = ModelFolder(found.folder, model.device, tokenizer_of=model)
            engine = Engine(snapshot, max_streams=1, memory=MEMORY)
        self.opened[key] = engine
        return engine

    def close(self) -> None:
        """Close what is open."""
        with self.lock:
            while self.opened:
                self.opened.popitem()[1].close()
