"""The endpoints: `gradio_client` and plain HTTP against the served page and a real, tiny model."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from playground.engine.engine import Engine
from playground.model.folder import ModelInfo
from playground.pages import api, site, write
from playground.pages.model_info import rows
from playground.sampling import Settings
from tests.paths import ROOT


@pytest.fixture(scope="module")
def url(engine: Engine) -> Iterator[str]:
    engines = {"tiny": engine}
    page = write.build(engines)
    url, _ = site.launch(page, write.start(engines))
    yield url
    page.close(verbose=False)


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(url, verbose=False)


def call(url: str, name: str, *values: Any) -> list[tuple[str, Any]]:
    """The events of an endpoint, as curl gets them."""
    body = json.dumps({"data": values}).encode()
    address = f"{url}gradio_api/call/{name}"
    ask = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    event = json.load(urllib.request.urlopen(ask))["event_id"]
    answer = urllib.request.urlopen(f"{address}/{event}").read().decode()
    blocks = [block.split("\n", 1) for block in answer.strip().split("\n\n")]
    return [
        (first.removeprefix("event: "), json.loads(second.removeprefix("data: ")))
        for first, second in blocks
    ]


def test_the_api_is_documented(client: Client) -> None:
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/generate", "/stories", "/score", "/candidates", "/branch"]
    names = [part["parameter_name"] for part in endpoints["/generate"]["parameters"]]
    assert names == [
        *("prompt", "temperature", "top_k", "length", "seed", "model", "top_p", "min_p"),
        *("repetition_penalty", "banned_words", "stop_at_end"),
    ]
    for endpoint in endpoints.values():
        assert len(endpoint["description"]) > 40


def test_a_story_grows_and_its_seed_tells_it_again(client: Client, engine: Engine) -> None:
    wish = {"prompt": "Once upon a time", "length": 300, "seed": 7, "api_name": "/generate"}
    job = client.submit(**wish)
    parts = list(job)
    assert len(parts) > 1
    assert all(later.startswith(earlier) for earlier, later in zip(parts, parts[1:], strict=False))
    assert parts[0].startswith("Once upon a time")
    assert client.predict(**wish) == parts[-1]
    assert client.predict(**(wish | {"seed": 8})) != parts[-1]
    assert client.predict(**(wish | {"seed": None})) != parts[-1]
    # The same as in the terminal.
    stream = engine.write("Once upon a time", Settings(length=300, seed=7))
    for _ in stream:
        pass
    assert stream.story.text == parts[-1]


def test_several_stories_are_those_of_the_seeds_in_a_row(client: Client) -> None:
    wish = {"prompt": "Once", "length": 12, "seed": 7}
    job = client.submit(**wish, count=3, api_name="/stories")
    parts = list(job)
    assert len(parts) > 1 and all(len(texts) == 3 for texts in parts)
    alone = [client.predict(**wish | {"seed": seed}, api_name="/generate") for seed in (7, 8, 9)]
    assert parts[-1] == alone
    for count in (0, 33, True, "many"):
        with pytest.raises(AppError, match="[Cc]ount must be a whole number from 1 to 32"):
            client.predict(**wish, count=count, api_name="/stories")


def test_every_setting_is_heard(client: Client) -> None:
    wish: dict[str, Any] = {"prompt": "Once", "length": 30, "seed": 3, "api_name": "/generate"}
    plain = client.predict(**wish)
    for change in (
        {"top_p": 0.3},
        {"min_p": 1.0},
        {"repetition_penalty": 1.9},
        {"temperature": 1.7},
        {"banned_words": plain.split()[1:3]},
    ):
        assert client.predict(**wish | change) != plain, change


def test_any_text_is_a_prompt(client: Client) -> None:
    for prompt in ("", "Der Igel aß 🍎 im Wald. ", "狐が", "\n\n  "):
        story = client.predict(prompt, length=16, api_name="/generate")
        assert story.startswith(prompt)
        assert len(story) > len(prompt)


def test_a_story_that_ends_at_once_is_its_prompt(client: Client, engine: Engine) -> None:
    def ends_at_once(seed: int) -> bool:
        with engine.write("", Settings(length=1, seed=seed)) as stream:
            return not list(stream)

    seed = next(filter(ends_at_once, range(5_000)))
    assert client.predict("", seed=seed, api_name="/generate") == ""
    assert client.predict("", seed=seed, count=1, api_name="/stories") == [""]


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
        ("top_p", 2),
        ("min_p", "a"),
        ("banned_words", [""]),
        ("stop_at_end", 5),
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
    assert name in said.lower()
    assert "Traceback" not in said
    assert "\n" not in said
    # The next visitor is served as ever.
    assert client.predict("Once", length=16, api_name="/generate").startswith("Once")


def test_not_a_number_is_refused(url: str) -> None:
    """JSON has no NaN and gradio_client does not send it; anybody else may."""
    ((event, said),) = call(
        url, "generate", "Once", float("nan"), 40, 16, 1, None, 1, 0, 1, [], True
    )
    assert event == "error"
    assert "Temperature" in said["error"]


def test_a_text_is_scored_and_turns_at_a_token(client: Client, engine: Engine) -> None:
    story = client.predict("One day the fox ran home.", api_name="/score")
    kept = engine.score("One day the fox ran home.").to_values()
    assert json.loads(json.dumps(kept)) == story
    assert len(story["tokens"][3]["alternatives"]) == 10
    other = story["tokens"][3]["alternatives"][2]["token_id"]
    turned = client.predict(story, 3, other, length=9, api_name="/branch")
    assert turned["tokens"][:3] == story["tokens"][:3]
    assert turned["tokens"][3]["token_id"] == other
    assert len(turned["tokens"]) <= 4 + 9
    for wrong in ((story, 99, other), (story, 0, -1), ({"schema": 9}, 0, 1), (5, 0, 1)):
        with pytest.raises(AppError):
            client.predict(*wrong, api_name="/branch")


def test_candidates_are_the_likeliest(client: Client, engine: Engine) -> None:
    found = client.predict("One day", 25, api_name="/candidates")
    assert len(found) == 25
    chances = [one["probability"] for one in found]
    assert chances == sorted(chances, reverse=True)
    wanted = engine.candidates([], "One day").candidates[:25]
    assert [one["token_id"] for one in found] == [one.token_id for one in wanted]
    with pytest.raises(AppError, match=r"(?i)count must be"):
        client.predict("One day", 0, api_name="/candidates")


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
        for number, its, _, numbers in data[0]["new"] if event == "generating" else []:
            if number == stream:
                texts += its
                ids += numbers
    return texts, ids


def test_the_page_s_story_is_that_of_the_api(url: str, client: Client) -> None:
    settings = {"length": 20, "temperature": 1.0, "top_k": 0}
    whole = client.predict("Once upon a time", seed=5, **settings, api_name="/generate")
    events = call(url, "page_write", page_request(text="Once upon a time", settings=settings))
    texts, ids = joined(events)
    assert "".join(texts) == whole
    typed = events[0][1][0]["typed"]
    assert typed == 4
    assert events[-2][1][0]["ended"] in ([True], [False])
    # Stopped after a while and continued, it is the same story.
    cut = typed + 6
    if len(ids) > cut + 2:
        more = page_request(ids=ids[:cut], settings=settings | {"length": 14}, opening=typed)
        assert joined(call(url, "page_write", more))[1][: len(ids) - cut] == ids[cut:]


def test_several_ways_go_on_in_one_call(url: str) -> None:
    alone = [
        joined(call(url, "page_write", page_request(text="Once upon", seeds=[seed])))[1][2:]
        for seed in (5, 6, 7)
    ]
    events = call(url, "page_write", page_request(text="Once upon", seeds=[5, 6, 7]))
    assert joined(events, 0)[1][2:] == alone[0]
    assert [joined(events, stream)[1] for stream in (1, 2)] == alone[1:]


def test_the_page_s_odds_and_scores(url: str, engine: Engine) -> None:
    ((_, (scored,)),) = call(url, "page_score", page_request(text="Once upon a time "))
    wanted = engine.score("Once upon a time").tokens
    assert [token[2] for token in scored["tokens"]] == [token.token_id for token in wanted]
    ids = [token.token_id for token in wanted]
    asked = {"model": "tiny", "ids": ids[:2], "text": "", "token_id": ids[2]}
    ((_, (found,)),) = call(url, "page_candidates", asked)
    assert found["token"]["rank"] == wanted[2].rank
    assert found["token"]["probability"] == pytest.approx(wanted[2].probability, rel=1e-4)
    assert len(found["candidates"]) == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": [-1]},
        {"ids": "abc"},
        {"ids": [10**12]},
        {"ids": [60_000]},
        {"text": 5},
        {"text": "half a letter \ud800"},
        {"settings": None},
        {"settings": {"wild": 1}},
        {"settings": {"length": 0}},
        {"seeds": []},
        {"seeds": list(range(9))},
        {"seeds": [-1]},
        {"token_id": "x"},
        {"opening": "x"},
        {"model": 5},
    ],
    ids=str,
)
def test_a_page_s_request_is_checked(url: str, changes: dict[str, Any]) -> None:
    event, said = call(url, "page_write", page_request(**changes))[-1]
    assert event == "error"
    assert said["error"].endswith(".")
    assert "Traceback" not in said["error"]


def test_visitors_together_get_the_story_each_gets_alone(client: Client) -> None:
    def submit(seed: int) -> Any:
        return client.submit("One day", length=40 + seed, seed=seed, api_name="/generate")

    together = [job.result(60) for job in [submit(seed) for seed in range(12)]]
    assert together == [submit(seed).result(60) for seed in range(12)]


def test_one_visitor_has_half_of_all_places_at_most(url: str) -> None:
    long = page_request(settings={"length": 1000, "stop_at_end": False}, seeds=list(range(8)))
    held = []
    address = f"{url}gradio_api/call/page_write"

    def ask(visitor: str) -> Any:
        body = json.dumps({"data": [long]}).encode()
        headers = {"Content-Type": "application/json", "X-Forwarded-For": visitor}
        request = urllib.request.Request(address, body, headers)
        event = json.load(urllib.request.urlopen(request))["event_id"]
        answer = urllib.request.urlopen(f"{address}/{event}")
        held.append(answer)
        return answer.readline().decode()

    try:
        assert [ask("10.0.0.1") for _ in range(4)] == ["event: generating\n"] * 4
        assert ask("10.0.0.1") == "event: error\n"
        assert "32 stories under way" in held[-1].readline().decode()
        assert ask("10.0.0.2") == "event: generating\n"
    finally:
        for answer in held:
            answer.close()


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
    told = {name: (value, meaning) for name, value, meaning in rows(known, 512, 64)}
    assert told["Size"][0] == "19.2 million parameters"
    assert told["Learned from"] == ("TinyStories", "12,400 stories, 3 million tokens")
    assert told["Has read"][0] == "1.2 billion tokens"
    assert told["Perplexity"][0] == "12.31"
    assert told["Bits per byte"][0] == "0.612"
    bare = ModelInfo("other", 1_000, 64, 50257, "", None, None, None, None, None, None)
    assert [name for name, *_ in rows(bare, 64, 1)] == ["Name", "Size", "Sees", "Writes"]


@pytest.mark.parametrize("text", ["Once upon a time", "Once upon a "])
def test_stories_of_a_crowd_take_turns_and_are_the_same(
    engine: Engine, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser's connections are few: with `more` the rest is asked for in another call."""
    endpoints = api.Api({"tiny": engine})
    settings = {"length": 60, "top_k": 0, "stop_at_end": False}

    async def called(asked: dict[str, Any]) -> list[dict[str, Any]]:
        return [message async for message in endpoints.page_write(asked)]

    def told(messages: list[dict[str, Any]]) -> list[int]:
        return [one for message in messages for new in message["new"] for one in new[3]]

    asked = {"ids": [], "text": text, "settings": settings, "seeds": [5], "opening": -1}
    whole = asyncio.run(called(asked))
    assert not any("more" in message for message in whole)
    monkeypatch.setattr(api, "TURN", 0.0)
    monkeypatch.setattr(api, "INTERVAL", 0.002)
    endpoints.running[""] = api.CROWD
    ids, typed, calls, messages = [], 0, 0, asyncio.run(called(asked))
    typed = messages[0]["typed"]
    ids += told(messages)
    while "more" in messages[-1]:
        calls += 1
        rest = settings | {"length": 60 - (len(ids) - typed)}
        messages = asyncio.run(
            called(asked | {"ids": ids, "text": "", "settings": rest, "opening": typed})
        )
        ids += told(messages)
    assert calls > 0
    assert ids == told(whole)
    assert messages[-1]["ended"] == [False]


