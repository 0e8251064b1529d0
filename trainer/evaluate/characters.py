"""Count whether a model confuses its characters after their introductions.

The opening of a true story up to "a little girl named Lily" is the prompt. Three counts judge the
continuation; for the true stories all are close to 1: the first "He" or "She" fits the person, the
next name that does something is the introduced name, and no dog has two names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.evaluate.continuations import (
    Opening,
    Sampling,
    continue_stories,
    room_of,
    start_token,
)

PRONOUN = {
    **dict.fromkeys(("girl", "woman", "lady", "princess", "queen"), "She"),
    **dict.fromkeys(("boy", "man", "prince", "king"), "He"),
}
INTRODUCTION = re.compile(
    rf"\b(?P<person>{'|'.join(PRONOUN)}),? (?:named|called) (?P<name>[A-Z][a-z]+)\b"
)
# The rest of the sentence has no other name or quote, then a pronoun begins the next sentence.
PRONOUN_AFTER = re.compile(r"[^.!?\"“A-Z]*[.!?]\s+(?P<pronoun>He|She)\b")
SUBJECT = re.compile(
    r"\b(?P<name>[A-Z][a-z]+) (?:was|had|went|saw|said|asked|wanted|loved|liked|ran|felt|looked|"
    r"smiled|took|tried|decided|thought|found|played)\b"
)
NOT_NAMES = frozenset(
    ("He", "She", "It", "They", "We", "You", "I", "One", "The", "This", "That", "There", "But")
)
ROLE = re.compile(
    r"\b(?:[Hh]is|[Hh]er) (?P<role>dog|cat|puppy|kitten|brother|sister|bear|doll|bird),? "
    r"(?:named |called )?(?P<name>[A-Z][a-z]+)\b"
)


@dataclass(frozen=True)
class Characters:
    """Counts over stories that introduce a person by name; each is (right, counted).

    Attributes:
        pronoun: the sentence after the introduction begins with the right "He" or "She".
        subject: the first name that does something after the introduction is the person's.
        role: a dog, a brother and so on has one name throughout the story.
    """

    pronoun: tuple[int, int]
    subject: tuple[int, int]
    role: tuple[int, int]


def measure_characters(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    stories: list[str],
    count: int,
    ways: Iterable[Sampling],
) -> list[dict[str, Any]]:
    """Count how the model continues the introductions in `count` of the stories.

    Returns:
        for each way of sampling, and for the true stories under "true", a row {sampling, stories,
        pronoun, subject, role}; empty if no story introduces a person.
    """
    openings = introductions_of(stories, tokenizer, count, room_of(model)[0])
    if not openings:
        return []
    beginnings = [str(tokenizer.decode(opening.ids[1:])) for opening in openings]
    rows = []
    for way in ways:
        pairs = continue_stories(model, openings, tokenizer, way)
        rows.append((str(way), [pair.written for pair in pairs]))
    rows.append(("true", [pair.true for pair in pairs]))
    return [
        {"sampling": name, "stories": len(texts)}
        | asdict(count_characters(map(str.__add__, beginnings, texts)))
        for name, texts in rows
    ]


def introductions_of(
    stories: Iterable[str], tokenizer: PreTrainedTokenizerBase, count: int, longest: int
) -> list[Opening]:
    """Return the openings of the first `count` stories that introduce a person within `longest`
    tokens; each ends with the name."""
    start = start_token(tokenizer)
    openings: list[Opening] = []
    for number, story in enumerate(stories):
        if len(openings) == count:
            break
        introduction = INTRODUCTION.search(story)
        if introduction is None:
            continue
        ids, rest = (
            tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"]
            for part in (story[: introduction.end()], story[introduction.end() :])
        )
        if len(ids) < longest and rest:
            openings.append(Opening(len(openings), [start, *ids], rest, number))
    return openings


def count_characters(stories: Iterable[str]) -> Characters:
    """Return the three counts over whole stories, opening and continuation together."""
    pronouns: list[bool] = []
    subjects: list[bool] = []
    roles: list[bool] = []
    for story in stories:
        introduction = INTRODUCTION.search(story)
        if introduction is None:
            continue
        after = story[introduction.end() :]
        if pronoun := PRONOUN_AFTER.match(after):
            pronouns.append(pronoun["pronoun"] == PRONOUN[introduction["person"]])
        names = (subject["name"] for subject in SUBJECT.finditer(after))
        if name := next((name for name in names if name not in NOT_NAMES), None):
            subjects.append(name == introduction["name"])
        names_of_role = defaultdict(set)
        for role in ROLE.finditer(story):
            names_of_role[role["role"]].add(role["name"])
        if names_of_role:
            roles.append(all(len(names) == 1 for names in names_of_role.values()))
    return Characters(*((sum(flags), len(flags)) for flags in (pronouns, subjects, roles)))
