"""Stories to ids: how long ones are dropped or cut."""

from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.corpus import build_store
from trainer.corpus.store.encoding import whole_sentences
from trainer.settings.corpus import Corpus

from .conftest import write_jsonl

Settings = Callable[..., Corpus]


@pytest.mark.parametrize(
    ("characters", "whole"),
    [
        (3, ""),  # "Mr." ends no sentence
        (18, ""),  # before the closing quote
        (19, 'Mr. Bear said "Hi!"'),
        (28, 'Mr. Bear said "Hi!"'),
        (29, 'Mr. Bear said "Hi!" and left.'),
        (99, 'Mr. Bear said "Hi!" and left.'),  # the rest is not a sentence
    ],
)
def test_whole_sentences(characters: int, whole: str) -> None:
    story = 'Mr. Bear said "Hi!" and left.\nHe woke'
    assert whole_sentences(story, characters) == whole


@pytest.mark.parametrize(
    ("story", "whole"),
    [
        (
            "从前有一个小女孩。她说:“你好!”她很开心。后来",
            "从前有一个小女孩。她说:“你好!”她很开心。",
        ),
        ("彼は「行こう。」と言った。それ", "彼は「行こう。」と言った。"),
        ("राम ने आम खाए। वह खुश", "राम ने आम खाए।"),
        ("كان لديه تفاحة؟ كان", "كان لديه تفاحة؟"),
    ],
)
def test_sentences_of_other_scripts(story: str, whole: str) -> None:
    assert whole_sentences(story, len(story)) == whole


def test_long_stories_are_cut_at_a_sentence(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    text = 'Mr. Bear was tired. He said, "Good night!" Then he slept until the sun came up.'
    texts = [text, "Short and good.", "a word and " * 30 + "the end.", *stories[:200]]
    file = write_jsonl(tmp_path / "long.jsonl", texts)
    keys: dict[str, object] = {"max_tokens": 16, "min_tokens": 0, "english": False}
    keys |= {"duplicates": False, "decontaminate": False, "validation": str(file)}
    whole = build_store(settings(file, **keys | {"max_tokens": 0}))
    store = build_store(settings(file, long_stories="cut", **keys))
    found = list(store.stories("train"))
    assert found[:2] == ['Mr. Bear was tired. He said, "Good night!"', "Short and good."]
    full = [story for story in whole.stories("train") if not story.startswith("a word")]
    for story, all_of_it in zip(found, full, strict=True):
        assert all_of_it.startswith(story) and story.endswith((".", "!", "?", '"'))
    ids = store.split("train")
    assert max(len(part.split()) for part in " ".join(map(str, ids)).split("50256")) < 16
    changed, dropped = store.info["changed"], store.info["dropped"]
    assert changed["shortened"] == 2 * sum(map(str.__ne__, found, full)) > 100  # both parts
    assert dropped["too_long"] == 2  # its only sentence is too long
