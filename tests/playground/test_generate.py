"""The command line, as a person starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from playground import generate
from playground.sampling import Settings
from playground.stories.story import Story
from tests.paths import ROOT


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """`python -m playground.generate words...`"""
    return subprocess.run(
        [sys.executable, "-m", "playground.generate", *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def test_text_and_record_are_the_same_story(folder_of: Callable[[str], Path]) -> None:
    words = (
        "--prompt", "A 🦊 ran", "--length", "12", "--seed", "5", "--top-k", "0",
        "--banned-words", "the", "a", "--device", "cpu",
    )  # fmt: skip
    plain = command(folder_of("qwen3"), *words)
    record = command(folder_of("qwen3"), "--json", *words)
    assert (plain.returncode, record.returncode) == (0, 0), plain.stderr + record.stderr
    story = Story.from_json(record.stdout)
    assert plain.stdout == story.text + "\n"
    assert story.text.startswith("A 🦊 ran")
    assert story.settings == Settings(length=12, seed=5, top_k=0, banned_words=("the", "a"))
    assert len(story.tokens) == 12 or story.ended


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    found = command(tmp_path / "nowhere", "--prompt", "x")
    assert found.returncode == 2
    assert found.stdout == ""
    assert found.stderr.startswith("error: there is no model folder")
    assert found.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--temperature", "9"], "temperature"),
        (["--temperature", "nan"], "temperature"),
        (["--temperature", "-1"], "temperature"),
        (["--top-k", "many"], "--top-k"),
        (["--length", "0"], "length"),
        (["--seed", "-1"], "seed"),
        (["--seed", "9" * 400], "seed"),
        (["--banned-words", " "], "banned_words"),
        (["--speed", "3"], "--speed"),
        (["--prompt"], "--prompt"),
    ],
)
def test_a_bad_option_is_one_sentence(
    words: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main(["nowhere", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert name in said.err
    assert said.err.count("\n") == 1


def test_a_bad_option_of_the_command_shows_no_traceback() -> None:
    for words in ([], ["folder", "--temperature", "hot"]):
        found = command(*words)
        assert found.returncode == 2
        assert found.stderr.startswith("error: ")
        assert found.stderr.count("\n") == 1


def test_a_pipe_that_closes_early_shows_no_traceback(folder_of: Callable[[str], Path]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "playground.generate", folder_of("llama"), "--length", "300"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert "Traceback" not in said
    assert "Exception" not in said