# The server


def status(request: urllib.request.Request) -> int:
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_page_is_kept_to_itself(url: str) -> None:
    with urllib.request.urlopen(url) as answer:
        headers, page = answer.headers, answer.read().decode()
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "<title>Inkling" in page
    assert f'content="{url}web/preview.png"' in page
    assert "radio" not in page
    with urllib.request.urlopen(f"{url}web/start.json") as answer:
        start = json.load(answer)
    assert start["models"][0]["name"] == "tiny"
    assert start["record"] is None  # it is the shipped model's, and this is another one


def test_what_the_page_does_not_need_is_closed(url: str, tiny_export: Path) -> None:
    config = urllib.request.urlopen(f"{url}config").read().decode()
    assert str(tiny_export) not in config
    post = {"method": "POST", "data": b"x"}
    assert status(urllib.request.Request(f"{url}gradio_api/upload", **post)) == 404
    assert status(urllib.request.Request(f"{url}monitoring")) == 404
    assert status(urllib.request.Request(f"{url}web/../../app.py")) == 404
    host = urllib.parse.urlsplit(url).netloc
    large = http.client.HTTPConnection(host)
    large.putrequest("POST", "/gradio_api/call/generate")
    large.putheader("Content-Length", str(2**20 + 1))
    large.endheaders()
    assert large.getresponse().status == 413
    large.close()
    for body in ({"data": ["Once"]}, {"data": 5}, [], "x"):
        few = urllib.request.Request(
            f"{url}gradio_api/call/generate",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(few)
        assert refused.value.code == 422
        assert "a list of 11 values (prompt, temperature," in refused.value.read().decode()
    stranger = urllib.request.Request(url, headers={"Host": "evil.example"})
    assert status(stranger) == 400


def test_the_commands_of_the_document_run(url: str) -> None:
    """docs/api.md, against this server."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    here = text.replace("http://127.0.0.1:7860", url.rstrip("/"))
    (python,) = re.findall(r"```python\n(.*?)```", here, re.DOTALL)
    for program in ([sys.executable, "-c", f"{python}\nprint(turned['tokens'][1])"], None):
        shell = re.findall(r"```sh\n(.*?)```", here, re.DOTALL)[0]
        done = subprocess.run(
            program or ["bash", "-c", shell], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "token_id" in done.stdout if program else "event: complete" in done.stdout
