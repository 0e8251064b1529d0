"""Characters counted after their introductions."""

import pytest
from transformers import PreTrainedTokenizerBase

from trainer.evaluate.characters import Characters, count_characters, introductions_of

LILY = "Once there was a girl named Lily"


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (f"{LILY}. She had a ball. Lily was glad.", Characters((1, 1), (1, 1), (0, 0))),
        (f"{LILY}. He had a ball. Tom was glad.", Characters((0, 1), (0, 1), (0, 0))),
        (f"{LILY} who met Tom. He had a ball.", Characters((0, 0), (0, 0), (0, 0))),
        (f"{LILY}. They ran. It was late.", Characters((0, 0), (0, 0), (0, 0))),
        (
            f"{LILY}. Her dog, Max, ran. Lily saw her dog Max.",
            Characters((0, 0), (1, 1), (1, 1)),
        ),
        (
            f"{LILY}. Her dog, Max, ran. Lily saw her dog Spot.",
            Characters((0, 0), (1, 1), (0, 1)),
        ),
        ("The sun was warm. She was glad.", Characters((0, 0), (0, 0), (0, 0))),
    ],
)
def test_counts(story: str, expected: Characters) -> None:
    assert count_characters([story]) == expected


def test_an_opening_ends_with_the_name(tokenizer: PreTrainedTokenizerBase) -> None:
    stories = ["The sun was warm.", f"{LILY}. She ran.", f"{LILY}.", f"{LILY}! She sang."]
    first, second = introductions_of(stories, tokenizer, 2, longest=50)
    assert tokenizer.decode(first.ids[1:]) == tokenizer.decode(second.ids[1:]) == LILY
    assert tokenizer.decode(first.rest) == ". She ran." and second.number == 1
    assert introductions_of(stories, tokenizer, 2, longest=5) == []
