"""Continuations of true stories' first halves, written by stock generate."""

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tests.vocabulary import END_OF_TEXT
from trainer.evaluate.continuations import (
    Continuation,
    Sampling,
    continue_stories,
    draws,
    not_continued,
    openings_of,
)

from .conftest import tiny_llama


def by_hand(model: PreTrainedModel, ids: list[int], room: int, sampling: Sampling, n: int) -> list:
    """The ids that follow the first half, one at a time, without a cache or a batch."""
    written = [END_OF_TEXT, *ids[: len(ids) // 2]]
    start = len(written)
    for random in draws(sampling, n, room):
        with torch.no_grad():
            logits = model(torch.tensor([written])).logits[0, -1].double()
        token = int(logits.argmax())
        if sampling.temperature:
            order = np.argsort(-logits.numpy(), kind="stable")[: sampling.top_k or None]
            odds = (logits.numpy()[order] - logits.max().item()) / sampling.temperature
            heap = np.cumsum(np.exp(odds) / np.exp(odds).sum())
            token = int(order[np.searchsorted(heap, random, side="right")])
        if token == END_OF_TEXT:
            break
        written.append(token)
    return written[start:]


@pytest.mark.parametrize(
    "sampling", [Sampling(), Sampling(0.8, 40, 7), Sampling(1.3, 200, 8)], ids=str
)
@pytest.mark.parametrize("batch", [1, 3])
def test_continuations_are_those_of_each_story_alone(
    tokenizer: PreTrainedTokenizerBase, stories: list[str], sampling: Sampling, batch: int
) -> None:
    model = tiny_llama(context=64)
    openings = openings_of(model, stories, tokenizer, 10)
    pairs = continue_stories(model, openings, tokenizer, sampling, batch=batch)
    assert len(pairs) == 2  # one story is too short to halve, one half does not fit the context
    for number, pair in enumerate(pairs):
        story = next(story for story in stories if story.endswith(pair.true))
        written = by_hand(model, tokenizer(story)["input_ids"], 32, sampling, number)
        assert pair.written == tokenizer.decode(written)
        assert (pair.num_written, pair.ended) == (len(written), len(written) < 32)


def test_draws_follow_the_seed(tokenizer: PreTrainedTokenizerBase, stories: list[str]) -> None:
    model = tiny_llama(context=64)

    def drawn(seed: int) -> list[Continuation]:
        openings = openings_of(model, stories, tokenizer, 2)
        return continue_stories(model, openings, tokenizer, Sampling(1, 0, seed))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_a_continuation_is_cut_to_the_true_length(tokenizer: PreTrainedTokenizerBase) -> None:
    long = Continuation("The end.", " a b c d e", num_true=3, num_written=5, ended=False)
    assert long.cut(tokenizer) == " a b c"
    assert Continuation("The end.", " a", 3, 1, ended=True).cut(tokenizer) == " a"


def test_openings_leave_room_to_write(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stories: list[str]
) -> None:
    """Of 24 tokens 12 are for writing, and the start token takes one: 11 for the opening."""
    openings = openings_of(llama, stories, tokenizer, 10)
    assert [len(opening.ids) for opening in openings] == [12]
    assert openings_of(llama, stories[2:3], tokenizer, 10) == []
    assert openings_of(llama, stories, tokenizer, 0) == []


def test_enough_stories_that_are_not_continued_are_left_to_compare_with(
    tokenizer: PreTrainedTokenizerBase, stories: list[str]
) -> None:
    openings = openings_of(tiny_llama(context=64), stories, tokenizer, 1)
    last = openings[-1].story + 1
    many = stories[:last] + ["A story."] * 100
    assert not_continued(many, openings) == ["A story."] * 100
    assert not_continued(many[:-1], openings) == not_continued(many, []) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"temperature": float("nan")}, "temperature must be 0 or more, not nan"),
        ({"top_k": -1}, "top-k must be 0"),
        ({"seed": -1}, "the seed must be 0 or more"),
    ],
)
def test_sampling_that_cannot_be(wrong: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Sampling(**wrong)
