"""Stories written by rule, files of them, and settings that keep everything in a test's folder."""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from trainer.corpus.read.files import find_files
from trainer.corpus.read.readers import read_files
from trainer.settings.corpus import Corpus

NAMES = ["Pip", "Nora", "Ben", "Ola", "Mia", "Sam", "Kim", "Lily", "Tim", "Anna"]
THINGS = ["kite", "boat", "drum", "key", "lamp", "red hat", "small frog", "paper ship", "cake"]
PLACES = ["in the garden", "by the sea", "under the bed", "on the hill", "behind the barn"]


def story(number: int) -> str:
    """A story that only this number has, of 20 to 120 words."""
    rng = random.Random(number)
    name, other = rng.sample(NAMES, 2)
    lines = [f"Once upon a time {name} found a {rng.choice(THINGS)} {rng.choice(PLACES)}."]
    for _ in range(rng.randrange(1, 9)):
        thing, place = rng.choice(THINGS), rng.choice(PLACES)
        lines.append(
            rng.choice(
                [
                    f'"Is this your {thing}?" asked {other}.',
                    f"They looked for the {thing} {place}, and they were happy.",
                    f"{name} was sad, but {other} had a {thing} and gave it to {name}.",
                ]
            )
        )
    return f"{' '.join(lines)}\nThat was day {number} of the summer."


@pytest.fixture
def stories() -> list[str]:
    return [story(number) for number in range(200)]


def write_jsonl(file: Path, texts: Iterable[str]) -> Path:
    file.write_text(
        "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts),
        encoding="utf-8",
    )
    return file


def read_file(file: Path, settings: Corpus | None = None) -> Iterator[str]:
    """Yield the stories of one file, as they stand there but for what belongs to the file."""
    for reading in read_files(find_files(str(file)).train, settings or Corpus()):
        for chunk in reading.chunks:
            yield from chunk.stories()


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Corpus]:
    """The section `corpus`, with its stores under the test's folder."""

    def make(source: object = "sample", **keys: object) -> Corpus:
        values: dict[str, object] = {"folder": str(tmp_path / "data"), "workers": 2} | keys
        return Corpus(source=str(source), **values)  # type: ignore[arg-type]

    return make
