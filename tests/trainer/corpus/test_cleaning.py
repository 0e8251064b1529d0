"""The rules of cleaning, one by one and together."""

import json
from collections import Counter
from dataclasses import replace

import ftfy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trainer.corpus.read.sources import SAMPLE
from trainer.corpus.store import cleaning
from trainer.corpus.store.cleaning import Cleaner, Dropped, in_order
from trainer.corpus.store.closings import FIRST
from trainer.settings.corpus import Corpus

KEEP = Cleaner(Corpus(special="keep", english=False, complete=False))
LOWER = Cleaner(Corpus(special="keep", english=False, complete=False, lower_case=True))
STORYTELLER = Cleaner(Corpus())
SEED = Cleaner(Corpus(special="strip", lower_case=True))
ALL_OFF = Corpus(
    special="keep", english=False, complete=False, mojibake=False, markup=False, control=False,
    typography=False,
)  # fmt: skip

# Text as it goes wrong: chunks that rules care about among ordinary ones.
chunks = st.sampled_from([
    "&", "<", ">", ";", "lt", "amp", "&lt;", "&amp;", "&#39;", "&#0;", "&nbsp;", "<b>", "</p>",
    "<br/>", "<|endoftext|>", "<!--", "-->", "\u00e2\u20ac\u2122", "\u00e2\u20ac", "\u00c3\u00a9",
    "\n", "\r\n", " ", "  ", "\t", "\x00", "\x85", "\ud83d", "\u200b", "\ufeff", "\U0001f600",
    "“", "”", "’", "–", "—", "…", "`", "\u0130", "\u017f", "\u212a", "ß", "Σ", "the ", "and ",
    "cat", ".", '"',
])  # fmt: skip
texts = st.one_of(
    st.text(),
    st.lists(chunks).map("".join),
    st.lists(st.one_of(chunks, st.text(max_size=4))).map("".join),
)


def clean(cleaner: Cleaner, text: str) -> str | Dropped:
    return cleaner.clean(text, Counter())


@pytest.mark.parametrize(
    ("rule", "raw", "mended"),
    [
        ("markup", "Tom &amp; Mia &lt;b&gt;ran&lt;/b&gt;.", "Tom and Mia ran."),
        ("markup", "<p>One.</p><p>Two.<br>Three.</p>", "One.\nTwo.\nThree."),
        ("markup", "A <!-- not\nseen --> cat.", "A cat."),
        ("markup", "One.<|endoftext|>Two.", "One. Two."),
        ("mojibake", "â€œIt is a drum!â€\x9d she said.", '"It is a drum!" she said.'),
        ("mojibake", "â€œIt is a drum!â€ she said. Donâ€™t!", '"It is a drum!" she said. Don\'t!'),
        ("mojibake", "A cafÃ©.", "A café."),
        ("control", "The robot\x00 said\u200b hello.", "The robot said hello."),
        ("typography", "“Hi,” said Tom’s dog…", '"Hi," said Tom\'s dog...'),
        ("typography", "A dog—a big one–ran.", "A dog - a big one - ran."),
        ("typography", " One  two\tthree. \r\n\r\n  Four.\u00a0 \n\n\n", "One two three.\nFour."),
    ],
)
def test_a_rewriting_rule_mends_and_is_counted(rule: str, raw: str, mended: str) -> None:
    changed: Counter[str] = Counter()
    found = KEEP.clean(raw, changed)
    assert found == mended.replace("Tom and", "Tom &" if "&" in raw else "Tom and")
    assert changed[rule] == 1


