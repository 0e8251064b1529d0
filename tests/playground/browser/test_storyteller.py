"""The page's storyteller (storyteller.js and all below it) in Node, against the engine."""

from __future__ import annotations

import functools
import itertools
import json
import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from playground.browser.pack import pack
from playground.core.pack import pack as core_pack
from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.model import decoder
from playground.sampling import Settings
from tests.paths import ROOT
from tests.playground.browser.javascript import answers, write

pytestmark = pytest.mark.process

SHIPPED = ROOT / "models" / "storyteller"
SAMPLE = ROOT / "trainer" / "corpus" / "sample.jsonl"
STREAMS = 8
# Everything that chooses a token.
FROM_ALL: dict[str, Any] = {"top_k": 0, "temperature": 1}
LIMITED: list[dict[str, Any]] = [
    {}, {"temperature": 1.3, "top_k": 100, "top_p": 0.95}, {"temperature": 0},
    {"min_p": 0.05, "top_k": 0, "temperature": 1}, {"repetition_penalty": 1.3},
]  # fmt: skip
WILD: dict[str, Any] = {"top_k": 0, "temperature": 2}  # the last digit of 50,257 odds can decide
WORDS: dict[str, Any] = {"words_to_use": ("kite", "Dragon", "Zoë")}
CHOICES = [*LIMITED, FROM_ALL, WILD, {"banned_words": ("the", "was")}, WORDS]
PROMPTS = ["Once upon a time", "The moon was lonely ", "", "“No!” said Zoë, the café cat"]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(ModelFolder.open(SHIPPED, device="cpu"), max_streams=STREAMS) as engine:
        yield engine


