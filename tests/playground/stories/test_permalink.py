"""A story in a link and back, and links that are not what they were."""

from __future__ import annotations

import contextlib
import json
import random
import string
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.sampling import Settings
from playground.stories.permalink import (
    Branch,
    Permalink,
    Run,
    common_tokens,
    decode,
    text_of,
)
from tests.links import by_person, number, sealed
from tests.playground.browser import javascript

VECTORS = json.loads(Path(__file__).with_name("permalink_vectors.json").read_text(encoding="utf-8"))
FIRST_STORY = VECTORS["good"][1]["link"]

words = st.lists(
    st.text(min_size=1, max_size=20).filter(lambda word: word.strip()), max_size=3
).map(tuple)
thousandths = st.integers(0, 2000).map(lambda number: number / 1000)
runs = st.builds(
    Run,
    st.builds(
        Settings,
        temperature=thousandths,
        top_k=st.integers(0, 200),
        top_p=st.integers(0, 1000).map(lambda number: number / 1000),
        min_p=st.integers(0, 1000).map(lambda number: number / 1000),
        repetition_penalty=st.integers(500, 2000).map(lambda number: number / 1000),
        seed=st.integers(0, 2**32 - 1),
        banned_words=words,
        words_to_use=words,
        words_form=st.integers(1, 2),
        stop_at_end=st.booleans(),
    ),
    st.one_of(st.sampled_from(["", " "]), st.text(max_size=30)),
    st.booleans(),
)


@st.composite
def links(draw: st.DrawFn) -> Permalink:
    its = tuple(draw(st.lists(runs, max_size=4)))
    owner = st.integers(-1, len(its) - 1)
    ids = st.one_of(st.integers(0, 2**20 - 1), st.sampled_from(common_tokens()))
    tokens = st.lists(st.tuples(ids, owner), max_size=60).map(tuple)
    story = draw(tokens)
    lengths, branches = [len(story)], []
    for index in range(draw(st.integers(0, 4))):
        leaves = draw(st.integers(0, index))
        shared = draw(st.integers(0, lengths[leaves]))
        branches.append(Branch(leaves, shared, draw(st.text(max_size=15)), draw(tokens)))
        lengths.append(shared + len(branches[-1].tokens))
    needs_name = (run.begins_with not in ("", " ") or run.settings.words_to_use for run in its)
    is_named = any(needs_name) or draw(st.booleans())
    return Permalink(
        draw(st.text("0123456789abcdef", min_size=16, max_size=16)),
        draw(st.text(max_size=15)),
        its,
        story,
        tuple(branches),
        draw(st.text("0123456789abcdef", min_size=4, max_size=4)) if is_named else "",
    )


@pytest.mark.process
def test_what_the_page_puts_into_a_link_comes_out_of_it() -> None:
    stories: list[Permalink] = []

    @given(links())
    def draw(story: Permalink) -> None:
        stories.append(story)

    draw()
    texts = javascript.links(stories)
    assert set("".join(texts)) <= set(string.ascii_letters + string.digits + "-_")
    assert list(map(decode, texts)) == stories


def test_every_cut_and_every_altered_letter_is_refused() -> None:
    text = FIRST_STORY
    for cut in range(0, len(text), 7):
        with pytest.raises(ValueError, match="cut off or was altered"):
            decode(text[:cut])
    for place in range(0, len(text) - 1, 5):
        other = "A" if text[place] != "A" else "B"
        with pytest.raises(ValueError, match=r"altered|newer"):
            decode(text[:place] + other + text[place + 1 :])
    for wrong in ("", "x", "!!", "A" * 5000, text + "A" * 4, "é" * 40):
        with pytest.raises(ValueError, match=r"altered|newer"):
            decode(wrong)


HEAD = "0001" + "0" * 64 + "000000"  # version, model, no name
ZERO = "00000"
BRANCHED = "0010" + HEAD[4:] + ZERO + ZERO  # neither runs nor tokens


@pytest.mark.parametrize(
    "bits",
    [
        "0101" + "0" * 80,  # another version
        HEAD + "11111" * 12,  # a number without an end
        HEAD + "11111" * 3 + "01111",  # 65,535 runs
        HEAD + ZERO + "00001" + "00011" + "00001" + "0" * 6,  # a run that is not there
        HEAD + ZERO + "00001" + ZERO + ZERO,  # a segment of nothing
        HEAD + ZERO + "00001" + ZERO + "11111" * 3 + "00011",  # 16,383 tokens
        HEAD + ZERO + ZERO + "0" * 16,  # filled up with too much
        HEAD + ZERO + ZERO + "1",  # filled up with something
        HEAD + "10000" + ZERO,  # a number written longer than it is
        "0001" + "0" * 64 + "000001" + "11111111" + ZERO * 2,  # a name that is not text
        BRANCHED + ZERO,  # no branch
        BRANCHED + "00001" + "00001",  # a branch of itself
        BRANCHED + "00001" + ZERO + "00001",  # more shared than is there
    ],
)
def test_a_hostile_link_is_refused(bits: str) -> None:
    with pytest.raises(ValueError, match=r"altered|newer"):
        decode(sealed(bits))


