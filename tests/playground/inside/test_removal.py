"""Which earlier token mattered: the log-probability without it, against transformers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from playground.engine.engine import Busy
from playground.inside import inside as inside_module
from playground.inside.inside import Inside
from playground.sampling import Settings
from tests.playground.inside.conftest import CONTEXT, Opened

IDS = np.random.default_rng(4).integers(0, 900, 150).tolist()
Opener = Callable[[str], Opened]


def log_probability(model: Any, before: list[int], chosen: int) -> float:
    with torch.inference_mode():
        logits = model(torch.tensor([before]), use_cache=False).logits[0, -1].double()
    return float(logits.log_softmax(-1)[chosen])


def check(model: Any, inside: Inside, ids: list[int], position: int) -> list[int]:
    """The positions of the tokens that were removed, once their changes are checked."""
    look = inside.look(ids, position)
    story = [inside.engine.storyteller.bos_id, *ids]
    window = story[look.first + 1 : position + 1]
    whole = log_probability(model, window, ids[position])
    found = list(inside.removals(ids, position))
    for index, change in found:
        k = index - look.first
        assert window[k] == ids[index]
        without = log_probability(model, window[:k] + window[k + 1 :], ids[position])
        assert change == pytest.approx(without - whole, abs=1e-4)
    return [index for index, _ in found]


@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen3", "olmo2"])
def test_a_removal_is_the_text_without_the_token(kind: str, looked_into: Opener) -> None:
    """It is deleted and those after it move up; the token before the story always stays."""
    model, inside = looked_into(kind)
    assert check(model, inside, IDS, 20) == list(range(19, -1, -1))
    assert check(model, inside, IDS, 0) == []
    assert check(model, inside, IDS, 1) == [0]


def test_a_story_longer_than_the_context(looked_into: Opener) -> None:
    model, inside = looked_into("llama")
    position = CONTEXT + 20
    removed = check(model, inside, IDS, position)
    first = inside.look(IDS, position).first
    assert first > 0 and removed == list(range(position - 1, first - 1, -1))


def test_only_the_nearest_are_removed(looked_into: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside_module, "REMOVED_MAX", 5)
    _, inside = looked_into("llama")
    assert [index for index, _ in inside.removals(IDS, 30)] == [29, 28, 27, 26, 25]


def test_the_time_is_bounded(looked_into: Opener) -> None:
    _, inside = looked_into("llama")
    assert list(inside.removals(IDS, 30, seconds=-1)) == []


def test_leaving_frees_the_engine(looked_into: Opener) -> None:
    _, inside = looked_into("llama")
    found = inside.removals(IDS, 60)
    next(found)
    found.close()
    with inside.engine.write("Once", Settings(length=3, temperature=0)) as stream:
        assert len(list(stream)) <= 3


def test_a_full_engine_refuses_and_one_that_fills_ends_it_early(
    looked_into: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, inside = looked_into("llama")
    admit, admitted = inside.engine._admit_soon, 0

    def admit_some(sequence: Any) -> None:
        nonlocal admitted
        admitted += 1
        if admitted > 4:
            raise Busy("stories are waiting already")
        admit(sequence)

    monkeypatch.setattr(inside.engine, "_admit_soon", admit_some)
    assert [index for index, _ in inside.removals(IDS, 30)] == [29, 28, 27]
    with pytest.raises(Busy):
        next(inside.removals(IDS, 30))
