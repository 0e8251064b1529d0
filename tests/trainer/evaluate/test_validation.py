"""The sample stories: each prompt has its own, and the draws are the same every time."""

from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from trainer.evaluate.validation import write_samples


@pytest.fixture(scope="module")
def storyteller(tiny_export: Any) -> tuple[Any, Any]:
    return (
        AutoModelForCausalLM.from_pretrained(tiny_export),
        AutoTokenizer.from_pretrained(tiny_export),
    )


def test_each_prompt_has_its_story_and_the_dice_are_the_same(storyteller: Any) -> None:
    prompts = "Once upon a time| One day |Tom"
    samples = write_samples(*storyteller, prompts, seed=3, length=8)
    assert [sample["prompt"] for sample in samples] == ["Once upon a time", "One day", "Tom"]
    for sample in samples:
        assert sample["story"].startswith(sample["prompt"])
        assert len(sample["story"]) > len(sample["prompt"])
    assert write_samples(*storyteller, prompts, seed=3, length=8) == samples
    assert write_samples(*storyteller, prompts, seed=4, length=8) != samples


def test_a_prompt_longer_than_the_context_is_cut(storyteller: Any) -> None:
    samples = write_samples(*storyteller, "the big dog " * 100, seed=3, length=8)
    assert len(storyteller[1](samples[0]["story"]).input_ids) <= 64
