"""The recipes of docs/extending.md, each followed to the letter in a copy of the tree: a run with
what was added trains, stops, resumes and exports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.paths import ROOT
from tests.recipes import follow

from .corpus.conftest import story
from .small_run import SMALL

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
    calls = "".join(f"assert main({[*SMALL, *STEPS, *settings]}) == 0\n" for settings in runs)
    done = subprocess.run(
        [sys.executable, "-c", f"from trainer.train import main\n{calls}"],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(tree), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


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
    said = train(tree, tmp_path, [*settings, *STOP], settings)
    assert "resuming after step 1 of 4" in said
    assert "is left out" not in said
    assert (tmp_path / "run" / "export" / "model.safetensors").is_file()
    assert (tmp_path / "run" / "export" / "README.md").is_file()


@pytest.mark.process
@pytest.mark.slow
def test_a_run_of_before_resumes_when_a_setting_was_added(tree: Path, tmp_path: Path) -> None:
    train(tree, tmp_path, STOP)
    follow("A training setting", tree)
    assert "resuming after step 1 of 4" in train(tree, tmp_path, [])