@pytest.mark.parametrize(
    ("rule", "raw"),
    [
        ("empty", ""),
        ("empty", "  \n \t "),
        ("empty", "<p></p>"),
        ("has_special", "A rainbow 🌈 was in the sky."),
        ("has_special", "It cost $5."),
        ("foreign", "从前有一只小猫，它喜欢在花园里玩。"),
        (
            "foreign",
            "Un gato dormía bajo la mesa de la cocina mientras los ratones comían todo el queso"
            " que quedaba sobre ella, y nadie decía nada.",
        ),
        ("cut_off", "The cat went to the"),
        ("cut_off", "The cat went to the,"),
    ],
)
def test_a_dropping_rule_names_itself(rule: str, raw: str) -> None:
    cleaner = KEEP if rule == "empty" else Cleaner(Corpus(special="keep"))
    found = clean(STORYTELLER if rule == "has_special" else cleaner, raw)
    assert isinstance(found, Dropped)
    assert found.reason == rule


@pytest.mark.parametrize(
    "text",
    [
        'Tom said, "I am here."',
        "It was good!",
        "Sam ran. Mia hid.",
        "Señora Núñez sang a song, and the children were happy.",
    ],
)
def test_a_good_story_stays_as_it_is(text: str) -> None:
    assert clean(STORYTELLER, text) == text


def test_every_rule_can_be_switched_off() -> None:
    dirty = "<b>A</b> “dog”  donâ€™t 🌈"
    off = Corpus(
        **dict.fromkeys(("mojibake", "markup", "typography", "english", "complete"), False),
        special="keep",
    )
    assert clean(Cleaner(off), dirty) == dirty


def test_the_seed_preset_leaves_nothing_special() -> None:
    assert clean(SEED, "<i>It</i> cost $5, “Tom” said 😀.") == 'it cost 5, "tom" said .'


def rewritten_plainly(cleaner: Cleaner, text: str) -> str | None:
    """What the rules make of a text without a look at whether they are needed."""
    for _ in range(cleaning.ROUNDS):
        before = text
        for _, rewrite in cleaner.rewriting:
            text = rewrite(text)
        if text == before:
            return text
    return None


@settings(max_examples=500, deadline=None)
@given(texts, st.sampled_from([KEEP, LOWER, STORYTELLER, SEED, Cleaner(ALL_OFF)]))
@example("A <\u212a> and a \u017f. \u0130 &LT;b&GT; &NBSP;", SEED)
@example("<\u212a> &NBSP;.", LOWER)
def test_cleaning_is_total_stable_and_encodable(text: str, cleaner: Cleaner) -> None:
    found = clean(cleaner, text)
    if isinstance(found, Dropped):
        assert found.reason
        return
    assert found.encode().decode() == found
    assert clean(cleaner, found) == found
    assert "<|endoftext|>" not in found
    assert "\x00" not in found or cleaner.rewriting == Cleaner(ALL_OFF).rewriting


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from([KEEP, LOWER, STORYTELLER, SEED]))
def test_the_quick_look_changes_no_result(text: str, cleaner: Cleaner) -> None:
    if in_order(text):
        lower = text.lower() if cleaner.on_plain_text else text
        assert rewritten_plainly(cleaner, text) == lower
    found = clean(cleaner, text)
    if isinstance(found, str):
        assert found == rewritten_plainly(cleaner, text)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab .\n“”‘’–—…"))
