"""Models side by side."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase

from trainer.evaluate.__main__ import main
from trainer.evaluate.likelihood import Likelihood, score
from trainer.evaluate.report.compare import compare, table

from .conftest import ModelWriter, tiny_gpt2, tiny_llama


@pytest.fixture
def both(tokenizer: PreTrainedTokenizerBase, stories: list[str]) -> list[tuple[str, Likelihood]]:
    models = (("llama", tiny_llama()), ("gpt2", tiny_gpt2()))
    return [(name, score(model, stories, tokenizer)) for name, model in models]


def test_differences_are_those_of_the_same_stories(both: list[tuple[str, Likelihood]]) -> None:
    first, second = compare(both)
    assert first.difference is None
    assert second.difference is not None
    less = second.evaluation.bits_per_byte - first.evaluation.bits_per_byte
    assert second.difference.bits_per_byte == pytest.approx(less)
    low, high = second.difference.interval
    assert low <= less <= high
    nats = [found.nats_of_story for _, found in both]
    assert second.difference.better_stories == np.mean(nats[1] < nats[0])


def test_a_constant_difference_is_certain(both: list[tuple[str, Likelihood]]) -> None:
    """Bits by bytes of each story: no draw of stories changes it, though each model's own may."""
    first = both[0][1]
    nats = first.nats.copy()
    nats[first.starts[:-1]] += (0.1 * math.log(2) * first.bytes).astype(np.float32)
    worse = dataclasses.replace(first, nats=nats)
    row = list(compare([("a", first), ("b", worse)]))[1]
    assert row.difference is not None
    assert row.difference.interval == pytest.approx((0.1, 0.1), abs=1e-6)
    assert row.difference.better_stories == 0
    assert "+0.1000 (+0.1000 to +0.1000)" in table([row])


def test_other_stories_are_refused(
    both: list[tuple[str, Likelihood]], tokenizer: PreTrainedTokenizerBase, stories: list[str]
) -> None:
    other = score(tiny_gpt2(), stories[1:], tokenizer)
    with pytest.raises(ValueError, match="only be compared by the same stories"):
        list(compare([both[0], ("other", other)]))


def test_the_command(
    model_folder: ModelWriter,
    tmp_path: Path,
    stories: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders = [
        model_folder(tmp_path / "a", tiny_llama()),
        model_folder(tmp_path / "b", tiny_gpt2()),
    ]
    file = tmp_path / "stories.jsonl"
    file.write_text("".join(json.dumps({"text": story}) + "\n" for story in stories))
    command = ["compare", *map(str, folders), "--stories", str(file)]
    assert main(command) == 0
    output = capsys.readouterr().out
    assert all(str(folder) in output for folder in folders)
    assert "% of stories" in output
    assert main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["models"]
    assert [row["model"] for row in rows] == list(map(str, folders))
    assert rows[0]["difference"] is None
    assert main(["compare", str(folders[0]), "--stories", str(file)]) == 2
    assert "compare needs two models or more" in capsys.readouterr().err
