"""The command `python -m trainer.evaluate`."""

import json
import math
from pathlib import Path

import pytest

from trainer.evaluate.__main__ import main
from trainer.evaluate.command import cleaning_of
from trainer.evaluate.likelihood import evaluate
from trainer.model.load import open_model

from .conftest import ModelWriter, tiny_gpt2

STORIES = ["Tom saw a big red bus. It went by.", "There was a Cat." + " It sat." * 20, "Bye!"]


@pytest.fixture(scope="module")
def folder(model_folder: ModelWriter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("model"), tiny_gpt2(context=32))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "stories.jsonl"
    file.write_text("".join(json.dumps({"text": story}) + "\n" for story in STORIES))
    return file


def test_json_says_what_the_function_finds(
    folder: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder), "--stories", str(file), "--stride", "8", "--json"]) == 0
    output = capsys.readouterr()
    found = json.loads(output.out)
    model, tokenizer = open_model(folder)
    expected = evaluate(model, STORIES, tokenizer, stride=8)
    assert found["nats_per_token"] == pytest.approx(expected.nats_per_token, rel=1e-6)
    assert found["perplexity"] == pytest.approx(math.exp(found["nats_per_token"]))
    assert found["bits_per_byte"] == pytest.approx(expected.bits_per_byte, rel=1e-6)
    assert (found["stories"], found["tokens"]) == (3, expected.tokens)
    assert (found["context"], found["stride"]) == (32, 8)
    assert "scoring" in output.err


def test_the_table_and_the_prose(
    folder: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(folder), "--stories", str(file), "--generate", "2", "--train", str(file)]
    assert main(command) == 0
    output = capsys.readouterr().out
    for name in ("nats per token", "bits per byte", "runs repeated", "runs that they have"):
        assert name in output
    assert "3 of 3 are in the training data" in output
    assert "BLEU: nrefs:1|case:mixed" in output  # sacrebleu's signature
    assert "greedy" in output and "0.8, top-k 40" in output


def test_clean_judges_the_text_that_the_model_was_trained_on(
    folder: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(folder), "--stories", str(file), "--clean", "--json"]
    assert main(command) == 2
    assert "training.json names no rules" in capsys.readouterr().err
    training = {"settings": {"corpus": {"lower_case": True, "key_of_another_version": 1}}}
    (folder / "training.json").write_text(json.dumps(training))
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    model, tokenizer = open_model(folder)
    expected = evaluate(model, [story.lower() for story in STORIES], tokenizer)
    assert found["cleaned"] is True
    assert found["nats_per_token"] == pytest.approx(expected.nats_per_token, rel=1e-6)


def test_the_rules_of_a_run_are_in_its_export(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    training = {"settings": {"corpus": {"lower_case": True}}}
    (tmp_path / "export" / "training.json").write_text(json.dumps(training))
    assert cleaning_of(tmp_path).lower_case is True


def test_bad_input_ends_with_one_line_and_code_two(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "Fine."}\n{"text": \n')
    assert main([str(folder), "--stories", str(broken)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert len(output.err.splitlines()) == 1
    assert "line 2" in output.err


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (["--stride", "0"], "stride must be from 1"),
        (["--stride", "many"], "invalid int value: 'many'"),
        (["--context", "33"], "context must be from 1 to the model's 32"),
        (["--batch", "0"], "batch must be 1 or more"),
        (["--device", "abacus"], "device"),
        (["--device", "mps"], "give --device cpu"),
        (["--generate", "-1"], "--generate must be 0 or more"),
        (["--generate", "1", "--temperature", "nan"], "the temperature must be 0 or more"),
        (["--train", "missing.txt"], "missing.txt"),
        (["--top-k", "-1"], "top-k must be 0"),
        (["--seed", "-1"], "the seed must be 0 or more"),
        (["--report", "."], "it is not a report: name a new folder"),
        (["--colour"], "unrecognized arguments: --colour"),
        (["--stories", "missing.txt"], "missing.txt"),
    ],
)
def test_options_that_cannot_be(
    folder: Path,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    change: list[str],
    sentence: str,
) -> None:
    assert main([str(folder), "--stories", str(file), *change]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("error: ")
    assert sentence in message


def test_no_stories(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    assert main([str(folder), "--stories", str(tmp_path / "empty.txt")]) == 2
    assert "empty.txt" in capsys.readouterr().err
    assert main(["nowhere", "--stories", str(tmp_path / "empty.txt")]) == 2
    assert "there is no model folder nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.txt", "\n<|endoftext|>\n".join(STORIES)),
        ("windows.txt", "\r\n<|endoftext|>\r\n".join(STORIES)),
        ("bom.txt", "\ufeff" + "\n<|endoftext|>\n".join(STORIES)),
        ("marks.jsonl", "\n".join(json.dumps({"text": f"{s}\n<|endoftext|>"}) for s in STORIES)),
        ("array.json", json.dumps([{"story": story} for story in STORIES])),
        ("lines.txt", "\r\n".join(STORIES)),
    ],
)
def test_what_belongs_to_a_file_is_not_scored(
    name: str, content: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content, newline="", encoding="utf-8")
    command = [str(folder), "--stories", str(tmp_path / name), "--json"]
    assert main([*command, *(["--corpus.separator", "line"] if name == "lines.txt" else [])]) == 0
    found = json.loads(capsys.readouterr().out)
    model, tokenizer = open_model(folder)
    assert found["nats_per_token"] == evaluate(model, STORIES, tokenizer).nats_per_token
    assert found["stories"] == 3


def test_several_files_and_standard_input(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(folder), "--json", "--stories"]
    assert main([*command, f"{file},{file}"]) == 0
    assert json.loads(capsys.readouterr().out)["stories"] == 6
    with file.open(encoding="utf-8") as piped:
        monkeypatch.setattr("sys.stdin", piped)
        assert main([*command, "-"]) == 0
    assert json.loads(capsys.readouterr().out)["stories"] == 3


def test_half_a_character_is_a_message(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "half.jsonl"
    file.write_text('{"text": "A dog."}\n{"text": "A \\ud83d dog."}\n')
    assert main([str(folder), "--stories", str(file)]) == 2
    assert "story 2 of half.jsonl holds half a character" in capsys.readouterr().err


def test_ctrl_c_is_no_traceback(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.evaluate.command.score", interrupt)
    assert main([str(folder), "--stories", str(file)]) == 130
    assert capsys.readouterr().err.strip().endswith("stopped")
