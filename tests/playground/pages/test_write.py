"""The page through its API: `gradio_client` against the running page and a real, tiny model."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from playground.engine.engine import Engine
from playground.model.folder import ModelFolder, ModelInfo
from playground.pages import write
from playground.pages.model_info import rows
from playground.pages.write_events import EMPTY, PageState, WriteEvents


@pytest.fixture(scope="module")
def engine(tiny_export: Path) -> Iterator[Engine]:
    with Engine(ModelFolder.open(tiny_export)) as engine:
        yield engine


@pytest.fixture(scope="module")
def url(engine: Engine) -> Iterator[str]:
    page = write.build({"tiny": engine})
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, max_threads=write.VISITORS_MAX)
    yield url
    page.close(verbose=False)


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(url, verbose=False)


def test_the_api_is_documented(client: Client) -> None:
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/generate"]
    names = [part["parameter_name"] for part in endpoints["/generate"]["parameters"]]
    assert names == ["prompt", "temperature", "top_k", "length", "seed", "model"]
    assert "temperature" in endpoints["/generate"]["description"]


def test_a_story_grows_and_its_seed_tells_it_again(client: Client) -> None:
    wish = {"prompt": "Once upon a time", "length": 300, "seed": 7, "api_name": "/generate"}
    job = client.submit(**wish)
    parts = list(job)
    assert len(parts) > 1
    assert all(later.startswith(earlier) for earlier, later in zip(parts, parts[1:], strict=False))
    assert parts[0].startswith("Once upon a time")
    assert client.predict(**wish) == parts[-1]
    assert client.predict(**(wish | {"seed": 8})) != parts[-1]
    assert client.predict(**(wish | {"seed": None})) != parts[-1]


def test_an_empty_beginning_and_other_scripts_are_taken(client: Client) -> None:
    for prompt in ("", "Der Igel aß 🍎 im Wald. ", "狐が", "\n\n  "):
        story = client.predict(prompt, length=16, api_name="/generate")
        assert story.startswith(prompt)
        assert len(story) > len(prompt)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", True),
        ("temperature", -0.1),
        ("temperature", "hot"),
        ("top_k", 201),
        ("top_k", 1.5),
        ("length", 0),
        ("length", 1001),
        ("length", None),
        ("seed", 2**32),
        ("seed", -1),
        ("seed", [1]),
        ("prompt", "a" * 100_000),
        ("prompt", 5),
        ("prompt", None),
        ("model", "gpt-9"),
        ("model", ["tiny"]),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_in_a_sentence(
    client: Client, name: str, value: object
) -> None:
    wish = {"prompt": "Once", "length": 16} | {name: value}
    with pytest.raises(AppError) as problem:
        client.predict(**wish, api_name="/generate")
    said = str(problem.value)
    assert name in said or name == "prompt" and "opening" in said.lower()
    assert "Traceback" not in said
    assert "\n" not in said
    # The next visitor is served as ever.
    assert client.predict("Once", length=16, api_name="/generate").startswith("Once")


def test_not_a_number_is_refused(url: str) -> None:
    """JSON has no NaN and gradio_client does not send it; anybody else may."""
    wish = json.dumps({"data": ["Once", float("nan"), 40, 16, 1, None]}).encode()
    call = f"{url}gradio_api/call/generate"
    ask = urllib.request.Request(call, wish, {"Content-Type": "application/json"})
    event = json.load(urllib.request.urlopen(ask))["event_id"]
    answer = urllib.request.urlopen(f"{call}/{event}").read().decode()
    assert "event: error" in answer
    assert "temperature" in answer


def test_visitors_together_get_the_story_each_gets_alone(client: Client) -> None:
    def submit(seed: int):
        return client.submit("One day", length=40 + seed, seed=seed, api_name="/generate")

    together = [job.result(60) for job in [submit(seed) for seed in range(12)]]
    assert together == [submit(seed).result(60) for seed in range(12)]


def outcome(parts: AsyncIterator[tuple[PageState, Any]]) -> tuple[PageState, Any]:
    """The last sheet of an event, and the stream that its session keeps."""

    async def collect() -> list[tuple[PageState, Any]]:
        return [part async for part in parts]

    told = asyncio.run(collect())
    return told[-1][0], told[0][1]


def test_continue_goes_on_in_the_same_story_and_without_a_session_from_the_page(
    engine: Engine,
) -> None:
    desk = WriteEvents({"tiny": engine})
    wish: dict[str, Any] = {"model": "tiny", "temperature": 1, "top_k": 0, "seed": 5}
    new = wish | {"prompt": "Once", "sheet": EMPTY, "before": None}
    whole, _ = outcome(desk.write(length=32, **new))
    half, stream = outcome(desk.write(length=16, **new))
    assert whole["words"].startswith(half["words"])
    more, _ = outcome(desk.go_on(length=16, sheet=half, before=stream, **wish))
    assert more["words"] == whole["words"]
    lost, _ = outcome(desk.go_on(length=16, sheet=half, before=None, **wish))
    assert lost["prompt"] == "Once"
    assert lost["words"].startswith(half["words"])
    assert lost["words"] != half["words"]
    assert not lost["writing"]


def test_a_refusal_leaves_the_sheet_as_it_was(engine: Engine) -> None:
    sheet: PageState = {"prompt": "Once", "words": " there", "note": "", "writing": True}
    wish: dict[str, Any] = {"temperature": 1, "top_k": 0, "length": 16, "seed": None}
    kept, _ = outcome(WriteEvents({"tiny": engine}).go_on("tiny", **wish, sheet=sheet, before=None))
    assert kept == sheet | {"writing": False}


def test_facts_are_told_in_words_and_the_unknown_is_left_out() -> None:
    known = ModelInfo(
        name="storyteller",
        parameters=19_234_048,
        context=512,
        vocabulary=50257,
        corpus="TinyStories",
        stories=12_400,
        corpus_tokens=2_980_000,
        tokens_seen=1_200_000_000,
        perplexity=12.314,
        bits_per_byte=0.6123,
        license="Apache-2.0",
    )
    told = {name: (value, meaning) for name, value, meaning in rows(known)}
    assert told["Size"][0] == "19.2 million parameters"
    assert told["Learned from"] == ("TinyStories", "12,400 stories, 3 million tokens")
    assert told["Has read"][0] == "1.2 billion tokens"
    assert told["Perplexity"][0] == "12.31"
    assert told["Bits per byte"][0] == "0.612"
    bare = ModelInfo("other", 1_000, 64, 50257, "", None, None, None, None, None, None)
    assert [name for name, *_ in rows(bare)] == ["Name", "Size", "Sees"]
