"""The same bits from every machine, with any number of threads, alone and among others."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from playground.core.library import Chunk
from tests.playground.core.models import (
    CONTEXT,
    MACHINES,
    SHAPES,
    core_of,
    logits_of,
    machine,
    packed,
    questions_of,
    some_ids,
)

STORIES, TOKENS = 40, 12


def settings_of(story: int) -> dict[str, float]:
    """Other ones for each story, temperature 2 over all ids among them."""
    draws = np.random.default_rng(story)
    if story % 4 == 0:
        return {"temperature": 2.0}
    return {
        "temperature": draws.choice([0.0, 0.5, 1.0, 1.7]),
        "top_k": int(draws.choice([0, 1, 40, 200])),
        "top_p": draws.choice([1.0, 0.5, 0.9]),
        "min_p": draws.choice([0.0, 0.1]),
    }


@functools.cache
def all_questions() -> NDArray[np.void]:
    """What each step asks about each story: [TOKENS, STORIES]."""
    rows = [np.concatenate([questions_of(1, **settings_of(s)) for s in range(STORIES)])] * TOKENS
    questions = np.stack(rows)
    for position, story in np.ndindex(TOKENS, STORIES):
        questions["draw"][position, story] = np.random.default_rng([story, position]).random()
    return questions


def records_of(content: bytes, threads: int, at_once: int) -> bytes:
    """The records of stories, `at_once` of them in a step."""
    core = core_of(content, STORIES, CONTEXT, threads)
    records: list[list[bytes]] = [[] for _ in range(STORIES)]
    for first in range(0, STORIES, at_once):
        stories = range(first, min(first + at_once, STORIES))
        last = {story: int(some_ids(1, story)[0]) for story in stories}
        for position in range(TOKENS):
            chunks = [Chunk(s, position, [last[s]], range(1)) for s in stories]
            questions = all_questions()[position, stories.start : stories.stop].copy()
            for story, answer in zip(stories, core.step(chunks, questions), strict=True):
                records[story].append(answer.tobytes())
                last[story] = int(answer["id"])
    return b"".join(record for story in records for record in story)


@pytest.mark.parametrize("weights", ["fp16", "int8", "fp32"])
@pytest.mark.parametrize("shape", ["gpt2", "llama-grouped", "qwen3"])
def test_a_story_is_the_same_alone_and_among_others(shape: str, weights: str) -> None:
    content = packed(shape, weights).content
    alone = records_of(content, threads=1, at_once=1)
    assert records_of(content, threads=1, at_once=STORIES) == alone
    for threads, at_once in ((2, 7), (3, 20), (8, STORIES), (8, 8), (8, 1)):
        assert records_of(content, threads, at_once) == alone


@pytest.mark.parametrize("weights", ["fp16", "int8", "fp32"])
@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_computes_the_same_bits(name: str, weights: str) -> None:
    for shape in SHAPES:
        content, ids = packed(shape, weights).content, some_ids(40)
        expected = logits_of(core_of(content), ids).tobytes()
        with machine(name):
            assert logits_of(core_of(content), ids).tobytes() == expected


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_tells_the_same_stories(name: str) -> None:
    content = packed("qwen3-grouped").content
    expected = records_of(content, threads=1, at_once=1)
    with machine(name):
        assert records_of(content, threads=2, at_once=16) == expected
