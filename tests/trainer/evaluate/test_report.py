"""The report: its folder, its pictures, what they are drawn from."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from transformers import PreTrainedTokenizerBase

from trainer.evaluate.__main__ import main
from trainer.evaluate.likelihood import Likelihood, score
from trainer.evaluate.report import pictures
from trainer.evaluate.report.coloured_story import COLUMNS, broken
from trainer.evaluate.report.report import ranked, texts_of

from .conftest import ModelWriter, tiny_llama


@pytest.fixture
def scores(tokenizer: PreTrainedTokenizerBase, stories: list[str]) -> Likelihood:
    return score(tiny_llama(), stories, tokenizer)


def test_loss_by_position_covers_every_token(scores: Likelihood) -> None:
    rows = pictures.by_position(scores)
    assert rows[0][:2] == (1, 1)
    assert rows[-1][1] == scores.tokens_of_story.max()
    assert all(one[1] + 1 == other[0] for one, other in zip(rows, rows[1:], strict=False))
    assert rows[0][2] == pytest.approx(scores.nats[scores.starts[:-1]].mean(), rel=1e-6)


def test_loss_by_frequency_adds_up(scores: Likelihood) -> None:
    rows = pictures.by_frequency(scores)
    assert sum(row[2] for row in rows) == len(scores.ids)
    assert sum(row[4] for row in rows) == pytest.approx(1)
    total = sum(row[2] * row[3] for row in rows)
    assert total == pytest.approx(scores.nats_of_story.sum(), rel=1e-6)


def test_calibration_of_a_model_that_is_right_as_often_as_it_says() -> None:
    confidence = np.repeat([0.25, 0.75], 400).astype(np.float32)
    correct = np.concatenate([np.arange(400) < 100, np.arange(400) < 300])
    ids = np.zeros(800, np.int32)
    found = Likelihood(
        np.array([0, 800]), ids, np.ones(800, np.float32), confidence, correct,
        np.array([1]), 8, 4, 0.0,
    )  # fmt: skip
    rows, error = pictures.calibration(found)
    assert rows == [(0.25, 0.25, 400), (0.75, 0.75, 400)]
    assert error == pytest.approx(0)


def test_stories_are_ranked_by_their_mean(scores: Likelihood) -> None:
    order = ranked(scores)
    mean = scores.nats_of_story / scores.tokens_of_story
    assert list(mean[order]) == sorted(mean[order])
    assert (scores.tokens_of_story[order] >= 32).all()  # the story of two tokens is not scored


def test_tokens_that_are_parts_of_a_letter_stand_together(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    ids = tokenizer("a 🐉 flew").input_ids
    texts = texts_of(ids, [1.0] * len(ids), tokenizer)
    assert "".join(letters for letters, _ in texts) == "a 🐉 flew"
    assert sum(nats for _, nats in texts) == len(ids)
    assert not any("\ufffd" in letters for letters, _ in texts)


def test_lines_are_broken_at_words_and_keep_every_letter() -> None:
    tokens = [(" snail", 1.0)] * 60 + [("\n", 0.5), ("x" * 200, 2.0)]
    lines = broken(tokens)
    assert all(sum(len(part) for part, _ in line) <= COLUMNS for line in lines)
    kept = "".join(part for line in lines for part, _ in line)
    assert kept == " snail" * 60 + "x" * 200


@pytest.mark.slow
def test_the_command_writes_a_report_and_no_other_folder_is_touched(
    model_folder: ModelWriter,
    tmp_path: Path,
    stories: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no fonts")

    folder = model_folder(tmp_path / "model", tiny_llama(context=64))
    (folder / "curve.png").write_bytes(b"a picture")
    file = tmp_path / "stories.jsonl"
    file.write_text("".join(json.dumps({"text": story}) + "\n" for story in stories))
    report = tmp_path / "report"
    command = [str(folder), "--stories", str(file), "--generate", "2", "--train", str(file)]
    for _ in range(2):  # a report is written over
        assert main([*command, "--report", str(report)]) == 0
    assert f"the report is in {report}" in capsys.readouterr().out
    text = (report / "report.md").read_text(encoding="utf-8")
    for name in ("position.png", "frequency.png", "calibration.png", "curve.png"):
        assert f"]({name})" in text
        assert (report / name).stat().st_size
    for name in ("hardest.svg", "easiest.svg"):
        assert f"]({name})" in text
        letters = "".join(ET.parse(report / name).getroot().itertext())
        assert "nats per token" in letters
    assert "4 of 4 are in the training data" in text
    assert "8-word runs that they have" in text
    monkeypatch.setattr(Figure, "savefig", refuse)
    assert main([*command, "--report", str(report)]) == 0
    assert capsys.readouterr().err.count("warning: what the report lacks of its pictures") == 1
    text = (report / "report.md").read_text(encoding="utf-8")
    assert "](position.png)" not in text and "](hardest.svg)" in text
    other = tmp_path / "mine"
    other.mkdir()
    (other / "diary.txt").write_text("dear diary")
    assert main([*command, "--report", str(other)]) == 2
    assert "it is not a report: name a new folder" in capsys.readouterr().err
    assert (other / "diary.txt").read_text() == "dear diary"
