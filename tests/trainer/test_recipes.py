"""The recipes of docs/extending.md, each followed to the letter in a copy of the tree: a run with
what was added trains, stops, resumes and exports."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.paths import ROOT
from tests.processes import Program
from tests.recipes import follow

from .corpus.conftest import story
from .small_run import SMALL

WORKER = Path(__file__).with_name("recipe_worker.py")
NUMBERS = itertools.count()  # of the processes, for the names of their logs
STEPS = ["--optim.steps", "4", "--corpus.folder", "data", "--run.dir", "run"]
STOP = ["--run.minutes", "0.0001"]  # after an update
RECIPES = {  # its heading in the page, and the settings of a run that uses it
    "A training setting": ["--optim.first_lr_ratio", "0.5"],
    "A block": ["--model.block", "mistral"],
    "An optimizer": ["--optim.optimizer", "signum"],
    "A file format that is read": ["--corpus.source", "stories.yaml"],
}


def train(tree: Path, home: Path, *runs: list[str]) -> str:
    """Train with the trainer of a tree, one run after the other in one process, in the folder
    `home`; what they say."""
    commands = json.dumps([[*SMALL, *STEPS, *settings] for settings in runs])
    log = home / f"output-{next(NUMBERS)}.txt"
    process = Program([WORKER, tree, home, commands], log)
    assert process.wait() == 0, process.output()
    return process.output()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the trainer."""
    copy = tmp_path / "tree"
    shutil.copytree(
        ROOT / "trainer", copy / "trainer", ignore=shutil.ignore_patterns("__pycache__")
    )
    return copy


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_gives_what_trains_resumes_and_exports(
    recipe: str, tree: Path, tmp_path: Path
) -> None:
    stories = [{"text": story(number)} for number in range(60)]
    (tmp_path / "stories.yaml").write_text(yaml.safe_dump_all(stories), encoding="utf-8")
    follow(recipe, tree)
    settings = RECIPES[recipe]
    output = train(tree, tmp_path, [*settings, *STOP], settings)
    assert "resuming after step 1 of 4" in output
    assert "is left out" not in output
    assert (tmp_path / "run" / "export" / "model.safetensors").is_file()
    assert (tmp_path / "run" / "export" / "README.md").is_file()


@pytest.mark.process
@pytest.mark.slow
def test_a_run_of_before_resumes_when_a_setting_was_added(tree: Path, tmp_path: Path) -> None:
    train(tree, tmp_path, STOP)
    follow("A training setting", tree)
    assert "resuming after step 1 of 4" in train(tree, tmp_path, [])
