"""A story in a link and back, and links that are not what they were."""

from __future__ import annotations

import contextlib
import json
import random
import tracemalloc
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from playground.sampling import Settings
from playground.stories.permalink import (
    Branch,
    Permalink,
    Run,
    common_tokens,
    decode,
    encode,
    text_of,
)
from tests.paths import ROOT

VECTORS = Path(__file__).with_name("permalink_vectors.json")

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
    for number in range(draw(st.integers(0, 4))):
        leaves = draw(st.integers(0, number))
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


@examples(deadline=None)
@given(links())
def test_what_is_in_a_link_comes_out_of_it(link: Permalink) -> None:
    text = encode(link)
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert decode(text) == link


def first_story() -> Permalink:
    record = json.loads((ROOT / "playground" / "web" / "first_story.json").read_text())
    settings = Settings(**record["settings"] | {"banned_words": (), "length": 200})
    tokens = tuple(
        (token["token_id"], -1 if token["draw"] is None else 0) for token in record["tokens"]
    )
    return Permalink(record["model"][:16], "storyteller", (Run(settings),), tokens)


def test_300_tokens_take_800_letters_at_most() -> None:
    link = first_story()
    tokens = (link.tokens * 2)[:300]
    assert len(encode(Permalink(link.model, link.name, link.runs, tokens))) <= 800


def test_every_cut_and_every_altered_letter_is_refused() -> None:
    text = encode(first_story())
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


def sealed(bits: str) -> str:
    """Bits as a link with its checksum."""
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    return urlsafe_b64encode(data + zlib.crc32(data).to_bytes(4, "big")).decode().rstrip("=")


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
    long = Permalink("0" * 16, "", (), ((1048575, -1),) * 10_000)
    assert decode(encode(long)) == long
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_the_longest_link_is_refused_at_its_last_bit_at_little_cost() -> None:
    tokens = tuple((common_tokens()[k % 32], -1) for k in range(9_990))
    text = encode(Permalink("0" * 16, "", (), tokens, (Branch(0, 0, "", tokens),) * 4))
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))[:-4]
    tracemalloc.start()
    with pytest.raises(ValueError, match="altered"):
        decode(sealed(f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}" + "00000001"))
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_a_mutation_is_refused_or_means_the_same() -> None:
    text, draw = encode(first_story()), random.Random(1)
    meant = 0
    for _ in range(10_000):
        start, cut = draw.randrange(len(text) + 1), draw.randrange(6)
        put = "".join(draw.choices("ABCxyz019-_=+ /é", k=draw.randrange(6)))
        try:
            link = decode(text[:start] + put + text[start + cut :])
        except ValueError as problem:
            assert str(problem).endswith(".")
        else:
            assert link == first_story()
            meant += 1
    assert meant < 500  # nothing was changed, or only the unused bits of the last letter


def test_bits_with_a_right_checksum_are_read_or_refused_quickly() -> None:
    """What somebody makes who knows the format: no bits cost more than a sentence."""
    draw = random.Random(2)
    for _ in range(2_000):
        head = draw.choice((HEAD, "0010" + HEAD[4:], "0011" + "0" * 96, "0100" + "0" * 96, ""))
        text = sealed(head + f"{draw.getrandbits(400):0400b}"[: draw.randrange(1, 400)])
        with contextlib.suppress(ValueError):
            assert encode(decode(text)) == text


def test_what_a_link_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="three decimals"):
        encode(Permalink("0" * 16, "", (Run(Settings(temperature=0.12345)),), ()))
    with pytest.raises(ValueError, match="token"):
        encode(Permalink("0" * 16, "", (), ((2**20, -1),)))
    with pytest.raises(ValueError, match="10,000 tokens"):
        encode(Permalink("0" * 16, "", (), ((1, -1),) * 10_001))


def begins(link: Permalink, run: Run) -> dict[str, object]:
    """With what a run begins, as the vectors of the link's version say it."""
    if link.tokenizer:
        return {"begins": run.begins_with}
    return {"space": run.begins_with == " "}


def values(link: Permalink) -> dict[str, object]:
    """A link as the browser holds it."""
    tokenizer = {"tokenizer": link.tokenizer} if link.tokenizer else {}
    return tokenizer | {
        "model": link.model,
        "name": link.name,
        "runs": [
            {
                "settings": {
                    name: getattr(run.settings, name)
                    for name in ("temperature", "top_p", "min_p", "repetition_penalty", "top_k")
                }
                | {
                    "stop_at_end": run.settings.stop_at_end,
                    "banned_words": list(run.settings.banned_words),
                }
                | ({"words_to_use": list(use)} if (use := run.settings.words_to_use) else {})
                | ({"words_form": form} if (form := run.settings.words_form) != 1 else {}),
                "seed": run.settings.seed,
                "beyond": run.beyond_end,
            }
            | begins(link, run)
            for run in link.runs
        ],
        "tokens": [list(token) for token in link.tokens],
        "branches": [
            {
                "leaves": branch.leaves,
                "shared": branch.shared,
                "name": branch.name,
                "tokens": [list(token) for token in branch.tokens],
            }
            for branch in link.branches
        ],
    }


def test_the_vectors_are_still_read_and_written() -> None:
    """Links that are out in the world stay good: this file only grows."""
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    assert len(vectors["good"]) >= 3
    for vector in vectors["good"]:
        link = decode(vector["link"])
        assert values(link) == vector["value"]
        assert encode(link) == vector["link"]
    for text in vectors["bad"]:
        with pytest.raises(ValueError, match=r"altered|newer"):
            decode(text)


@pytest.mark.parametrize(
    ("what", "written", "link"), json.loads(VECTORS.read_text(encoding="utf-8"))["passed_on"]
)
def test_a_link_is_found_as_it_is_passed_on(what: str, written: str, link: str) -> None:
    assert text_of(written) == link, what


def test_a_link_that_is_nowhere_is_damaged_and_soon() -> None:
    for wrong in ("", "hello", "https://example.org/a-page", "https://x.example/s/abc\n" * 20_000):
        with pytest.raises(ValueError, match="cut off"):
            decode(text_of(wrong))


def test_a_link_says_which_tokenizer_it_needs() -> None:
    link = decode(encode(Permalink("0" * 16, "", (), ((1, -1),), (), "0a1bffffffff")))
    assert link.tokenizer == "0a1b"
    assert link.has_tokenizer("0a1b7") and not link.has_tokenizer("0a1c7")
    assert Permalink("0" * 16, "", (), ()).has_tokenizer("0a1b7")  # an older link does not say
    half = Permalink("0" * 16, "", (Run(Settings(), "fo"),), ())
    assert decode(encode(half)).runs == half.runs and decode(encode(half)).has_tokenizer("0a1b7")
