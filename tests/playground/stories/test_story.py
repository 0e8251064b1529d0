"""The record: it survives JSON, refuses what is none, and joins letters of several bytes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from playground.stories.story import Story


@pytest.fixture(scope="module")
def story(storyteller: ModelFolder) -> Story:
    """A story of which every part is set."""
    settings = Settings(
        length=12, temperature=2, top_k=0, banned_words=("wolf",), stop_at_end=False
    )
    with Engine(storyteller, max_streams=1) as engine:
        return engine.write("Once, a 🦊 said “hi”\0", settings).finish()


def test_a_record_survives_json(story: Story, engine: Engine) -> None:
    assert Story.from_json(story.to_json()) == story
    scored = engine.score("A bird 🦋 sang.")
    assert Story.from_json(scored.to_json()) == scored


def test_a_record_of_the_first_schema_is_read(story: Story) -> None:
    values = json.loads(story.to_json()) | {"schema": 1}
    for token in values["tokens"]:
        token["dice"] = token.pop("draw")
    assert Story.from_json(json.dumps(values)) == story


def spoil(values: Any, path: tuple[Any, ...], value: Any) -> None:
    """Put `value` at a path; ... removes what is there."""
    for key in path[:-1]:
        values = values[key]
    if value is ...:
        del values[path[-1]]
    else:
        values[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 3), (("schema",), ...), (("model",), ...), (("model",), 7),
        (("prompt",), None), (("ended",), 1), (("prompt_ids",), 5), (("prompt_ids",), ["a"]),
        (("prompt_ids",), [True]), (("settings",), []), (("settings", "temperature"), 99),
        (("settings", "speed"), 1), (("tokens",), "text"), (("tokens",), {"a": 1}),
        (("tokens", 0), None), (("tokens", 0, "text"), ...), (("tokens", 0, "probability"), 1.5),
        (("tokens", 0, "probability"), math.nan), (("tokens", 0, "probability"), 10**400),
        (("tokens", 0, "draw"), "six"), (("tokens", 0, "entropy"), math.nan),
        (("tokens", 0, "entropy"), 10**400), (("tokens", 0, "rank"), 1.5),
        (("tokens", 0, "rank"), -1), (("tokens", 0, "token_id"), -1),
        (("tokens", 0, "alternatives", 0, "text"), 3),
        (("tokens", 0, "alternatives", 0), [1, 2, 3]),
    ],
)  # fmt: skip
def test_a_wrong_part_is_refused_in_one_sentence(story: Story, path: tuple, value: Any) -> None:
    values = json.loads(story.to_json())
    spoil(values, path, value)
    check_refusal(json.dumps(values))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", '"x"', "{}", "[" * 100_000, '{"schema": ' + "1" * 5_000 + "}"],
)
def test_what_is_no_record_is_refused_in_one_sentence(text: str) -> None:
    check_refusal(text)


def check_refusal(text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        Story.from_json(text)
    message = str(refusal.value)
    assert type(refusal.value) is ValueError
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize(
    "text", ["🦊🦋👩‍👩‍👧", "كان يا ما كان", "从前有一只狐狸", "naïve “café”", "a\0b"]
)
def test_letters_of_several_tokens_are_never_broken(engine: Engine, text: str) -> None:
    story = engine.score(text)
    assert len(story.tokens) > 1
    assert story.text == text
    sofar = ""
    for token in story.tokens:
        sofar += token.text
        assert text.startswith(sofar)


def test_half_a_letter_is_not_shown_and_its_other_half_completes_it(engine: Engine) -> None:
    fox = engine.storyteller.encode("🦊")
    assert len(fox) > 1
    story = engine.score("ab cd ef gh ij kl")
    for position, token_id in enumerate(fox, 1):
        settings = Settings(length=9, stop_at_end=False)
        story = engine.branch(story, position, token_id, settings).finish()
    assert "".join(token.text for token in story.tokens[: 1 + len(fox)]) == "ab🦊"
    assert story.tokens[1].text == ""


def test_bytes_that_are_no_letter_become_one_sign(storyteller: ModelFolder) -> None:
    decoder = storyteller.incremental_decoder()
    fox, (plain,) = storyteller.encode("🦊"), storyteller.encode("a")
    *parts, last = [decoder.add(token_id) for token_id in fox]
    assert (parts, last) == ([""] * len(parts), "🦊")
    assert decoder.add(fox[0]) + decoder.add(plain) == "\N{REPLACEMENT CHARACTER}a"
    labels = [storyteller.label(token_id) for token_id in storyteller.encode("🦊")]
    assert all(label.startswith("<") and label.endswith(">") for label in labels)
