"""What words to use cost a story, beside the same stories without them.

    python -m benchmarks.words models/storyteller --stories 240 --first 5000 --held-out

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
# Nouns, verbs and adjectives, of the kind that TinyStories were prompted with (Eldan and Li 2023).
# The form was chosen with the first ones.
TUNED = """
    dragon boat cake moon garden key hat river cookie kite frog train castle bear bridge drum
    apple window rabbit puddle letter star spoon farm snow rock ladder blanket ring candle
    market pumpkin whistle feather squirrel telescope

    jump share hide sing climb dig paint dance laugh wait fix bake find help swim fly clean
    throw carry build count cry draw whisper explore rescue

    happy brave shiny tiny loud soft angry lonely purple warm dark kind scared hungry quiet fast
    sleepy proud cold silly gentle curious clumsy ancient
"""
HELD_OUT = """
    turtle ball door cup tree basket pond shoe bird lamp mouse fence bell cloud leaf doll truck
    soup mirror beach nest pillow shell bench ticket clock mountain spider mask wagon jar pencil
    island bucket penguin lantern

    run play eat push ask sleep cook kick catch open smile listen drop break hug wave wash read
    jog crawl knock gather borrow imagine sneeze decorate

    big red sad wet pretty mean tall bright sweet lazy funny old new bored rough tired polite
    heavy careful nervous gloomy sparkly stubborn fragile
"""


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


def some_words(number: int, lists: str = TUNED) -> tuple[str, ...]:
    """Return the three words of a story."""
    draws = np.random.default_rng(number)
    return tuple(str(draws.choice(kind.split())) for kind in lists.split("\n\n"))


def compare(engine: Engine, numbers: range, lists: str = TUNED) -> tuple[Group, Group]:
    """Write stories without and with words, by the same draws: their seeds are `numbers`."""

    def write(number: int, words: tuple[str, ...]) -> Story:
        wish = Settings(seed=number, words_to_use=words)
        return engine.write(PROMPTS[number % len(PROMPTS)], wish).finish()

    words = [some_words(number, lists) for number in numbers]
    with ThreadPoolExecutor(engine.max_streams) as threads:
        without = list(threads.map(write, numbers, [()] * len(numbers)))
        using = list(threads.map(write, numbers, words))
    return Group(without, words), Group(using, words)


def interval(without: Group, using: Group) -> tuple[float, float]:
    """The 95 % interval of how much worse the perplexity is, by 2,000 bootstrap samples of the
    stories (Efron 1979)."""
    draws, found = np.random.default_rng(0), []
    for _ in range(2_000):
        some = draws.integers(0, len(using.stories), len(using.stories))
        groups = (Group([one.stories[k] for k in some], []) for one in (without, using))
        before, after = (group.perplexity for group in groups)
        found.append(after / before - 1)
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--stories", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first story's seed")
    parser.add_argument("--held-out", action="store_true", help="words that were not tuned with")
    parser.add_argument("--show", type=int, default=0, help="stories that are printed")
    options = parser.parse_args()
    with Engine(ModelFolder.open(str(options.model), device="cpu"), threads=1) as engine:
        numbers = range(options.first, options.first + options.stories)
        groups = compare(engine, numbers, HELD_OUT if options.held_out else TUNED)
    print("| | all three | times a word | tokens | perplexity |\n|---|---|---|---|---|")
    for name, group in zip(("without", "words to use"), groups, strict=True):
        print(
            f"| {name} | {group.complete} of {len(group.stories)} | {group.counts:.2f} "
            f"| {group.length:.0f} | {group.perplexity:.3f} |"
        )
    low, high = interval(*groups)
    worse = groups[1].perplexity / groups[0].perplexity - 1
    print(f"perplexity: {worse:+.1%}, {low:+.1%} to {high:+.1%}")
    for story, words in list(zip(groups[1].stories, groups[1].words, strict=True))[: options.show]:
        print(f"\n{', '.join(words)}: {story.text}")


if __name__ == "__main__":
    main()
