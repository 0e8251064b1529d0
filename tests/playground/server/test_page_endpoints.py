"""What the page's own component asks: its endpoints, and visitors beside each other."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
from gradio_client import Client

from playground.engine.engine import Engine
from playground.engine.replay import replay
from playground.sampling import Settings
from playground.server import page_calls
from playground.stories.permalink import Permalink, Run
from tests.playground.server.calls import call


def page_request(**changes: Any) -> dict[str, Any]:
    """What the component asks for."""
    return {
        "model": "tiny",
        "ids": [],
        "text": "",
        "token_id": None,
        "settings": {"length": 12},
        "seeds": [5],
        "opening": -1,
    } | changes


def joined(events: list[tuple[str, Any]], stream: int = 0) -> tuple[list[str], list[int]]:
    """Texts and ids of a stream."""
    texts, ids = [], []
    for event, data in events:
        for number, its, _, numbers in data["new"] if event == "message" else []:
            if number == stream:
                texts += its
                ids += numbers
    return texts, ids


def test_the_page_s_story_is_that_of_the_api(url: str, client: Client, engine: Engine) -> None:
    settings = {"length": 20, "temperature": 1.0, "top_k": 0}
    whole = client.predict("Once upon a time,", seed=5, **settings, api_name="/generate")
    events = call(url, "page_write", page_request(text="Once upon a time,", settings=settings))
    texts, ids = joined(events)
    assert "".join(texts) == whole
    typed = events[0][1]["typed"]
    assert typed == len(engine.encode("Once upon a time,"))
    assert events[-2][1]["ended"] in ([True], [False])
    # Stopped after a while and continued, it is the same story.
    cut = typed + 6
    if len(ids) > cut + 2:
        more = page_request(ids=ids[:cut], settings=settings | {"length": 14}, opening=typed)
        assert joined(call(url, "page_write", more))[1][: len(ids) - cut] == ids[cut:]


def test_several_ways_go_on_in_one_call(url: str, engine: Engine) -> None:
    typed = len(engine.encode("Once upon,"))
    alone = [
        joined(call(url, "page_write", page_request(text="Once upon,", seeds=[seed])))[1][typed:]
        for seed in (5, 6, 7)
    ]
    events = call(url, "page_write", page_request(text="Once upon,", seeds=[5, 6, 7]))
    assert joined(events, 0)[1][typed:] == alone[0]
    assert [joined(events, stream)[1] for stream in (1, 2)] == alone[1:]


def test_the_page_s_odds_and_scores(url: str, engine: Engine) -> None:
    ((_, scored), _) = call(url, "page_score", page_request(text="Once upon a time "))
    wanted = engine.score("Once upon a time").tokens
    assert [token[2] for token in scored["tokens"]] == [token.token_id for token in wanted]
    ids = [token.token_id for token in wanted]
    request = {"model": "tiny", "ids": ids[:2], "text": "", "token_id": ids[2]}
    ((_, found), _) = call(url, "page_candidates", request)
    assert found["token"]["rank"] == wanted[2].rank
    assert found["token"]["probability"] == pytest.approx(wanted[2].probability, rel=1e-4)
    assert len(found["candidates"]) == 200


def test_a_story_s_record_has_the_draws_of_what_the_model_wrote(url: str, engine: Engine) -> None:
    settings = Settings(length=8, seed=5, stop_at_end=False)
    with engine.write("Once upon a time", settings) as stream:
        written = list(stream)
    typed = engine.encode("Once upon a time")
    ids = [*typed, *(token.token_id for token in written)]
    model = engine.storyteller.fingerprint[:16]
    tokens = [(one, -1 if k < len(typed) else 0) for k, one in enumerate(ids)]
    expected = replay(engine, Permalink(model, "tiny", (Run(settings),), tuple(tokens))).story
    part = {
        "from": len(typed), "to": len(ids), "position": 0, "begins": "", "beyond": False,
        "settings": {"seed": 5, "stop_at_end": False},
    }  # fmt: skip
    request = {"model": "tiny", "ids": ids, "parts": [part]}
    ((_, found), _) = call(url, "page_record", request)
    assert found == {
        "tokens": json.loads(expected.to_json())["tokens"], "ended": expected.ended,
    }  # fmt: skip
    assert [token["draw"] is None for token in found["tokens"]] == [
        k < len(typed) for k in range(len(ids))
    ]
    # What the model would not have written has no draws.
    ((_, other), _) = call(
        url, "page_record", request | {"parts": [part | {"settings": {"seed": 6}}]}
    )
    assert [token["token_id"] for token in other["tokens"]] == ids
    assert other["tokens"][-1]["draw"] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": []}, "Ids must hold a token"),
        ({"ids": [900_000], "parts": []}, "This story holds a token, 900000"),
        ({"model": "other"}, "There is no model 'other' here"),
        ({"parts": 7}, "Parts must be a list of JSON objects."),
        ({"parts": [7]}, "Parts must be a list of JSON objects."),
        ({"parts": [{"from": 0}]}, "To must be a whole number"),
        ({"parts": [{"from": 0, "to": 9}]}, "Parts must follow each other within the story's 3"),
        ({"parts": [{"from": 1, "to": 1}]}, "Parts must follow each other within the story's 3"),
        ({"parts": [{"from": 0, "to": 2}]}, "The settings of a story must be a JSON object."),
        ({"parts": [{"from": 0, "to": 2, "settings": {"wild": 1}}]}, "There is no setting 'wild'."),
        ({"parts": [{"from": 0, "to": 2, "settings": {}}]}, "Position must be a whole number"),
    ],
    ids=str,
)
def test_a_request_for_a_record_is_checked(url: str, changes: dict[str, Any], message: str) -> None:
    request = {"model": "tiny", "ids": [1, 2, 3]} | changes
    event, problem = call(url, "page_record", request)[-1]
    assert event == "error"
    assert problem["error"].startswith(message)


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": [-1]}, {"ids": "abc"}, {"ids": [10**12]}, {"ids": [60_000]}, {"text": 5},
        {"text": "half a letter \ud800"}, {"settings": None}, {"settings": {"wild": 1}},
        {"settings": {"length": 0}}, {"seeds": []}, {"seeds": list(range(9))}, {"seeds": [-1]},
        {"token_id": "x"}, {"opening": "x"}, {"model": 5},
    ],
    ids=str,
)  # fmt: skip
def test_a_page_s_request_is_checked(url: str, changes: dict[str, Any]) -> None:
    event, message = call(url, "page_write", page_request(**changes))[-1]
    assert event == "error"
    assert message["error"].endswith(".")
    assert "Traceback" not in message["error"]


def test_only_the_page_s_own_endpoints_are_called_past_the_queue(url: str) -> None:
    for name, content, status in [
        ("generate", b"{}", 404),
        ("page_sing", b"{}", 404),
        ("page_score", b"text", 422),
        ("page_score", b"[]", 422),
    ]:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}call/{name}", content)
        assert refused.value.code == status


@pytest.mark.slow
def test_visitors_together_get_the_story_each_gets_alone(client: Client) -> None:
    def submit(seed: int) -> Any:
        return client.submit("One day", length=20 + seed, seed=seed, api_name="/generate")

    together = [job.result(60) for job in [submit(seed) for seed in range(8)]]
    assert together == [submit(seed).result(60) for seed in range(8)]


def test_one_visitor_has_half_of_all_places_at_most(proxied: str, engine: Engine) -> None:
    long = page_request(settings={"length": 1000, "stop_at_end": False}, seeds=list(range(8)))
    held = []

    def ask(visitor: str) -> Any:
        headers = {"Content-Type": "application/json", "X-Forwarded-For": visitor}
        address = f"{proxied}call/page_write"
        request = urllib.request.Request(address, json.dumps(long).encode(), headers)
        held.append(urllib.request.urlopen(request))
        return held[-1].readline().decode()

    try:
        assert [ask("10.0.0.1") for _ in range(4)] == ["event: message\n"] * 4
        assert ask("10.0.0.1") == "event: error\n"
        assert "32 stories under way" in held[-1].readline().decode()
        assert ask("10.0.0.2") == "event: message\n"
    finally:
        for answer in held:
            answer.close()
    while engine._batch.running or engine._waiting:  # the server notices that nobody reads
        time.sleep(0.05)


@pytest.mark.parametrize("text", ["Once upon a time", "Once upon a "])
def test_stories_of_a_crowd_take_turns_and_are_the_same(
    engine: Engine, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser's connections are few: with `more` the rest is asked for in another call."""
    endpoints = page_calls.PageCalls({"tiny": engine})
    settings = {"length": 60, "top_k": 0, "stop_at_end": False}

    async def called(request: dict[str, Any]) -> list[dict[str, Any]]:
        return [message async for message in endpoints.page_write(request)]

    def ids_of(messages: list[dict[str, Any]]) -> list[int]:
        return [one for message in messages for new in message["new"] for one in new[3]]

    request = {"ids": [], "text": text, "settings": settings, "seeds": [5], "opening": -1}
    whole = asyncio.run(called(request))
    assert not any("more" in message for message in whole)
    monkeypatch.setattr(page_calls, "TURN", 0.0)
    monkeypatch.setattr(page_calls, "INTERVAL", 0.002)
    step = engine.decoder.step

    def slow_step(*arguments: Any) -> Any:
        time.sleep(0.002)  # so that the story is not over before the first turn is
        return step(*arguments)

    monkeypatch.setattr(engine.decoder, "step", slow_step)
    endpoints.running[""] = page_calls.CROWD
    ids, typed, calls, messages = [], 0, 0, asyncio.run(called(request))
    typed = messages[0]["typed"]
    ids += ids_of(messages)
    while "more" in messages[-1]:
        calls += 1
        rest = settings | {"length": 60 - (len(ids) - typed)}
        messages = asyncio.run(
            called(request | {"ids": ids, "text": "", "settings": rest, "opening": typed})
        )
        ids += ids_of(messages)
    assert calls > 0
    assert ids == ids_of(whole)
    assert messages[-1]["ended"] == [False]
