"""A link proves itself: the model that wrote it writes it again, and no other does."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from playground.engine.engine import Engine
from playground.engine.replay import replay
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from playground.stories.permalink import Permalink, Run
from tests.playground.conftest import OWN_ROWS

PROMPTS = ("Once upon a time ", "The moon", "A 🦊 said:", "", "Tom and his robot wanted to")


def written_story(engine: Engine, draw: random.Random) -> Permalink:
    """A story as the page makes one: a prompt, what the model wrote, often a word that a person
    chose in the middle, and what the model wrote after it."""
    tokens: list[tuple[int, int]] = []
    runs: list[Run] = []
    text, chosen = draw.choice(PROMPTS), None
    for number in range(draw.randrange(1, 4)):
        settings = Settings(
            temperature=draw.choice((0, 0.8, 1.3)),
            top_k=draw.choice((0, 40)),
            top_p=draw.choice((1, 0.9)),
            repetition_penalty=draw.choice((1, 1.2)),
            length=draw.randrange(5, 12),
            seed=draw.getrandbits(32),
            stop_at_end=number > 0 and draw.random() < 0.5,
        )
        ids = [token_id for token_id, _ in tokens]
        new = len(engine.encode(engine.seam(text, begins=not ids).bare, begins=not ids))
        typed = 1 if chosen is not None else new
        opening = next((k for k, (_, run) in enumerate(tokens) if run >= 0), None)
        with engine.extend(ids, text, settings, opening=opening, token_id=chosen) as stream:
            found = [token.token_id for token in stream]
        runs.append(Run(settings, begins_with=engine.seam(text, begins=not ids).begins))
        tokens += [(one, -1 if k < typed else number) for k, one in enumerate(found)]
        text, chosen = "", draw.randrange(OWN_ROWS)
    return Permalink(engine.storyteller.fingerprint[:16], "tiny", tuple(runs), tuple(tokens))


@pytest.fixture(scope="module", params=[64, pytest.param(200, marks=pytest.mark.soak)])
def links(request: pytest.FixtureRequest, storyteller: ModelFolder) -> list[Permalink]:
    """Stories, written 32 at a time."""
    with Engine(storyteller, max_streams=32) as engine, ThreadPoolExecutor(32) as visitors:
        seeds = map(random.Random, range(request.param))
        return list(visitors.map(lambda draw: written_story(engine, draw), seeds))


def is_reproduced(engine: Engine, link: Permalink) -> bool:
    return replay(engine, link).verdict == "Reproduced exactly."


@pytest.mark.slow
def test_the_model_that_wrote_a_story_writes_it_again(
    storyteller: ModelFolder, links: list[Permalink]
) -> None:
    """After a restart, alone and among 31 others, with other numbers of threads."""
    with Engine(storyteller, max_streams=2, threads=1) as engine:
        assert all(is_reproduced(engine, link) for link in links[::2])
    with (
        Engine(storyteller, max_streams=32, threads=3) as engine,
        ThreadPoolExecutor(32) as visitors,
    ):
        assert all(visitors.map(lambda link: is_reproduced(engine, link), links))


@pytest.mark.slow
def test_another_models_weights_do_not(
    links: list[Permalink], folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(folder_of("llama"), tmp_path / "other")
    weights = load_file(folder / "model.safetensors")
    torch.manual_seed(0)
    for name, weight in weights.items():
        weights[name] = weight + 0.3 * torch.randn_like(weight)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    other = ModelFolder.open(folder, device="cpu")
    with Engine(other, max_streams=32) as engine, ThreadPoolExecutor(32) as visitors:
        found = list(visitors.map(lambda link: replay(engine, link), links))
    assert sum(one.differs_at is None for one in found) == 0
    assert all(one.verdict.startswith("Told by another model (tiny): from word") for one in found)


def test_the_record_is_whole(engine: Engine, links: list[Permalink]) -> None:
    link = next(link for link in links if len(link.tokens) > 16)
    story = replay(engine, link).story
    assert [token.token_id for token in story.tokens] == [token_id for token_id, _ in link.tokens]
    for token, (_, run) in zip(story.tokens, link.tokens, strict=True):
        assert (token.draw is None) == (run < 0)
        assert len(token.alternatives) == 10


def test_an_altered_story_is_told_where_it_differs(engine: Engine, links: list[Permalink]) -> None:
    link = next(link for link in links if len(link.tokens) > 16)
    k = next(k for k, (_, run) in enumerate(link.tokens) if run >= 0) + 3
    tokens = list(link.tokens)
    tokens[k] = (tokens[k][0] ^ 1, tokens[k][1])
    found = replay(engine, replace(link, tokens=tuple(tokens)))
    assert found.differs_at == k
    assert found.verdict.startswith(f'Differs from word {k + 1} on: "')
    assert found.story.tokens[k].draw is None
    run = link.tokens[k][1]
    runs = list(link.runs)
    for top_k, temperature, says in ((40, 2.0, False), (0, 0.0, False), (0, 1.0, True)):
        how = replace(runs[run].settings, top_k=top_k, top_p=1.0, temperature=temperature)
        runs[run] = replace(runs[run], settings=how)
        other = replay(engine, replace(link, runs=tuple(runs), tokens=tuple(tokens)))
        assert ("the last digit of the arithmetic can decide" in other.verdict) == says


def test_what_cannot_be_written_again_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="no story"):
        replay(engine, Permalink("0" * 16, "", (), ()))
    by_hand = replay(engine, Permalink("0" * 16, "", (), ((2402, -1),)))
    assert by_hand.verdict.startswith("A person wrote all of this")
    with pytest.raises(ValueError, match="does not have"):
        replay(engine, Permalink("0" * 16, "", (), ((900_000, -1),)))
