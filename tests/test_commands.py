"""Every command in README and the documents does what it says: each is run, on the sample and on
tiny models where it stands for hours of work, and none is without a row here."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from accelerate.commands.launch import launch_command_parser

import app
import playground.browser.__main__
import playground.generate
import playground.inside.__main__
import playground.publish.__main__
import trainer.corpus.__main__
import trainer.evaluate.__main__
import trainer.export.__main__
import trainer.metrics.__main__
import trainer.train
from tests.paths import ROOT

pytestmark = pytest.mark.process  # make; and most of the others train

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"```sh\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
SMALL = [
    *("--preset", "smoke", "--optim.steps", "2", "--run.snapshots", "0", "--model.hidden", "32"),
    *("--optim.global_batch", "4"),
    *("--run.evaluate_stories", "1", "--run.sample_length", "2", "--run.validate_blocks", "1"),
]
ELSEWHERE = {  # a command's start: why it is not run here
    "python3 -m venv": "`make` does the same, and CI runs that",
    ".venv/bin/python": "the same",
    "py -m venv": "Windows",
    ".venv\\Scripts\\": "Windows",
    "mkdir": "the fixture `home` has the folders",
    "source": "the tests run in the environment",
    "make": "the target is looked up; CI runs `make test`",
    ".venv/bin/pre-commit": "it changes the repository",
    "EVENT=$(curl": "tests/playground/server/test_api.py runs it",
    "curl": "the same",
    "python -m http.server": "tests/browser/static/test_static_page.py serves the same folder",
    "python -m playground.runs": "tests/playground/runs/test_training.py runs them",
    "python -m playground.trace": "tests/playground/trace/test_main.py runs it",
    "sbatch": "tests/trainer/distributed/test_machines.py runs the script",
}


def commands() -> list[tuple[str, str]]:
    """(document, command) of every line of every fenced shell block."""
    found = []
    for document in DOCUMENTS:
        for block in FENCE.findall(document.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                command = re.sub(r"\s+#.*$", "", line).strip().replace(" [--json]", " --json")
                if command and not command.startswith("#"):
                    found.append((document.name, command))
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the documents assume it: a finished run, stories, the shipped storyteller."""
    home = tmp_path_factory.mktemp("home")
    (home / "models").symlink_to(ROOT / "models")
    lines = (ROOT / "trainer" / "corpus" / "sample.jsonl").read_text().splitlines()[40:]
    for name, count in {"stories": 300, "train": 30, "valid": 4}.items():
        (home / f"{name}.jsonl").write_text("\n".join(lines[:count]) + "\n")
    (home / "my-stories/valid").mkdir(parents=True)
    (home / "my-stories/valid/story.txt").write_text(json.loads(lines[0])["text"])
    here = os.getcwd()
    os.chdir(home)
    try:
        arguments = ["--corpus.source", "stories.jsonl", "--run.dir", "runs/storyteller"]
        assert trainer.train.main([*SMALL, *arguments]) == 0
        (home / "runs/mine").symlink_to("storyteller")
        store = next(file.parent for file in (home / "data").rglob("store.json"))
        (home / "data/stories-0123456789ab").symlink_to(store)
    finally:
        os.chdir(here)
    return home


def train(words: list[str]) -> int:
    """`accelerate launch ... trainer/train.py ...`: its parser takes the flags, and the run is made
    small and of the sample unless stories are named."""
    flags = launch_command_parser().parse_args(words[2:])
    assert flags.training_script == "trainer/train.py"
    arguments = flags.training_script_args
    if "--corpus.source" not in arguments:
        arguments = ["--corpus.source", "sample", *arguments]
    return trainer.train.main([*SMALL, *arguments, "--run.fresh"])


def open_page(words: list[str]) -> int:
    """`python app.py ...`: the models that it names are there; tests/playground opens the page."""
    options = app.command_line(words[2:])
    assert all((folder / "config.json").is_file() for folder in map(Path, options.model or []))
    return 0


def module(main: Callable[[list[str]], int], *more: str) -> Callable[[list[str]], int]:
    """`python -m module ...`, with more arguments."""
    return lambda words: main([*words[3:], *more])


RUN: dict[str, Callable[[list[str]], int]] = {
    "accelerate launch": train,
    "python trainer/train.py": lambda words: trainer.train.main(
        [*words[2:], *SMALL[2:], "--corpus.source", "sample", "--corpus.tokenizer", "gpt2"]
    ),
    "python app.py": open_page,
    "python -m trainer.corpus": module(trainer.corpus.__main__.main),
    "python -m trainer.evaluate": module(trainer.evaluate.__main__.main),
    "python -m trainer.metrics": module(trainer.metrics.__main__.main),
    "python -m trainer.export": module(trainer.export.__main__.main),
    "python -m playground.browser": module(playground.browser.__main__.main),
    "python -m playground.publish": module(playground.publish.__main__.main),
    "python -m playground.inside": module(playground.inside.__main__.main),
    "python -m playground.generate": module(playground.generate.main, "--length", "5"),
}


@pytest.mark.parametrize(("document", "command"), commands())
def test_a_command_in_a_document_runs(
    document: str, command: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    words = shlex.split(command.replace("--generate 100", "--generate 2"), posix=True)
    known = [start for start in RUN if command.startswith(start)]
    if known:
        assert RUN[known[0]](words) == 0
        return
    assert any(command.startswith(start) for start in ELSEWHERE), "no row in RUN or ELSEWHERE"
    if words[0] == "make":
        target = ["make", "--dry-run", *words[1:]]
        done = subprocess.run(target, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def programs(document: str) -> list[str]:
    return PYTHON.findall((ROOT / "docs" / document).read_text(encoding="utf-8"))


def test_the_program_of_the_tutorial_makes_200_stories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trainer").symlink_to(ROOT / "trainer")
    parts = {"train": 180, "valid": 20}
    for part in parts:
        (tmp_path / "my-stories" / part).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    (program,) = programs("tutorial.md")
    exec(program, {})
    assert {part: len(list(Path("my-stories", part).iterdir())) for part in parts} == parts


def test_the_python_for_transformers_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = programs("exporting.md")
    monkeypatch.chdir(ROOT)
    exec(program, {})
    assert capsys.readouterr().out.startswith("<|endoftext|>Once upon a time")
