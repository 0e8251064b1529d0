"""A story that was stopped goes on as if it had not been, from what a place still holds or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from playground.stories.story import Story
from tests.conftest import Exporter

CONTEXT = 32
LENGTH = 100  # three contexts
SETTINGS = Settings(temperature=1, top_k=40, length=LENGTH, seed=3, stop_at_end=False)
PROMPT = "Once upon a time"


@pytest.fixture(scope="module")
def storyteller(export: Exporter) -> ModelFolder:
    sizes = {"initializer_range": 0.3, "max_position_embeddings": CONTEXT}
    return ModelFolder.open(export("slots", **sizes), device="cpu")


@pytest.fixture
def engine(storyteller: ModelFolder) -> Iterator[Engine]:
    with Engine(storyteller, max_streams=3) as found:
        yield found


@pytest.fixture(scope="module")
def whole(storyteller: ModelFolder) -> Story:
    """A story of three contexts, written in one go."""
    with Engine(storyteller, max_streams=3) as engine:
        return written(engine, SETTINGS)


def written(engine: Engine, settings: Settings) -> Story:
    return engine.write(PROMPT, settings).finish()


@pytest.mark.parametrize("stop", [1, 20, 29, 65])
def test_continue_is_the_story_that_was_never_stopped(
    engine: Engine, whole: Story, stop: int
) -> None:
    begun = written(engine, replace(SETTINGS, length=stop))
    written(engine, replace(SETTINGS, seed=99, length=20))  # somebody else takes places
    ids = [*begun.prompt_ids, *(token.token_id for token in begun.tokens)]
    settings = replace(SETTINGS, length=LENGTH - stop)
    with engine.extend(ids, "", settings, opening=len(begun.prompt_ids)) as rest:
        assert (*begun.tokens, *rest) == whole.tokens


@pytest.mark.parametrize("position", [0, 15, 75])
@pytest.mark.parametrize("warm", [True, False])
def test_a_branch_with_the_same_word_is_the_same_story(
    engine: Engine, whole: Story, position: int, warm: bool
) -> None:
    if warm:
        written(engine, SETTINGS)  # its place still holds the beginning
    chosen = whole.tokens[position].token_id
    settings = replace(SETTINGS, length=LENGTH - 1 - position)
    turned = replace(whole.tokens[position], draw=None, chosen_probability=1.0)
    with engine.branch(whole, position, chosen, settings) as stream:
        assert tuple(stream) == (turned, *whole.tokens[position + 1 :])


@pytest.mark.parametrize("position", [10, 29])
def test_a_branch_to_an_unlikely_word_knows_its_probability(
    engine: Engine, whole: Story, position: int
) -> None:
    shown = {other.token_id for other in whole.tokens[position].alternatives}
    unlikely = next(token_id for token_id in range(3_000, 4_000) if token_id not in shown)
    with engine.branch(whole, position, unlikely, replace(SETTINGS, length=1)) as stream:
        turned = next(stream)
    assert turned.token_id == unlikely
    assert turned.rank >= 10
    assert 0 < turned.probability < whole.tokens[position].alternatives[-1].probability
    assert turned.entropy == whole.tokens[position].entropy


def test_a_text_has_the_same_record_whatever_its_place_held(engine: Engine) -> None:
    scored = engine.score(PROMPT)
    written(engine, replace(SETTINGS, length=20))
    assert engine.score(PROMPT) == scored
    for token in scored.tokens:
        assert token.draw is None
        assert len(token.alternatives) == 10


def test_a_context_of_any_length_is_not_left(export: Exporter) -> None:
    model = ModelFolder.open(export("odd", max_position_embeddings=45), device="cpu")
    with Engine(model) as engine:
        long = "The fox ran home. " * 20
        assert len(engine.score(long).tokens) > 75
        with engine.write(long, replace(SETTINGS, length=60)) as stream:
            assert len(list(stream)) == 60
