"""Models of runs are opened beside those of the page, a few at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.runs.errors import Conflict
from playground.runs.exports import model_folder
from playground.runs.models import OPEN_AT_ONCE, OpenModels, write_with
from playground.runs.tasks import Task
from playground.sampling import Settings
from playground.server.write import listed
from tests.playground.runs.conftest import write_run


class NoProcess(Task):
    """A task that need not start a process."""

    def call(self, words: Any) -> str:
        raise AssertionError(f"it starts {words}")


def names(start: dict[str, Any]) -> list[str]:
    return [model["name"] for model in start["models"]]


def test_a_few_are_open_at_a_time_and_the_first_goes(
    tiny: ModelFolder, folder_of: Callable[[str], Path]
) -> None:
    with Engine(tiny) as engine:
        engines, start = {"tiny": engine}, {"models": [listed("tiny", engine)]}
        models = OpenModels(engines, start, "cpu")
        opened = [f"mine, step {step}" for step in range(OPEN_AT_ONCE + 1)]
        for name in opened:
            assert models.open(name, folder_of("llama")) == name
        assert list(engines) == names(start) == ["tiny", *opened[1:]]
        assert models.open(opened[1], folder_of("llama")) == opened[1]  # as it is
        assert models.open("tiny", folder_of("llama")) == "tiny (run)"
        with engines["tiny (run)"].write("Once", Settings(length=2)) as stream:
            while not stream.done:
                stream.take()
        models.forget("mine")
        assert list(engines) == names(start) == ["tiny", "tiny (run)"]
        models.close_all()
        assert list(engines) == names(start) == ["tiny"]


def test_the_export_of_a_finished_run_is_opened(
    runs: Path, folder_of: Callable[[str], Path]
) -> None:
    run = write_run(runs / "mine", state="finished")
    shutil.copytree(folder_of("llama"), run / "export")
    (run / "export" / "training.json").write_text(json.dumps({"steps": 40}))
    models = OpenModels({}, {"models": []}, "cpu")
    found = write_with(models, runs / "mine", NoProcess(1, "write", "mine"))
    assert found == {"model": "mine, step 40", "step": 40}
    assert models.start["models"][0]["name"] == "mine, step 40"
    models.close_all()


def test_an_export_of_a_checkpoint_is_made_once(runs: Path) -> None:
    run = write_run(runs / "mine", state="running")
    made = run / ".studio" / "model" / "step-00000020"
    made.mkdir(parents=True)
    (made / "training.json").write_text("{}")
    assert model_folder(run, NoProcess(1, "write", "mine")) == (made, 20)
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(Conflict, match="has not saved a model yet"):
        model_folder(run, NoProcess(1, "write", "mine"))
