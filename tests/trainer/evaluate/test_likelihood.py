"""The likelihood of stories against sums made one token at a time."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tests.vocabulary import END_OF_TEXT
from trainer.evaluate.likelihood import Evaluation, evaluate, slide


def brute_force(
    model: PreTrainedModel, ids: list[int], *, context: int, stride: int
) -> list[float]:
    """-ln p of each token after the first, each by a forward pass of its own without a batch."""
    found = []
    for place in range(1, len(ids)):
        steps = max(0, math.ceil((place - context) / stride))
        seen = torch.tensor([ids[steps * stride : place]])
        with torch.no_grad():
            logits = model(seen).logits[0, -1].double()
        found.append(-logits.log_softmax(-1)[ids[place]].item())
    return found


@pytest.mark.parametrize("stride", [None, 1, 7, 24])
def test_equals_a_sum_made_one_token_at_a_time(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    stories: list[str],
    stride: int | None,
) -> None:
    nats: list[float] = []
    for story in stories:
        ids = [END_OF_TEXT, *tokenizer(story)["input_ids"], END_OF_TEXT]
        nats += brute_force(model, ids, context=24, stride=stride or 12)
    found = evaluate(model, stories, tokenizer, stride=stride)
    num_bytes = sum(len(story.encode()) for story in stories)
    assert found.tokens == len(nats)
    assert found.bytes == num_bytes
    assert found.stories == 4
    assert found.context == 24
    assert found.stride == (stride or 12)
    assert found.nats_per_token == pytest.approx(sum(nats) / len(nats), rel=1e-5)
    assert found.perplexity == pytest.approx(math.exp(sum(nats) / len(nats)), rel=1e-4)
    assert found.bits_per_byte == pytest.approx(sum(nats) / math.log(2) / num_bytes, rel=1e-5)


@given(length=st.integers(1, 200), context=st.integers(1, 40), data=st.data())
def test_windows_score_each_token_once_with_enough_before_it(
    length: int, context: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, context))
    scored = []
    for start, end, first in slide(length, context, stride):
        assert 0 <= start <= first < end <= length
        assert end - start <= context
        assert start == 0 or first - start >= context - stride
        scored += range(first, end)
    assert scored == list(range(length))


@pytest.mark.parametrize("batch", [1, 3, 50])
def test_batch_size_does_not_change_the_result(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stories: list[str], batch: int
) -> None:
    expected = evaluate(llama, stories, tokenizer, batch=2)
    found = evaluate(llama, reversed(stories), tokenizer, batch=batch)
    assert found.nats_per_token == pytest.approx(expected.nats_per_token, rel=1e-6)


def test_equal_rows_of_the_head_are_counted_as_often_as_they_are_there(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stories: list[str]
) -> None:
    with torch.no_grad():
        rows = llama.get_input_embeddings().weight
        rows[1000:] = rows[1000:1007].repeat(len(rows) // 7, 1)[: len(rows) - 1000]
    ids = [END_OF_TEXT, *tokenizer(stories[3])["input_ids"], END_OF_TEXT]
    nats = brute_force(llama, ids, context=24, stride=12)
    found = evaluate(llama, [stories[3]], tokenizer)
    assert found.nats_per_token == pytest.approx(sum(nats) / len(nats), rel=1e-5)


def test_a_shorter_context_may_be_chosen(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stories: list[str]
) -> None:
    ids = [END_OF_TEXT, *tokenizer(stories[2])["input_ids"], END_OF_TEXT]
    nats = brute_force(llama, ids, context=10, stride=5)
    found = evaluate(llama, [stories[2]], tokenizer, context=10)
    assert (found.context, found.stride) == (10, 5)
    assert found.nats_per_token == pytest.approx(sum(nats) / len(nats), rel=1e-5)


def test_empty_stories_are_passed_over(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stories: list[str]
) -> None:
    found = evaluate(llama, ["", *stories, " \n"], tokenizer)
    assert found.stories == 4
    assert found.nats_per_token == evaluate(llama, stories, tokenizer).nats_per_token


def test_a_model_in_training_mode_continues_training(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stories: list[str]
) -> None:
    llama.train()
    evaluate(llama, stories[:1], tokenizer)
    assert llama.training
    assert llama.get_input_embeddings().weight.requires_grad


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda m, s, t: evaluate(m, [" "], t), "there are no stories"),
        (lambda m, s, t: evaluate(m, s, t, stride=0), "stride must be from 1 to the context of 24"),
        (lambda m, s, t: evaluate(m, s, t, stride=25), "stride must be from 1"),
        (lambda m, s, t: evaluate(m, s, t, context=25), "context must be from 1 to the model's 24"),
        (lambda m, s, t: evaluate(m, s, t, context=0), "context must be from 1"),
        (lambda m, s, t: evaluate(m, s, t, batch=0), "batch must be 1 or more"),
        (lambda m, s, t: evaluate(m.half(), s, t), "evaluated in fp32"),
        (lambda m, s, t: evaluate(shrunk(m), s, t), "the model has only 100 ids"),
    ],
)
def test_what_cannot_be_scored_raises_a_message(
    llama: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    stories: list[str],
    ask: Callable[[PreTrainedModel, list[str], PreTrainedTokenizerBase], Evaluation],
    sentence: str,
) -> None:
    with pytest.raises(ValueError, match=sentence):
        ask(llama, stories, tokenizer)


def shrunk(model: PreTrainedModel) -> PreTrainedModel:
    """The model with the first 100 ids only."""
    model.resize_token_embeddings(100)
    return model
