"""The command line, as a person starts it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from playground import generate
from playground.command_line import typed_text, use_utf8
from playground.sampling import Settings
from playground.stories.story import Story
from tests.links import link_of
from tests.paths import ROOT


def test_text_and_record_are_the_same_story(
    folder_of: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "--prompt", "A 🦊 ran", "--length", "12", "--seed", "5", "--top-k", "0",
        "--banned-words", "the,a", "fox、", "--device", "cpu",
    )  # fmt: skip
    assert generate.main([str(folder_of("qwen3")), *words]) == 0
    plain = capsys.readouterr().out
    assert generate.main([str(folder_of("qwen3")), "--json", *words]) == 0
    story = Story.from_json(capsys.readouterr().out)
    assert plain == story.text + "\n"
    assert story.text.startswith("A 🦊 ran")
    assert story.settings == Settings(length=12, seed=5, top_k=0, banned_words=("the", "a", "fox"))
    assert len(story.tokens) == 12 or story.ended


@pytest.mark.process
def test_a_terminal_without_the_letters_keeps_the_story(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    locale |= {"PYTHONIOENCODING": "cp1252"}
    file, prompt = tmp_path / "story.txt", "日本 “é” 🦊"
    command = [sys.executable, "-m", "playground.generate", str(folder_of("qwen3"))]
    command += ["--prompt", prompt, "--length", "2", "--device", "cpu"]
    with file.open("wb") as out:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **locale}, stdout=out, stderr=subprocess.PIPE
        )
    assert done.returncode == 0, done.stderr.decode()
    assert file.read_text(encoding="utf-8").startswith(prompt)


def test_a_terminal_shows_the_number_of_a_letter_that_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(shown, encoding="cp1252"))
    use_utf8()
    print("日 é", flush=True)
    assert shown.getvalue().strip() == b"\\u65e5 \xe9"
    assert typed_text("日".encode().decode("ascii", "surrogateescape")) == "日"
    with pytest.raises(ValueError, match="is not text: give it in UTF-8"):
        typed_text("\ud83d")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["nowhere", "--prompt", "x"], "error: there is no model folder"), ([], "error: "),
        (["nowhere", "--temperature", "hot"], "error: "),
        (["nowhere", "--temperature", "9"], "temperature"),
        (["nowhere", "--temperature", "nan"], "temperature"),
        (["nowhere", "--temperature", "-1"], "temperature"),
        (["nowhere", "--top-k", "many"], "--top-k"), (["nowhere", "--length", "0"], "length"),
        (["nowhere", "--seed", "-1"], "seed"), (["nowhere", "--seed", "9" * 400], "seed"),
        (["nowhere", "--banned-words", " "], "banned_words"),
        (["nowhere", "--speed", "3"], "--speed"), (["nowhere", "--prompt"], "--prompt"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_one_line(
    words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main(words) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert part in output.err
    assert output.err.count("\n") == 1


@pytest.mark.process
def test_the_command_ends_with_the_code_of_main() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "playground.generate"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.process
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
        message = process.stderr.read()
    assert "Traceback" not in message
    assert "Exception" not in message


def test_half_a_word_is_completed_and_the_prompt_stays(
    folder_of: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for prompt in ("Once upon a ti", "Once\t", "The fox"):
        words = ("--prompt", prompt, "--length", "1", "--seed", "4", "--device", "cpu")
        assert generate.main([str(folder_of("llama")), *words]) == 0
        plain = capsys.readouterr().out
        assert generate.main([str(folder_of("llama")), "--json", *words]) == 0
        story = Story.from_json(capsys.readouterr().out)
        assert plain == story.text + "\n" and story.text.startswith(prompt)


def test_a_link_of_another_tokenizer_is_refused(
    folder_of: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    written = f"Look: <https://example.org/s/{link_of([464, 21831], '0a1b')}>!"
    assert generate.main([str(folder_of("llama")), "--link", written, "--device", "cpu"]) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.splitlines()[-1].startswith(
        "error: this story was written by the model fox, which has another tokenizer"
    )
