"""The bundled sample, written anew by the shipped storyteller:

    python -m tests.trainer.corpus.write_sample ../shared/data/train.jsonl

The lines written by hand stay, the stories after them are the model's: those that end by
themselves, are no longer than 900 characters, have no half letters and share no run of twelve words
with the training stories, the file's argument. The golden losses follow
(tests/trainer/test_golden.py).
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from tests.paths import ROOT
from trainer.evaluate.prose import runs, words

SAMPLE = ROOT / "trainer" / "corpus" / "sample.jsonl"
BY_HAND = 29  # lines
STORIES = 1972
AT_ONCE = 32
LONGEST = 900  # characters
RUN = 12  # words

NAMES = [
    "Lily", "Tom", "Mia", "Ben", "Sue", "Max", "Anna", "Sam", "Lucy", "Tim", "Nina", "Bob", "Sara",
    "Jack", "Kim", "Leo", "Ella", "Fred", "Zoe", "Dan",
]  # fmt: skip
ANIMALS = [
    "cat", "dog", "bird", "frog", "bear", "fox", "mouse", "duck", "rabbit", "fish", "owl", "pig",
    "lion", "turtle", "squirrel",
]  # fmt: skip
OPENINGS = (
    "Once upon a time, there was a little {animal}",
    "Once upon a time, there was a child named {name}",
    "One day, {name} went to the park.",
    "{name} had a big",
    "One night, the {animal} saw",
    "There was a {animal} in the garden.",
    "{name} and {name2} were best friends.",
    "It was raining and {name} was",
    "Once upon a time, in a big forest, there lived a {animal}",
    "{name} wanted to help",
    "{name}'s {animal} was",
    "One sunny morning, {name} found",
)


def opening(number: int) -> str:
    """The opening of a story."""
    name = NAMES[number * 7 % len(NAMES)]
    return OPENINGS[number % len(OPENINGS)].format(
        name=name,
        name2=NAMES[(number * 7 + 5) % len(NAMES)],
        animal=ANIMALS[number * 4 // 3 % len(ANIMALS)],
    )


def stories_of(engine: Engine) -> Iterator[str]:
    """Stories without end, those that end by themselves."""
    for first in itertools.count(0, AT_ONCE):
        streams = [
            engine.write(
                opening(number),
                Settings(temperature=0.8, top_k=40, top_p=0.95, length=300, seed=number),
            )
            for number in range(first, first + AT_ONCE)
        ]
        for stream in streams:
            story = stream.finish()
            if story.ended:
                yield story.text.strip()


def main(train: str) -> None:
    """Write the file."""
    with Path(train).open(encoding="utf-8") as lines:
        known = {hash(run) for line in lines for run in runs(words(json.loads(line)["text"]), RUN)}
    by_hand = SAMPLE.read_text(encoding="utf-8").splitlines()[:BY_HAND]
    storyteller = ModelFolder.open(ROOT / "models" / "storyteller", device="cpu")
    found: dict[str, None] = {}
    with (
        Engine(storyteller, max_streams=AT_ONCE, max_waiting=AT_ONCE) as engine,
        tqdm(total=STORIES, unit=" stories") as bar,
    ):
        written = 0
        for story in stories_of(engine):
            written += 1
            copies = any(hash(run) in known for run in runs(words(story), RUN))
            whole = "\ufffd" not in story  # each letter
            if len(story) <= LONGEST and whole and not copies and story not in found:
                found[story] = None
                bar.update()
            if len(found) == STORIES:
                break
    lines_of = [json.dumps({"text": story}, ensure_ascii=False) for story in found]
    SAMPLE.write_text("\n".join([*by_hand, *lines_of]) + "\n", encoding="utf-8")
    print(f"{STORIES} of {written} stories that ended by themselves are kept")


if __name__ == "__main__":
    main(*sys.argv[1:])
