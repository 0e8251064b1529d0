"""Where a typed text ends and the model's first token begins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from playground.core.library import Head
from playground.engine.engine import Engine
from playground.engine.replay import replay
from playground.engine.token_healing import Beginnings, is_finished
from playground.sampling import Settings
from playground.stories.permalink import Permalink, Run
from playground.stories.story import Story, Token

BEGINNINGS = (
    "Once upon a ti", "Once upon a tim", "There was a little g", "On", "Once upon a time ",
    "Once upon a time  ", "Once upon a\t", "Once upon a\u00a0", "Once upon a time", "I don't",
    "Lily said: “Ye", "The unfathom",
)  # fmt: skip


def written(engine: Engine, text: str, settings: Settings) -> list[Token]:
    """The typed tokens and the new ones, as the page gets them."""
    with engine.extend([], text, settings, completes_word=True) as stream:
        return list(stream)


@pytest.mark.parametrize("text", BEGINNINGS)
def test_a_beginning_is_gone_on_with_and_its_link_verifies(
    shipped_engine: Engine, text: str
) -> None:
    settings = Settings(length=5, seed=3, stop_at_end=False)
    tokens = written(shipped_engine, text, settings)
    story = "".join(token.text for token in tokens)
    assert story.startswith(text)
    with shipped_engine.write(text, settings, completes_word=True) as stream:
        new = list(stream)
        assert stream.story.text == story
    first = len(tokens) - len(new)
    assert [token.draw is None for token in tokens] == [k < first for k in range(len(tokens))]
    typed = "".join(token.text for token in tokens[:first])
    assert typed == stream.story.prompt and text == typed + stream.story.begins_with
    assert Story.from_json(stream.story.to_json()) == stream.story
    model = shipped_engine.storyteller
    link = Permalink(
        model.fingerprint[:16], "", (Run(settings, text[len(typed) :]),),
        tuple((token.token_id, -1 if k < first else 0) for k, token in enumerate(tokens)),
        (), model.tokenizer_fingerprint[:4],
    )  # fmt: skip
    assert replay(shipped_engine, link).verdict == "Reproduced exactly."


@pytest.mark.parametrize(
    ("half", "word"),
    [("Once upon a ti", " time"), ("There was a little g", " girl"), ("On", "Once")],
)
def test_half_a_word_is_completed(shipped_engine: Engine, half: str, word: str) -> None:
    for seed in range(3):
        tokens = written(shipped_engine, half, Settings(length=1, seed=seed, temperature=0.5))
        assert tokens[-1].text == word and tokens[-1].draw is not None


def test_a_whole_word_stays_a_persons(shipped_engine: Engine) -> None:
    """Nothing is drawn for it: the story is the one that its tokens have."""
    settings = Settings(length=8, seed=5)
    for text in ("Once upon a time", "One day, Lily"):
        with shipped_engine.write(text, settings) as plain:
            expected = [token.token_id for token in plain]
        with shipped_engine.write(text, settings, completes_word=True) as stream:
            assert [token.token_id for token in stream] == expected
        assert stream.story.prompt_ids == tuple(shipped_engine.encode(text))


def test_later_words_of_a_person_keep_the_draws_of_a_link(shipped_engine: Engine) -> None:
    settings = Settings(length=4, seed=9, stop_at_end=False)
    first = written(shipped_engine, "Once upon a time", settings)
    ids = [token.token_id for token in first]
    opening = next(k for k, token in enumerate(first) if token.draw is not None)
    for text in (" The dog", " She was ha", " and "):
        seam = shipped_engine.seam(text, begins=False, completes_word=True)
        start = len(ids) + len(shipped_engine.encode(seam.bare, begins=False))
        with shipped_engine.extend(
            ids, text, settings, opening=opening, completes_word=True
        ) as stream:
            new = list(stream)
        typed = next(k for k, token in enumerate(new) if token.draw is not None)
        begins = seam.begins if len(ids) + typed == start else ""
        owners = (
            [-1] * opening + [0] * (len(ids) - opening) + [-1] * typed + [1] * (len(new) - typed)
        )
        every = [*ids, *(token.token_id for token in new)]
        runs = (Run(settings), Run(settings, begins))
        link = Permalink(
            shipped_engine.storyteller.fingerprint[:16],
            "",
            runs,
            tuple(zip(every, owners, strict=True)),
        )
        assert replay(shipped_engine, link).differs_at is None
        # The first word decides: without what it begins with, another one is drawn.
        if begins.strip():
            free = replace(link, runs=(runs[0], Run(settings)))
            assert replay(shipped_engine, free).differs_at is not None


def test_the_tokens_that_spell_a_beginning() -> None:
    tokens = [b"", b" ", b" t", b" ti", b" time", b" tin", b" a", b"time", b" ti", b" tj"]
    beginnings = Beginnings(tokens)
    for start in (b" ti", b" ", b"time", b" x"):
        spelling = [
            token_id
            for token_id, token in enumerate(tokens)
            if token and (token.startswith(start) or start.startswith(token))
        ]
        others = set(range(len(tokens))) - set(spelling)
        assert set(beginnings.not_spelling(start).tolist()) == others
        longer = [k for k, token in enumerate(tokens) if token.startswith(start) and token != start]
        assert sorted(beginnings.longer_than(start).tolist()) == longer


def test_a_word_is_finished_where_nothing_longer_is_likelier() -> None:
    head, logits = Head(4), np.log(np.array([0.5, 0.2, 0.2, 0.1], dtype=np.float32))
    assert is_finished(head, logits, 0, np.array([1, 2]))
    assert is_finished(head, logits, 1, np.array([3]))
    assert not is_finished(head, logits, 1, np.array([2, 3]))
    assert not is_finished(head, logits, 3, np.array([0]))
    assert is_finished(head, logits, 3, np.array([], dtype=np.int64))
    assert not is_finished(head, np.full(4, np.nan, np.float32), 0, np.array([1]))