def test_a_long_text_is_refused_before_it_is_read() -> None:
    tracemalloc.start()
    with pytest.raises(ValueError, match="altered"):
        decode("A" * 2_000_000)
    long = decode(sealed(HEAD + ZERO + by_person(["1" * 23] * 10_000)))
    assert long == Permalink("0" * 16, "", (), ((1048575, -1),) * 10_000)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_the_longest_link_is_refused_at_its_last_bit_at_little_cost() -> None:
    story = by_person([f"0{k % 32:05b}" for k in range(9_990)])
    bits = "0010" + HEAD[4:] + ZERO + story + number(4) + (ZERO + ZERO + "000000" + story) * 4
    assert len(decode(sealed(bits)).branches) == 4
    tracemalloc.start()
    with pytest.raises(ValueError, match="altered"):
        decode(sealed(bits + "00000001"))
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_a_mutation_is_refused_or_means_the_same() -> None:
    text, draw = FIRST_STORY, random.Random(1)
    meant = 0
    for _ in range(10_000):
        start, cut = draw.randrange(len(text) + 1), draw.randrange(6)
        put = "".join(draw.choices("ABCxyz019-_=+ /é", k=draw.randrange(6)))
        try:
            link = decode(text[:start] + put + text[start + cut :])
        except ValueError as problem:
            assert str(problem).endswith(".")
        else:
            assert link == decode(text)
            meant += 1
    assert meant < 500  # nothing was changed, or only the unused bits of the last letter


@pytest.mark.process
def test_bits_with_a_right_checksum_are_read_or_refused_quickly() -> None:
    """What somebody makes who knows the format: no bits cost more than a sentence."""
    draw, stories = random.Random(2), {}
    for _ in range(2_000):
        head = draw.choice((HEAD, "0010" + HEAD[4:], "0011" + "0" * 96, "0100" + "0" * 96, ""))
        text = sealed(head + f"{draw.getrandbits(400):0400b}"[: draw.randrange(1, 400)])
        with contextlib.suppress(ValueError):
            stories[text] = decode(text)
    assert javascript.links(stories.values()) == list(stories)


def values(value: dict[str, Any]) -> Permalink:
    """The content of a link as the page holds it. Versions 1 and 2 say whether a person typed one
    space before a run's first word."""

    def pairs(tokens: list[list[int]]) -> tuple[tuple[int, int], ...]:
        return tuple((token_id, run) for token_id, run in tokens)

    return Permalink(
        value["model"],
        value["name"],
        tuple(
            Run(
                Settings.from_json(run["settings"] | {"seed": run["seed"]}),
                run["begins"] if "begins" in run else " " * run["space"],
                run["beyond"],
            )
            for run in value["runs"]
        ),
        pairs(value["tokens"]),
        tuple(
            Branch(**branch | {"tokens": pairs(branch["tokens"])}) for branch in value["branches"]
        ),
        value.get("tokenizer", ""),
    )


def test_the_vectors_are_still_read() -> None:
    """Links that are out in the world stay good: this file only grows."""
    assert len(VECTORS["good"]) >= 3
    for vector in VECTORS["good"]:
        assert decode(vector["link"]) == values(vector["value"])
    for text in VECTORS["bad"]:
        with pytest.raises(ValueError, match=r"altered|newer"):
            decode(text)


@pytest.mark.parametrize(("what", "written", "link"), VECTORS["passed_on"])
def test_a_link_is_found_as_it_is_passed_on(what: str, written: str, link: str) -> None:
    assert text_of(written) == link, what


def test_a_link_that_is_nowhere_is_damaged_and_soon() -> None:
    for wrong in ("", "hello", "https://example.org/a-page", "https://x.example/s/abc\n" * 20_000):
        with pytest.raises(ValueError, match="cut off"):
            decode(text_of(wrong))


def test_a_link_says_which_tokenizer_it_needs() -> None:
    named, unnamed = (decode(VECTORS["good"][k]["link"]) for k in (4, 6))
    assert named.has_tokenizer("0a1b7") and not named.has_tokenizer("0a1c7")
    assert unnamed.tokenizer == "0000" and unnamed.has_tokenizer("0a1b7")
    assert Permalink("0" * 16, "", (), ()).has_tokenizer("0a1b7")  # an older link does not say