def test_ftfy_has_nothing_to_mend_in_quotes_and_dashes(text: str) -> None:
    assert ftfy.fix_encoding(text) == text
    assert cleaning.mojibake(text) == text


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abcXYZ019 \n\t\r`.,!?;:'\"-()$<&é“\x00"))
def test_guarded_rules_equal_their_plain_forms(text: str) -> None:
    plain = text.replace("\r\n", "\n").translate(cleaning.PLAIN)
    plain = cleaning.LINE_BREAKS.sub("\n", cleaning.SPACES.sub(" ", plain)).strip(" \n")
    assert cleaning.typography(text) == plain
    assert cleaning.special(text) == cleaning.SPECIAL.sub("", text)


def test_the_sample_has_something_for_every_rule() -> None:
    changed: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        found = STORYTELLER.clean(json.loads(line)["text"], changed)
        if isinstance(found, Dropped):
            dropped[found.reason] += 1
    assert set(changed) == {"mojibake", "markup", "control", "typography"}
    assert {"empty", "has_special", "foreign", "cut_off"} <= set(dropped)


@pytest.mark.parametrize(
    "text",
    [
        "می‌خواهم به خانه بروم.",  # Persian: U+200C between the letters
        "क्‍ष और र्‍य।",  # Hindi: U+200D
        "A family 👩‍👩‍👧 and a ❤️.",  # emoji: U+200D and U+FE0F
        "zero\u200bwidth\u00ad, <b>bold</b> &amp; “quoted”\t\x07",
    ],
)
def test_with_every_rule_off_nothing_is_changed(text: str) -> None:
    changed: Counter[str] = Counter()
    assert Cleaner(ALL_OFF).clean(text, changed) == text
    assert not +changed


@pytest.mark.parametrize("rule", [rule.name for rule in cleaning.RULES if rule.rewrite])
def test_every_rewriting_rule_has_its_switch(rule: str) -> None:
    """With all others off it changes what it is for, and off it changes nothing."""
    setting, value, text = {
        "mojibake": ("mojibake", True, "CafÃ©."),
        "markup": ("markup", True, "A <b>dog</b>."),
        "end_mark": ("markup", False, "A dog.<|endoftext|>A cat."),
        "control": ("control", True, "A\u200bdog."),
        "half_characters": ("control", False, "A \ud83d dog."),
        "typography": ("typography", True, "A “dog”."),
        "special": ("special", "strip", "A dog $."),
        "lower_case": ("lower_case", True, "A dog."),
    }[rule]
    changed: Counter[str] = Counter()
    Cleaner(replace(ALL_OFF, **{setting: value})).clean(text, changed)
    assert changed[rule] == 1


def test_the_active_rules_are_those_that_count() -> None:
    changing, dropping = cleaning.active_rules(Corpus())
    assert changing == ["mojibake", "markup", "control", "typography"]
    assert dropping[:4] == ["empty", "has_special", "foreign", "cut_off"]
    assert "max_tokens" not in dropping and "too_short" in dropping
    assert len({rule.name for rule in cleaning.RULES}) == len(cleaning.RULES)


@pytest.mark.parametrize(
    "story",
    [
        "从前，有一个小女孩。她很开心。", "彼女は「ありがとう」と言った。」",
        "एक समय की बात है। उसने आम खाए।",
        "كان يا ما كان. أين هو؟", "ایک تھا لڑکا۔", "Nachts sagte er: „Gute Nacht.“",
        "He was happy [so they say.]", "He was happy 😀", "He was ❤️", "They all hugged 👨‍👩‍👧",
        "He came first 1️⃣", "From 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    ],
)  # fmt: skip
def test_a_whole_story_ends_as_its_script_does(story: str) -> None:
    assert not cleaning.cut_off(story)
    assert not cleaning.cut_off(story + " \n")
    assert cleaning.cut_off(story + " and")
    assert cleaning.cut_off(story + ",")


def test_whatever_ended_a_story_before_ends_it_still() -> None:
    assert not any(cleaning.cut_off(f"The cat ran{mark}") for mark in FIRST)


def test_a_line_for_every_rule_that_dropped_more_than_one_in_a_hundred() -> None:
    notes = cleaning.dropped_notes({"cut_off": 2, "foreign": 1, "empty": 3, "duplicate": 0}, 100)
    assert notes == [
        "note: `empty` dropped 3 of 100 stories (3.0%): nothing but space",
        "note: `cut_off` dropped 2 of 100 stories (2.0%): no closing punctuation;"
        " --corpus.complete false keeps them",
    ]
    assert cleaning.dropped_notes({}, 0) == []


def test_the_setting_that_keeps_what_a_rule_drops_turns_it_off() -> None:
    everything = Corpus(max_tokens=9, near_duplicates=0.5)
    for rule in cleaning.RULES:
        if rule.keep and rule.name != "tangled":
            name, value = rule.keep.split()
            kind = type(getattr(everything, name))
            off = {"false": False, "0": kind(0)}.get(value, value)
            assert rule.wanted(everything)
            assert not rule.wanted(replace(everything, **{name: off}))
