"""build, inspect and verify on the command line."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT
from trainer.corpus.__main__ import COMMANDS, main

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = ["--corpus.folder", str(tmp_path / "data")]
    assert main(["build", "--preset", "smoke", "--corpus.source", "sample", *folder]) == 0
    output = capsys.readouterr()
    assert "stories/s" in output.err
    store = Path(output.out.partition(":")[0])
    assert store.is_dir()
    return store


def test_inspect_prints_the_card(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(store)]) == 0
    card = capsys.readouterr().out
    assert card.startswith("# The corpus: sample\n")
    for line in (
        "| `empty` | nothing but space | 2 |",
        "Duplicates: word for word 1.",
        "are shorter than 128 tokens",
        "Most frequent: the (",
        "- [🌈] Lila saw a rainbow",
        "`min_tokens 8`",
    ):
        assert line in card
    assert "Lily (" in card.partition("Names: ")[2]


def test_inspect_writes_the_card_with_its_picture(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "corpus.md"
    assert main(["inspect", str(store), "--write", str(file)]) == 0
    assert "(corpus.png)" in file.read_text(encoding="utf-8")
    assert (tmp_path / "corpus.png").read_bytes().startswith(PNG)


def test_verify_finds_a_changed_byte(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(store)]) == 0
    assert "is as it was written" in capsys.readouterr().out
    file = store / "train" / "tokens.bin"
    content = bytearray(file.read_bytes())
    content[10] ^= 1
    file.write_bytes(content)
    assert main(["verify", str(store)]) == 2
    assert capsys.readouterr().err.startswith(f"error: shard 0 of {file}")


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["mend"], "mend is not a command"),
        (["build", "--optim.lr", "1"], "--optim.lr has no meaning for a corpus"),
        (["build", "--corpus.sauce", "x"], "there is no setting --corpus.sauce"),
        (["build", "--corpus.source", "missing.txt"], "there is no file missing.txt"),
        (["build", "--corpus.near_duplicates", "1"], "corpus.near_duplicates must be"),
        (["build", "--corpus.revision", "main"], "corpus.revision must be a commit"),
        (["build", "--corpus.validation_share", "1"], "corpus.validation_share must be"),
        (["inspect"], "give the folder of one store"),
        (["inspect", "nowhere.txt"], "there is no file nowhere.txt"),
        (["inspect", "nowhere", "--write"], "--write needs a file"),
        (["verify", "a", "b"], "give the folder of one store"),
    ],
)
def test_what_cannot_be_done_is_one_message(
    capsys: pytest.CaptureFixture[str], words: list[str], wrong: str
) -> None:
    assert main(words) == 2
    output = capsys.readouterr()
    assert output.err.startswith("error: ")
    assert wrong in output.err
    assert len(output.err.strip().splitlines()) == 1
    assert not output.out


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "build" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    output = capsys.readouterr()
    assert f"python -m trainer.corpus {name} " in output.out and not output.err


def test_inspect_says_how_a_file_is_understood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.csv"
    rows = [
        "story",
        '"One day, Tom found a red ball.\r\nHe was happy."',
        "What?,",
        "Mia <b>ran.</b>",
    ]
    file.write_text("\ufeff" + "\r\n".join(rows), newline="", encoding="utf-8")
    assert main(["inspect", str(file)]) == 0
    output = capsys.readouterr().out
    for line in (
        f"{file}:",
        "  kind: csv",
        "  field: `story`",
        "  delimiter: comma",
        "  quotation marks: around fields",
        "  head line: yes",
        "  encoding: utf-8",
        "  byte order mark: yes",
        "  line ends: Windows",
    ):
        assert line in output.splitlines()
    assert "3 stories, half of 15 characters or more" in output
    assert "1 changed by `markup`" in output
    assert "| One day, Tom found a red ball. He was happy." in output
    assert not (tmp_path / "data").exists()


def test_inspect_answers_programs_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["One day, Tom found a red ball. He was happy.", "Mia <b>ran</b> home and was happy."]
    texts += [texts[0]] * 3 + ["Il etait une fois un petit chat. " * 9 + "Fin."] * 20
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    assert main(["inspect", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["stories"], found["kept"], found["duplicates"]) == (25, 5, 3)
    assert 30 < found["tokens"] < 100
    (only,) = found["files"]
    assert ["field", "`text`"] in only["details"] and len(only["shown"]) == 3
    assert only["changed"] == [
        {"rule": "markup", "stories": 1, "meaning": "HTML entities unescaped, tags taken out"}
    ]
    assert [row["rule"] for row in only["dropped"]] == ["foreign"]
    few, same, other = "Only 5 stories", "3 stories are word for word", "--corpus.english false"
    for warning in (few, same, other):
        assert any(warning in sentence for sentence in found["warnings"]), warning
    assert main(["inspect", str(file), "--json", "--corpus.tokenizer", "train:4096"]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"] is None
    assert main(["inspect", "sample", "--json"]) == 0
    sample = json.loads(capsys.readouterr().out)
    assert sample["stories"] == 2001 and sample["warnings"] == []


@pytest.mark.process
def test_a_console_without_the_letters_of_a_story(store: Path) -> None:
    for encoding in ("ascii", "cp1252"):
        done = subprocess.run(
            [sys.executable, "-m", "trainer.corpus", "inspect", str(store)],
            cwd=ROOT,
            env=os.environ | {"PYTHONIOENCODING": encoding},
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        assert b"# The corpus: sample" in done.stdout


def test_inspect_says_split_compression_and_encoding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train", "valid", "test"):
        text = "nr;text\r\n1;One day, Tom ran.\r\n2;Then he was happy.\r\n"
        (tmp_path / f"{name}.csv").write_bytes(gzip.compress(text.encode("utf-16")))
    assert main(["inspect", str(tmp_path)]) == 0
    output = capsys.readouterr().out.splitlines()
    assert f"splits of {tmp_path}: trained on train.csv; validated on valid.csv" in output[0]
    for line in ("split: train", "split: validation", "delimiter: semicolon", "encoding: utf-16"):
        assert f"  {line}" in output
    assert output.count("  compression: gzip") == 2
