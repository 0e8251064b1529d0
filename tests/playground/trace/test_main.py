"""playground.trace in the terminal."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

from playground.trace.__main__ import main
from tests.links import link_of
from trainer.corpus.store.token_store import TokenStore

ODD = "Zebras computed the magenta aqueduct."


@pytest.fixture(scope="module")
def story(sample_store: TokenStore) -> str:
    return next(text for text in sample_store.stories("train") if len(text) > 300)


def test_runs_are_marked_and_their_sources_shown(
    sample_store: TokenStore, story: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"{ODD}\n{story[:200]}"
    assert main(["--index", str(sample_store.folder), text, "--sources", "1"]) == 0
    output = capsys.readouterr().out.splitlines()
    assert output[0] == ODD and output[1].startswith(f"[{story[:60].splitlines()[0]}")
    assert any("(held-out stories: " in line for line in output)
    assert any(" words, in one story: " in line for line in output)
    assert any(line.startswith("  story ") and "[" in line and "]" in line for line in output)


def test_json_has_everything(
    sample_store: TokenStore,
    story: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(story))
    assert main(["--index", str(sample_store.folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["text"] == story
    assert found["share"] == 1
    (run,) = found["runs"]
    assert story[run["start"] : run["end"]] == run["sources"][0]["text"].rstrip()


def test_a_filter_says_what_it_finds(
    sample_filter: Path, story: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--index", str(sample_filter), story]) == 0
    output = capsys.readouterr().out
    assert "All runs of 8 words or more are found" in output
    assert "100% of" in output


def test_a_link_is_read_with_the_index_s_tokenizer(
    sample_store: TokenStore, story: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = sample_store.tokenizer.encode([story]).tolist()[:-1]
    link = f"http://x/s/{link_of(ids)}"
    assert main(["--index", str(sample_store.folder), "--link", link, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == story


def test_a_model_s_folder_has_its_filter_and_tokenizer(
    sample_store: TokenStore,
    sample_filter: Path,
    story: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(sample_filter, tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(sample_store.tokenizer.content)
    ids = sample_store.tokenizer.encode([story]).tolist()[:-1]
    assert main(["--index", str(tmp_path), "--link", link_of(ids)]) == 0
    assert story[:50] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ([], "--index"),
        (["--index", "nowhere", "x"], "nowhere is neither a store nor a model"),
        (["--index", "STORE", "x", "--link", "y"], "give STORY or --link, not both"),
        (["--index", "STORE", "--link", "y"], "cut off or was altered"),
        (["--index", "STORE", "x", "--sources", "99"], "--sources must be from 0 to 50, not 99"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    sample_store: TokenStore, words: list[str], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(sample_store.folder)
    assert main([store if word == "STORE" else word for word in words]) == 2
    output = capsys.readouterr()
    assert output.err.startswith("error: ") and wrong in output.err
    assert len(output.err.strip().splitlines()) == 1
    assert not output.out
