"""What a run finds of its model at its end."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from trainer.evaluate.likelihood import evaluate
from trainer.run.finish import evaluate_finished
from trainer.settings.run import Run

from .conftest import tiny_llama


def store_of(validation: list[str], training: list[str]) -> Any:
    """A store as far as it is asked for stories."""
    splits = {"validation": validation, "train": training}
    return SimpleNamespace(
        stories=lambda name, limit=0: iter(splits[name][: limit or None]),
        num_stories=lambda name: len(splits[name]),
    )


def test_all_of_it(tokenizer: PreTrainedTokenizerBase, stories: list[str], tmp_path: Path) -> None:
    model, lines = tiny_llama(context=64), []
    run = Run(continue_stories=3, sample_prompts="Once|Tim", sample_length=5)
    kept = evaluate_finished(model, tokenizer, store_of(stories, stories), run, lines.append)
    assert kept["validation"]["file"] == "the validation split"
    assert kept["validation"]["nats_per_token"] == pytest.approx(
        evaluate(model, stories, tokenizer).nats_per_token
    )
    assert [way["sampling"] for way in kept["prose"]] == ["greedy", "0.8, top-k 40"]
    assert kept["prose"][0]["stories"] == 2
    assert kept["prose"][0]["true"]["copied"] == 1  # these very stories were trained on
    assert [sample["prompt"] for sample in kept["samples"]] == ["Once", "Tim"]
    assert lines == ["searching 4 training stories for copied text"]


@pytest.mark.parametrize("count", [0, 100])
def test_without_stories_to_continue_there_is_no_prose(
    tokenizer: PreTrainedTokenizerBase, stories: list[str], count: int
) -> None:
    run = Run(continue_stories=count, sample_prompts="Once", sample_length=2)
    chosen = stories if count == 0 else ["Sun."]
    found = evaluate_finished(tiny_llama(), tokenizer, store_of(chosen, []), run, lambda _: None)
    assert found["prose"] == []
    assert found["validation"] is not None


def test_without_validation_stories(tokenizer: PreTrainedTokenizerBase) -> None:
    run = Run(sample_prompts="Once", sample_length=2)
    found = evaluate_finished(tiny_llama(), tokenizer, store_of([], []), run, lambda _: None)
    assert found["validation"] is None
    assert found["prose"] == []
