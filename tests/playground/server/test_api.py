"""The endpoints: `gradio_client` and plain HTTP against the served page and a real, tiny model."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from playground.core.library import QUESTION, Head, uniform
from playground.engine.engine import Busy, Engine
from playground.sampling import Settings
from playground.server.page_calls import PageCalls
from tests.paths import ROOT
from tests.playground.server.calls import call, refusal


def test_the_api_is_documented(client: Client) -> None:
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    names = ("/generate", "/stories", "/score", "/candidates", "/branch", "/trace")
    assert tuple(endpoints) == names
    names = [part["parameter_name"] for part in endpoints["/generate"]["parameters"]]
    assert names == [
        *("prompt", "temperature", "top_k", "length", "seed", "model", "top_p", "min_p"),
        *("repetition_penalty", "banned_words", "words_to_use", "stop_at_end"),
    ]
    for endpoint in endpoints.values():
        assert len(endpoint["description"]) > 40


@pytest.mark.slow
def test_a_story_grows_and_its_seed_tells_it_again(client: Client, engine: Engine) -> None:
    wish = {"prompt": "Once upon a time", "length": 150, "seed": 7, "api_name": "/generate"}
    job = client.submit(**wish)
    parts = list(job)
    assert len(parts) > 1
    assert all(later.startswith(earlier) for earlier, later in zip(parts, parts[1:], strict=False))
    assert parts[0].startswith("Once upon a time")
    assert client.predict(**wish) == parts[-1]
    short = wish | {"length": 20}
    assert client.predict(**(short | {"seed": 8})) != client.predict(**short)
    assert client.predict(**(short | {"seed": None})) != client.predict(**short)
    # The same as in the terminal.
    stream = engine.write("Once upon a time", Settings(length=150, seed=7), completes_word=True)
    assert stream.finish().text == parts[-1]


@pytest.mark.slow
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


@pytest.mark.slow
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
        story = client.predict(prompt, length=16, seed=7, api_name="/generate")
        assert story.startswith(prompt)
        assert len(story) > len(prompt)


def test_a_story_that_ends_at_once_is_its_prompt(client: Client, engine: Engine) -> None:
    (end,) = engine.storyteller.eos_ids
    likeliest = engine.candidates([]).candidates
    logits = np.array([candidate.logit for candidate in likeliest], dtype=np.float32)
    place = [candidate.token_id for candidate in likeliest].index(end)
    settings, head, question = Settings(), Head(len(likeliest)), np.zeros(1, QUESTION)
    question[["temperature", "top_p", "repetition_penalty", "top_k", "known"]] = (
        settings.temperature, 1, 1, settings.top_k, -1,
    )  # fmt: skip

    def ends_at_once(seed: int) -> bool:
        question["draw"] = uniform(seed, 0)
        return bool(head.answer(logits, question[0])["id"] == place)

    seed = next(filter(ends_at_once, range(5_000)))
    assert client.predict("", seed=seed, api_name="/generate") == ""
    assert client.predict("", seed=seed, count=1, api_name="/stories") == [""]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", True), ("temperature", -0.1), ("temperature", "hot"), ("top_k", 201),
        ("top_k", 1.5), ("length", 0), ("length", 1001), ("length", None), ("seed", 2**32),
        ("seed", -1), ("seed", [1]), ("top_p", 2), ("min_p", "a"), ("banned_words", [""]),
        ("stop_at_end", 5), ("prompt", "a" * 100_000), ("prompt", 5), ("prompt", None),
        ("model", "gpt-9"), ("model", ["tiny"]),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_used_is_refused_in_a_sentence(
    client: Client, name: str, value: object
) -> None:
    wish = {"prompt": "Once", "length": 2} | {name: value}
    with pytest.raises(AppError) as problem:
        client.predict(**wish, api_name="/generate")
    message = str(problem.value)
    assert name in message.lower()
    assert "Traceback" not in message
    assert "\n" not in message
    # The next visitor is served as ever.
    assert client.predict("Once", length=2, api_name="/generate").startswith("Once")


def test_banned_words_may_be_a_text(client: Client) -> None:
    wish = {"prompt": "Once.", "length": 20, "seed": 3, "api_name": "/generate"}
    words = client.predict(**wish).split()[1:3]
    listed = client.predict(**wish, banned_words=words)
    assert client.predict(**wish, banned_words=f"{words[0]}、 {words[1]},") == listed
    assert client.predict(**wish, banned_words="") == client.predict(**wish)
    with pytest.raises(AppError, match="as a list or as a text with commas between them, not '5'"):
        client.predict(**wish, banned_words=5)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"promt": "Once"}, "generate has no parameter 'promt'; it has prompt, temperature"),
        ({"temperature": 1}, "generate needs the parameter 'prompt'."),
        ([1], "generate takes a JSON object of its parameters: prompt, temperature"),
    ],
)
def test_a_name_that_is_wrong_or_missing_is_422(url: str, body: Any, message: str) -> None:
    assert refusal(f"{url}gradio_api/call/v2/generate", body).startswith(message)


def test_a_visitor_with_too_many_stories_is_told_that_it_is_busy(
    url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page reads the title, and asks again."""

    def busy(*_: Any) -> None:
        raise Busy("You have 8 stories under way: wait for one of them.")

    monkeypatch.setattr(PageCalls, "visit", busy)
    ((event, message),) = call(url, "generate", "Once", 0.8, 40, 2, 1, None, 1, 0, 1, [], [], True)
    assert event == "error" and message["title"] == "Busy"
    assert message["error"] == "You have 8 stories under way: wait for one of them."


def test_not_a_number_is_refused(url: str) -> None:
    """JSON has no NaN and gradio_client does not send it; anybody else may."""
    ((event, message),) = call(
        url, "generate", "Once", float("nan"), 40, 16, 1, None, 1, 0, 1, [], [], True
    )
    assert event == "error"
    assert "Temperature" in message["error"]


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


def document(url: str, language: str) -> str:
    """The first program of docs/api.md, against this server."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    here = text.replace("http://127.0.0.1:7860", url.rstrip("/"))
    return re.findall(rf"```{language}\n(.*?)```", here, re.DOTALL)[0]


def test_the_python_of_the_document_runs(url: str) -> None:
    names: dict[str, Any] = {}
    exec(document(url, "python"), names)
    assert "token_id" in names["turned"]["tokens"][1]


@pytest.mark.process
def test_the_commands_of_the_document_run(url: str) -> None:
    done = subprocess.run(
        ["bash", "-c", document(url, "sh")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "event: complete" in done.stdout
