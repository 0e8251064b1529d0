"""The first story of the page, which the shipped model wrote.

With another shipped model, write it anew:

    python -m tests.playground.server.test_first_story
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from playground.stories.story import Story
from tests.paths import ROOT

FILE = ROOT / "playground" / "web" / "first_story.json"
PROMPT = "Once upon a time, there was a little fox who"
SETTINGS = Settings(seed=21, length=200)


def write(engine: Engine) -> Story:
    """Write the story."""
    return engine.extend([], PROMPT, SETTINGS).finish()


def test_the_first_story_is_what_the_shipped_model_tells(shipped_engine: Engine) -> None:
    kept, written = Story.from_json(FILE.read_text(encoding="utf-8")), write(shipped_engine)
    assert kept.model == written.model
    assert [token.text for token in kept.tokens] == [token.text for token in written.tokens]
    for one, other in zip(kept.tokens, written.tokens, strict=True):
        assert one.probability == pytest.approx(other.probability, rel=1e-3)


if __name__ == "__main__":
    with Engine(ModelFolder.open(ROOT / "models" / "storyteller", device="cpu")) as engine:
        values = write(engine).to_values()
    for token in values["tokens"]:  # the page asks for what else could have been
        token["alternatives"] = []
    FILE.write_text(json.dumps(values, ensure_ascii=False) + "\n", encoding="utf-8")
    print(Path(FILE).stat().st_size, "bytes:", "".join(token["text"] for token in values["tokens"]))
