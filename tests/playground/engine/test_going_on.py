"""Going on from tokens and what a person typed after them, and what could come next."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from playground.core.library import Chunk
from playground.engine.engine import Engine
from playground.engine.next_tokens import NextTokens, bins_of
from playground.engine.stream import Stream
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from playground.stories.story import Token
from tests.gpt2 import SIZE

PROMPT = "Once upon a time, a small fox found a red kite."


@pytest.fixture
def engine(shipped_engine: Engine) -> Engine:
    """What is asserted of words needs a model that writes words."""
    return shipped_engine


def tokens(stream: Stream) -> list[Token]:
    return list(stream)


def test_what_was_typed_is_scored_and_the_story_goes_on_as_from_its_prompt(engine: Engine) -> None:
    settings = Settings(length=12, seed=3)
    whole = engine.write(PROMPT, settings)
    wanted = tokens(whole)
    scored = engine.score(PROMPT).tokens
    found = tokens(engine.extend([], PROMPT, settings))
    assert [token.text for token in found] == [token.text for token in [*scored, *wanted]]
    assert found[: len(scored)] == list(scored)
    assert [token.draw for token in found[len(scored) :]] == [token.draw for token in wanted]
    # And from its middle on, as if it had not been stopped.
    ids = [token.token_id for token in found[:-5]]
    rest = tokens(engine.extend(ids, "", Settings(length=5, seed=3), opening=len(ids) - 7))
    assert rest == found[-5:]


def test_a_token_that_was_chosen_comes_first(engine: Engine) -> None:
    ids = engine.storyteller.encode(PROMPT)
    chosen = engine.storyteller.encode(" Suddenly")[0]
    found = tokens(
        engine.extend(ids, "", Settings(length=3, seed=1), opening=len(ids), token_id=chosen)
    )
    assert (found[0].token_id, found[0].draw, len(found)) == (chosen, None, 4)


@pytest.mark.parametrize("seed", range(8))
def test_a_space_at_the_end_is_the_next_word_s(engine: Engine, seed: int) -> None:
    settings = Settings(length=4, seed=seed)
    stream = engine.write("There was a boy named ", settings)
    first = next(stream)
    assert first.text.startswith(" ")
    assert first.text.strip().isalpha()
    assert stream.story.prompt == "There was a boy named"
    assert stream.story.text.startswith("There was a boy named ")
    stream.close()
    typed = tokens(engine.extend([], "There was a boy named ", settings))
    assert typed[len(typed) - 4].text == first.text


def test_a_story_at_its_end_goes_on_when_it_is_asked_to(engine: Engine) -> None:
    story = engine.write("The end.", Settings(temperature=0, length=200))
    tokens(story)
    assert story.story.ended
    ids = [*story.story.prompt_ids, *(token.token_id for token in story.story.tokens)]
    assert not tokens(engine.extend(ids, "", Settings(temperature=0, length=5)))
    assert tokens(engine.extend(ids, "", Settings(temperature=0, length=5), beyond_end=True))


def log_total(found: NextTokens, temperature: float = 1.0) -> float:
    """Log of the sum over candidates and all others at a temperature."""
    near = [one.logit / temperature for one in found.candidates]
    far = [logit / temperature + math.log(count) for logit, count in found.rest]
    return float(np.logaddexp.reduce([*near, *far]))


def test_the_next_tokens_are_the_record_s(engine: Engine) -> None:
    story = engine.score(PROMPT)
    ids = [token.token_id for token in story.tokens]
    for position in (1, 5, len(ids) - 1):
        token = story.tokens[position]
        found = engine.candidates(ids[:position], token_id=ids[position])
        assert found.token is not None
        assert (found.token.rank, found.token.token_id) == (token.rank, token.token_id)
        assert found.token.probability == pytest.approx(token.probability, rel=1e-5)
        assert len(found.candidates) == 200
        chances = [math.exp(one.logit - found.log_total) for one in found.candidates[:10]]
        assert chances == pytest.approx([one.probability for one in token.alternatives], rel=1e-5)
        assert log_total(found) == pytest.approx(found.log_total, abs=0.01)
    answer = engine.candidates([], PROMPT)
    assert answer.token is None
    assert answer == engine.candidates(ids)
    assert answer.entropy > 0
    assert answer.to_json()["candidates"][0][1] == answer.candidates[0].text


def test_asking_disturbs_no_story(engine: Engine) -> None:
    settings = Settings(length=30, seed=9, temperature=1, top_k=0)
    alone = tokens(engine.write(PROMPT, settings))
    stream = engine.write(PROMPT, settings)
    found = []
    for token in stream:
        found.append(token)
        engine.candidates(engine.storyteller.encode("The cat sat"))
    assert found == alone


def test_what_cannot_be_asked_is_refused(engine: Engine) -> None:
    for ids in ([-1], [SIZE], [3, 10**12]):
        with pytest.raises(ValueError, match="does not have"):
            engine.candidates(ids)
        with pytest.raises(ValueError, match="does not have"):
            engine.extend(ids, "", Settings())
    with pytest.raises(ValueError, match="must be text"):
        engine.extend([], 5, Settings())  # type: ignore[arg-type]


def test_a_story_whose_numbers_go_wrong_ends_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tokens(engine.write(PROMPT, Settings(length=20, seed=2)))
    kind = type(engine.decoder)
    step, logits = kind.step, kind.logits
    wrong = engine.storyteller.encode(" dragon")[0]

    def is_wrong(chunks: list[Chunk]) -> np.ndarray:
        """Of each question whether it is about a story with that word."""
        return np.array([wrong in chunk.ids for chunk in chunks for _ in chunk.asked], dtype=bool)

    def spoiled_logits(network: Any, chunks: list[Chunk]) -> np.ndarray:
        found: np.ndarray = logits(network, chunks)
        found[is_wrong(chunks)] = math.nan
        return found

    def spoiled_step(network: Any, chunks: list[Chunk], questions: np.ndarray) -> np.ndarray:
        found: np.ndarray = step(network, chunks, questions)
        nothing = np.full(network.head.unique, math.nan, np.float32)
        for number in np.flatnonzero(is_wrong(chunks)):
            found[number] = network.head.answer(nothing, questions[number])
        return found

    monkeypatch.setattr(kind, "step", spoiled_step)
    monkeypatch.setattr(kind, "logits", spoiled_logits)
    well = engine.write(PROMPT, Settings(length=20, seed=2))
    for settings in (Settings(length=20), Settings(length=20, top_k=0, repetition_penalty=1.5)):
        with pytest.raises(ValueError, match="NaN or infinity"):
            tokens(engine.write("There was a dragon", settings))
    with pytest.raises(ValueError, match="NaN or infinity"):
        engine.candidates([], "There was a dragon")
    assert tokens(well) == alone


def test_bins_hold_all_others() -> None:
    draw = np.random.default_rng(1)
    logits = draw.normal(size=5000) * 3
    near = np.argsort(-logits)[:200]
    bins = bins_of(np.delete(logits, near))
    assert sum(count for _, count in bins) == 4800
    exact = np.logaddexp.reduce(np.delete(logits, near))
    assert np.logaddexp.reduce([x + math.log(n) for x, n in bins]) == pytest.approx(exact, abs=0.01)
    assert bins_of(np.array([-np.inf])) == ()


def test_the_folder_says_whether_a_space_is_part_of_a_word(tiny: ModelFolder) -> None:
    assert tiny.joins_spaces
