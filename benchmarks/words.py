"""What words to use cost a story, beside the same stories without them.

    python -m benchmarks.words models/storyteller --stories 100

Each story should contain a noun, a verb and an adjective, drawn from the lists below. Printed are
how many stories contain all three, how often a word stands in a story that contains it, how many
tokens the stories have, and their perplexity by the model's own probabilities, without the pull.
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playground.engine.engine import Engine
from playground.engine.words import end_of
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from playground.stories.story import Story

PROMPTS = ("Once upon a time", "One day", "There was a little", "Tom and Lily", "")
# Of the kind that TinyStories were prompted with (Eldan and Li 2023).
NOUNS = [
    "dragon",
    "boat",
    "cake",
    "moon",
    "garden",
    "key",
    "hat",
    "river",
    "cookie",
    "kite",
    "frog",
    "train",
    "castle",
    "bear",
    "bridge",
    "drum",
    "apple",
    "window",
    "rabbit",
    "puddle",
    "letter",
    "star",
    "spoon",
    "farm",
    "snow",
    "rock",
    "ladder",
    "blanket",
    "ring",
    "candle",
    "market",
    "pumpkin",
    "whistle",
    "feather",
    "squirrel",
    "telescope",
]
VERBS = [
    "jump",
    "share",
    "hide",
    "sing",
    "climb",
    "dig",
    "paint",
    "dance",
    "laugh",
    "wait",
    "fix",
    "bake",
    "find",
    "help",
    "swim",
    "fly",
    "clean",
    "throw",
    "carry",
    "build",
    "count",
    "cry",
    "draw",
    "whisper",
    "explore",
    "rescue",
]
ADJECTIVES = [
    "happy",
    "brave",
    "shiny",
    "tiny",
    "loud",
    "soft",
    "angry",
    "lonely",
    "purple",
    "warm",
    "dark",
    "kind",
    "scared",
    "hungry",
    "quiet",
    "fast",
    "sleepy",
    "proud",
    "cold",
    "silly",
    "gentle",
    "curious",
    "clumsy",
    "ancient",
]


@dataclass
class Group:
    """Stories and the words of each."""

    stories: list[Story]
    words: list[tuple[str, ...]]

    @property
    def complete(self) -> int:
        """Stories that contain all their words."""
        pairs = zip(self.stories, self.words, strict=True)
        return sum(all(count(word, story.text) for word in words) for story, words in pairs)

    @property
    def counts(self) -> float:
        """Return how often a word stands in a story that contains it, on average."""
        pairs = zip(self.stories, self.words, strict=True)
        found = [count(word, story.text) for story, words in pairs for word in words]
        return float(np.mean([number for number in found if number]))

    @property
    def length(self) -> float:
        """Tokens of a story, on average."""
        return float(np.mean([len(story.tokens) for story in self.stories]))

    @property
    def perplexity(self) -> float:
        """Of the model's own distribution, over all tokens."""
        surprises = [token.surprise for story in self.stories for token in story.tokens]
        return math.exp(float(np.mean(surprises)))


def count(word: str, text: str) -> int:
    """Return how often a word stands in a text."""
    text, found = text.lower(), 0
    while (end := end_of(word.lower(), text, is_whole=True)) is not None:
        found, text = found + 1, " " + text[end:]
    return found


def some_words(number: int) -> tuple[str, ...]:
    """Return the three words of a story."""
    draws = np.random.default_rng(number)
    return tuple(str(draws.choice(kind)) for kind in (NOUNS, VERBS, ADJECTIVES))


def compare(engine: Engine, stories: int, **settings: float) -> tuple[Group, Group]:
    """Write stories without and with words, by the same draws."""

    def write(number: int, words: tuple[str, ...]) -> Story:
        wish = Settings(seed=number, words_to_use=words, **settings)  # type: ignore[arg-type]
        with engine.write(PROMPTS[number % len(PROMPTS)], wish) as stream:
            list(stream)
            return stream.story

    words = [some_words(number) for number in range(stories)]
    with ThreadPoolExecutor(engine.max_streams) as threads:
        without = list(threads.map(write, range(stories), [()] * stories))
        using = list(threads.map(write, range(stories), words))
    return Group(without, words), Group(using, words)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--stories", type=int, default=100)
    parser.add_argument("--show", type=int, default=0, help="stories that are printed")
    options = parser.parse_args()
    with Engine(ModelFolder.open(str(options.model), device="cpu"), workers=1) as engine:
        groups = compare(engine, options.stories)
    print("| | all three | times a word | tokens | perplexity |\n|---|---|---|---|---|")
    for name, group in zip(("without", "words to use"), groups, strict=True):
        print(
            f"| {name} | {group.complete} of {len(group.stories)} | {group.counts:.2f} "
            f"| {group.length:.0f} | {group.perplexity:.3f} |"
        )
    print(f"perplexity: {groups[1].perplexity / groups[0].perplexity - 1:+.1%}")
    for story, words in list(zip(groups[1].stories, groups[1].words, strict=True))[: options.show]:
        print(f"\n{', '.join(words)}: {story.text}")


if __name__ == "__main__":
    main()