@pytest.fixture(scope="module")
def shipped(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model, packed."""
    file = tmp_path_factory.mktemp("packed") / "shipped.inkling"
    file.write_bytes(pack(engine.storyteller).content)
    return file


@pytest.fixture(scope="module")
def tiny(folder_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that sees 64 tokens, packed."""
    file = tmp_path_factory.mktemp("packed") / "tiny.inkling"
    file.write_bytes(pack(ModelFolder.open(folder_of("llama"), device="cpu")).content)
    return file


def ids_of(engine: Engine, story: tuple[str, Settings]) -> list[int]:
    """The ids that the engine writes after a prompt."""
    prompt, settings = story
    return [token.token_id for token in engine.write(prompt, settings)]


def all_ids_of(engine: Engine, stories: list[tuple[str, Settings]]) -> list[list[int]]:
    """The same of several stories, some of them at once."""
    with ThreadPoolExecutor(STREAMS) as pool:
        return list(pool.map(functools.partial(ids_of, engine), stories))


def test_the_same_seed_writes_the_same_story_as_in_python(shipped: Path, engine: Engine) -> None:
    cases = list(itertools.product(CHOICES, range(5)))
    stories = [
        (PROMPTS[number % 4], Settings(length=40, seed=seed, **choice))
        for number, (choice, seed) in enumerate(cases)
    ]
    calls = [write([], prompt, settings, [settings.seed]) for prompt, settings in stories]
    written = [answer["streams"][0] for answer in answers(shipped, calls)]
    expected = all_ids_of(engine, stories)
    differing = [
        choice
        for (choice, _), own, other in zip(cases, written, expected, strict=True)
        if own != other
    ]
    assert len(cases) == 45
    assert differing == []


@pytest.mark.parametrize("weights", ["fp16", "int8"])
def test_every_number_is_the_core_s_in_python(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit, in other memory and another order: 35 stories of seven settings."""
    monkeypatch.setattr(decoder, "pack", functools.partial(core_pack, weights=weights))
    model, file = ModelFolder.open(SHIPPED, device="cpu"), tmp_path / "packed.inkling"
    file.write_bytes(pack(model, weights).content)
    cases = itertools.product([*LIMITED, FROM_ALL, WILD], range(5))
    texts = [
        "Once upon a time.",
        "",
        "“No!” said Zoë, the café cat.",
    ]  # that end where a token does
    stories = [
        (texts[seed % 3], Settings(length=40, seed=seed, stop_at_end=False, **choice))
        for choice, seed in cases
    ]
    before = [model.encode(text) for text, _ in stories]
    with Engine(model, max_streams=STREAMS) as engine:
        expected = [[*engine.write(text, settings)] for text, settings in stories]
    calls = [
        ("record", {
            "ids": [*ids, *(token.token_id for token in tokens)],
            "parts": [part(len(ids), settings)],
        })
        for ids, tokens, (_, settings) in zip(before, expected, stories, strict=True)
    ]  # fmt: skip
    for ids, tokens, record in zip(before, expected, answers(file, calls), strict=True):
        found = record["tokens"][len(ids) :]
        assert len(found) == len(tokens) == 40
        for one, token in zip(found, tokens, strict=True):
            assert one["draw"] is not None
            assert [one[name] for name in NUMBERS] == [getattr(token, name) for name in NUMBERS]
            for name in ("token_id", "probability"):
                assert [alike[name] for alike in one["alternatives"]] == [
                    getattr(alike, name) for alike in token.alternatives
                ]


NUMBERS = ("token_id", "rank", "probability", "chosen_probability", "entropy")


def part(start: int, settings: Settings) -> dict[str, Any]:
    """What the page asks of the tokens that a model wrote from `start` on."""
    return {
        "from": start, "to": start + settings.length, "position": 0, "settings": asdict(settings),
        "begins": "", "beyond": False,
    }  # fmt: skip


def test_eight_at_once_and_a_long_story_are_python_s_too(shipped: Path, engine: Engine) -> None:
    prompt, seeds = "One day a cat found a red ball. " * 3, list(range(7, 15))
    short = Settings(length=40)
    long = Settings(length=700, stop_at_end=False, seed=3)  # beyond the 512 tokens that it sees
    calls = [write([], prompt, short, seeds), write([], "Once", long, [3])]
    eight, one = answers(shipped, calls)
    stories = [("Once", long), *((prompt, replace(short, seed=seed)) for seed in seeds)]
    assert [*one["streams"], *eight["streams"]] == all_ids_of(engine, stories)


def test_the_bars_show_what_words_to_use_raise(shipped: Path, engine: Engine) -> None:
    text, words = "There was a little", ("bear",)
    request = {"ids": [], "text": text, "token_id": None}
    wish = {"settings": {"words_to_use": words, "words_form": 2}}
    own, raised = answers(shipped, [("candidates", request), ("candidates", request | wish)])
    (first,) = ids_of(engine, (text, Settings(temperature=0, length=1, words_to_use=words)))
    assert raised["candidates"][0][0] == first != own["candidates"][0][0]
    wanted = engine.candidates([], text, settings=Settings(words_to_use=words)).to_json()
    for one, other in zip(raised["candidates"], wanted["candidates"], strict=True):
        assert one[0] == other[0] and one[2:] == pytest.approx(other[2:], abs=1e-5)
    logits = {token_id: logit for token_id, _, logit, _ in own["candidates"]}
    for token_id, _, logit, after in raised["candidates"]:
        assert logits.get(token_id, logit) == logit
        assert (after > logit) == (token_id == first)


HALVES = [
    "Once upon a ti", "There was a little g", "On", "Once upon a time  ", "Once upon a\t",
    "Once upon a time", "I don't", "Lily said: “Ye", "The unfathom",
]  # fmt: skip


def test_half_a_word_is_completed_as_in_python(shipped: Path, engine: Engine) -> None:
    settings = Settings(length=8, seed=3)
    found = answers(shipped, [write([], text, settings, [3, 4]) for text in HALVES])
    for text, answer in zip(HALVES, found, strict=True):
        for seed, written in zip((3, 4), answer["streams"], strict=True):
            with engine.extend([], text, replace(settings, seed=seed), completes_word=True) as new:
                tokens = list(new)
            assert written == [token.token_id for token in tokens if token.draw is not None], text
        typed = "".join(token.text for token in tokens if token.draw is None)
        assert answer["begins"] == text[len(typed) :]


def test_a_run_that_begins_with_letters_is_told_again(shipped: Path, engine: Engine) -> None:
    """As a link's page asks, from the tokens before the run."""
    settings, before = Settings(length=6, seed=3), engine.encode("Once upon a")
    name, request = write(before, "", settings, [3])
    (again,) = answers(shipped, [(name, request | {"begins_with": " ti"})])
    with engine.extend(before, "", settings, begins_with=" ti") as stream:
        assert again["streams"] == [[token.token_id for token in stream]]


def test_what_a_folder_suppresses_never_comes(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(folder_of("llama"), tmp_path / "model")
    file = folder / "model.safetensors"
    weights = {name: weight.half() for name, weight in load_file(file).items()}
    save_file(weights, file, {"format": "pt"})  # which the page does not round
    settings = Settings(length=40, seed=1, temperature=0.7, stop_at_end=False)

    def written_ids(model: ModelFolder) -> list[int]:
        with Engine(model, max_streams=1) as engine:
            found = ids_of(engine, ("Once.", settings))
        file = tmp_path / "packed.inkling"
        file.write_bytes(pack(model).content)
        assert answers(file, [write([], "Once.", settings, [1])])[0]["streams"] == [found]
        return found

    free = written_ids(ModelFolder.open(folder, device="cpu"))
    never, first = sorted(set(free[1:]) - {free[0]})[:5], free[0]
    values = {"suppress_tokens": never, "begin_suppress_tokens": [first]}
    (folder / "generation_config.json").write_text(json.dumps(values))
    other = written_ids(ModelFolder.open(folder, device="cpu"))
    assert not set(never) & set(other) and other[0] != first
    assert len(other) == 40


def texts() -> list[str]:
    """Texts with everything that a tokenizer may get wrong, and the sample's stories."""
    draws = random.Random(0)
    parts = [
        " ", "  ", "\n", "\r\n", "\t", "'s", "'S", "\u2019s", "a", "Zoe\u0308", "\u00e9", "\u00df",
        "\u01c6", "\u0130", "\u0915\u093f", "\u0924\u093e\u092c", "\u4f60\u597d", "\U0001f98a",
        "\U0001f469\u200d\U0001f467", "\u200b", "\ufeff", "\u0085", "\u00a0", "\u3000", "12",
        "3\u00bd", "\u0663", "don't", "<|endoftext|>", "<|endoftext", "|>", "_", "--", "...",
        "\u2028", "\x00", "\x1c", "\U0001d518", "\ufb01",
    ]  # fmt: skip
    made = ["".join(draws.choices(parts, k=draws.randint(1, 12))) for _ in range(3_000)]
    characters_of_any_kind = [*range(1, 0xD800), *range(0xE000, 0x110000)]
    made += ["".join(map(chr, draws.choices(characters_of_any_kind, k=8))) for _ in range(1_000)]
    with SAMPLE.open(encoding="utf-8") as lines:
        return [*made, *(json.loads(line)["text"] for line in lines)]


def test_its_tokenizer_is_the_model_s(shipped: Path, engine: Engine) -> None:
    model, made = engine.storyteller, texts()
    (encoded,) = answers(shipped, [("encode", made)])
    for text, (ids, back) in zip(made, encoded, strict=True):
        assert ids == model.encode(text), repr(text)
        assert back == "".join(map(model.incremental_decoder().add, ids)), repr(text)


PROMPT = "One day a cat found a red ball in the park and ran home."


def family(tiny: Path, at_once: int) -> list[list[list[int]]]:
    """Eight stories that share their beginning, `at_once` in a call; then stories branch off one of
    the eight, twice, and another one is resumed."""
    settings = functools.partial(Settings, stop_at_end=False)

    def calls(ids: list[int], text: str, length: int, first: int) -> list[Any]:
        seeds = list(range(first, first + 8))
        parts = [seeds[k : k + at_once] for k in range(0, 8, at_once)]
        return [write(ids, text, settings(length=length), part) for part in parts]

    def stories(questions: list[Any], before: list[Any]) -> list[list[int]]:
        """The stories of some calls on a kernel that has answered those before them."""
        found = answers(tiny, [*before, *questions])[len(before) :]
        return [stream for answer in found for stream in answer["streams"]]

    first = [calls([], PROMPT, 20, 0), calls([], PROMPT, 90, 10)]
    short, long = stories(first[0], []), stories(first[1], first[0])
    before = first[0] + first[1]
    branch_calls = calls(short[3][:12], "", 30, 20)
    branch = stories(branch_calls, before)
    before = before + branch_calls
    again = [
        *calls(short[3][:12] + branch[5][:9], " Then", 60, 30), *calls(long[6][:40], "", 40, 40)
    ]  # fmt: skip
    return [short, long, branch, stories(again, before)]


def test_stories_that_share_a_beginning_are_those_of_each_alone(tiny: Path) -> None:
    """Eight read it where one has it. The model sees 64 tokens, so all slide their windows."""
    together, alone = family(tiny, 8), family(tiny, 1)
    assert together == alone
    assert [len(part) for part in together] == [8, 8, 8, 16]
