"""The endpoint that looks into the model: its messages, its checks and its bounds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from playground.engine.engine import Engine
from playground.inside.inside import Inside
from playground.sentences import capitalized
from playground.server import page_calls
from tests.playground.server.calls import call

IDS = [5, 6, 7, 8, 9, 10]


async def messages(endpoints: page_calls.PageCalls, **changes: Any) -> list[dict[str, Any]]:
    request = {"model": "tiny", "ids": IDS, "position": 4} | changes
    return [message async for message in endpoints.page_inside(request)]


def test_a_look_comes_first_and_then_what_was_removed(url: str, engine: Engine) -> None:
    events = call(url, "page_inside", {"model": "tiny", "ids": IDS, "position": 4})
    messages = [data for event, data in events if event == "message"]
    inside = Inside(engine)
    assert messages[0] == {"look": inside.look(IDS, 4).to_json()}
    assert [pair for message in messages[1:] for pair in message["removed"]] == [
        [index, pytest.approx(change, abs=1e-4)] for index, change in inside.removals(IDS, 4)
    ]
    assert messages[-1]["ended"] is True and messages[-1]["seconds"] > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": []}, "The story is empty"),
        ({"ids": [900_000]}, "This story holds a token, 900000"),
        ({"position": 6}, "Position must be a token of the story, from 0 to 5, not 6."),
        ({"position": -1}, "Position must be a whole number"),
        ({"position": None}, "Position must be a whole number"),
        ({"position": True}, "Position must be a whole number"),
        ({"model": "other"}, "There is no model 'other' here"),
    ],
    ids=str,
)
def test_a_request_is_checked(engine: Engine, changes: dict[str, Any], message: str) -> None:
    if changes == {"ids": [900_000]}:
        changes |= {"position": 0}
    with pytest.raises(ValueError) as refused:
        asyncio.run(messages(page_calls.PageCalls({"tiny": engine}), **changes))
    assert capitalized(str(refused.value)).startswith(message)


def test_a_model_that_takes_too_long_is_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_calls, "WORK_MAX", 1)
    with pytest.raises(ValueError, match="takes too long here"):
        asyncio.run(messages(page_calls.PageCalls({"tiny": engine})))


def test_removals_end_after_their_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_calls, "REMOVAL_TIME", -1)
    answers = asyncio.run(messages(page_calls.PageCalls({"tiny": engine})))
    assert answers[-1]["removed"] == [] and answers[-1]["ended"] is True


def test_visitors_look_one_after_the_other(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints, inside = page_calls.PageCalls({"tiny": engine}), 0
    look = Inside.look

    def watched(*arguments: Any, **named: Any) -> Any:
        nonlocal inside
        inside += 1
        assert inside == 1
        found: Any = look(*arguments, **named)
        inside -= 1
        return found

    monkeypatch.setattr(Inside, "look", watched)

    async def together() -> Any:
        return await asyncio.gather(*(messages(endpoints, position=k) for k in range(1, 6)))

    found = asyncio.run(together())
    assert [len(answer[0]["look"]["attention"][0][0]) for answer in found] == [2, 3, 4, 5, 6]
    assert endpoints.inside.cache_info().currsize == 1
