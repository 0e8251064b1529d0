"""Continuations written by stock generate, and the counts made of them."""

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.evaluate.generation import (
    Continuation,
    continue_stories,
    copied_share,
    judge_prose,
    repeated_share,
    words,
)

from .conftest import END_OF_TEXT, tiny_llama

LONG = "the quick brown fox jumps over the lazy dog"


def test_words_have_no_case_and_no_punctuation() -> None:
    assert words("“Don't stop, Mom’s coming!” 3 cats_ran") == [
        *("don't", "stop", "mom’s", "coming", "3", "cats", "ran"),
    ]


def test_repeated_runs_are_counted_within_a_text() -> None:
    assert repeated_share([words("one two three four five")]) == 0
    # six runs of four words, the last two of which stood there before
    assert repeated_share([words("a b c d e a b c d"), words("a b c d")]) == pytest.approx(1 / 7)
    assert repeated_share([words("too short")]) == 0


def test_copied_runs_are_those_of_the_training_stories() -> None:
    ten = words("so " + LONG)  # ten words: three runs of eight
    training = ["Nothing.", f"The Quick brown fox jumps over the lazy ... {LONG}"]
    assert copied_share([[ten], [words(LONG)], []], training) == [
        pytest.approx(2 / 3),
        1.0,
        0.0,
    ]


def test_prose_is_measured_beside_the_true_one() -> None:
    loop = "and the fox ran " * 4
    same = judge_prose([Continuation(true=LONG, written=LONG)], [LONG])
    assert same.bleu == pytest.approx(100)
    assert (same.copied, same.copied_in_true, same.repeated) == (1.0, 1.0, 0.0)
    other = judge_prose([Continuation(true=LONG, written=loop)])
    assert other.bleu < 20
    assert other.repeated > 0.5 > other.repeated_in_true
    assert other.copied is None


def test_greedy_continuations_are_those_of_the_model_alone(
    tokenizer: PreTrainedTokenizerBase, stories: list[str]
) -> None:
    model = tiny_llama(context=64)
    pairs = continue_stories(model, stories, tokenizer, count=10, batch=3)
    assert len(pairs) == 2  # one story is too short to halve, one does not fit the context
    for pair in pairs:
        story = next(story for story in stories if story.endswith(pair.true))
        ids = tokenizer(story)["input_ids"]
        seen = [END_OF_TEXT, *ids[: len(ids) // 2]]
        start = len(seen)
        while len(seen) < len(ids) + 1:  # one token at a time, without a cache
            with torch.no_grad():
                token = int(model(torch.tensor([seen])).logits[0, -1].argmax())
            if token == END_OF_TEXT:
                break
            seen.append(token)
        assert pair.written == tokenizer.decode(seen[start:])


def test_draws_follow_the_seed(tokenizer: PreTrainedTokenizerBase, stories: list[str]) -> None:
    model = tiny_llama(context=64)

    def drawn(seed: int) -> list[Continuation]:
        return continue_stories(model, stories, tokenizer, count=2, temperature=1.0, seed=seed)

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_a_context_that_fits_no_story_is_said_in_a_sentence(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stories: list[str]
) -> None:
    with pytest.raises(ValueError, match="no story has 8 to 23 tokens"):
        continue_stories(llama, stories[2:3], tokenizer, count=1)
