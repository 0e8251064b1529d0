"""The settings of a story: how its tokens are chosen.

Draws are counted, not taken in a row: token t of a story uses a uniform number that is a pure
function of (seed, t). The token is the first one at which the cumulative probability, over the
ids from the likeliest to the least likely (equal ones by id), passes that number. So the same seed
writes the same story alone and batched, and the same draws can be used at another temperature.
The choice itself is the core's (core/choice.c).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

TOP_K_MAX = 200
COLDEST = 1e-6  # of temperatures above 0; what is below counts as 0: numbers would overflow
WORD_MAX, WORDS_MAX = 100, 100  # letters of a word in a list, and words
SEED_END = 2**32


@dataclass(frozen=True)
class Row:
    """One row of the settings table, from which terminal, page, API and documents are made.

    Attributes:
        name: as records, flags and endpoints spell it.
        kind: int, float, bool or tuple (of words).
        default: its value where none is given.
        meaning: its help text, without a full stop.
        neutral: the value at which it changes nothing; None where every value acts.
        limits: whether it keeps some tokens from being drawn unless it is neutral.
        link: its number in links (stories/permalink.py); 0 where a link does not keep it.
        low, high: of a number, both within the range.
        step: of the page's slider; 0 for none.
        first: whether the slider is on the first screen, and not under "More".
    """

    name: str
    kind: type
    default: Any
    meaning: str
    neutral: Any = None
    limits: bool = False
    link: int = 0
    low: float = 0
    high: float = 0
    step: float = 0
    first: bool = False


def setting(default: Any, meaning: str, **about: Any) -> Any:
    """Return a field of `Settings`; `about`: attributes of its `Row`."""
    return field(default=default, metadata={"meaning": meaning} | about)


@dataclass(frozen=True)
class Settings:
    """The settings of a story: a table, one row per setting. The terminal's flags, the page's
    sliders, the API's parameters, links and docs/settings.md follow from it
    (`python -m playground.settings_table` writes what the page needs).

    Numbers in links are never given to another setting. Those from 9 on are kept only where the
    setting is not neutral.

    Raises:
        ValueError: one sentence that names the setting.
    """

    temperature: float = setting(
        0.8,
        "0 takes the likeliest token, 1 is the model's own voice, 2 is wild",
        low=0.0,
        high=2.0,
        step=0.05,
        first=True,
        link=1,
    )
    top_k: int = setting(
        40,
        "draw from the k likeliest tokens; 0 is all",
        high=TOP_K_MAX,
        step=1,
        first=True,
        neutral=0,
        limits=True,
        link=5,
    )
    # Holtzman et al. 2020
    top_p: float = setting(
        1.0,
        "draw from the likeliest tokens that together have this probability; 1 is all",
        low=0.0,
        high=1.0,
        step=0.01,
        neutral=1.0,
        limits=True,
        link=2,
    )
    min_p: float = setting(
        0.0,
        "leave out tokens with less than this fraction of the likeliest one's probability",
        low=0.0,
        high=1.0,
        step=0.01,
        neutral=0.0,
        limits=True,
        link=3,
    )
    # Keskar et al. 2019
    repetition_penalty: float = setting(
        1.0,
        "above 1, tokens that already occurred become less likely",
        low=0.5,
        high=2.0,
        step=0.05,
        neutral=1.0,
        link=4,
    )
    length: int = setting(200, "tokens to write", low=1, high=1_000, step=1, first=True)
    seed: int = setting(
        0,
        "seed of the random numbers: the same seed, settings and model give the same story",
        high=SEED_END - 1,
        link=6,
    )
    banned_words: tuple[str, ...] = setting(
        (), "words not to write, whatever their case and the space before them", neutral=(), link=8
    )
    words_to_use: tuple[str, ...] = setting(
        (), "words that the story should contain, each spelled as here", neutral=(), link=9
    )
    # How words to use are raised, so that links of stories from before form 2 still reproduce. A
    # link keeps it only beside words, and without it means 1. Not for people: it has no meaning.
    words_form: int = setting(2, "", low=1, high=2, neutral=1, link=10)
    stop_at_end: bool = setting(
        True, "stop at the end of the story, even before `length` tokens", link=7
    )

    def __post_init__(self) -> None:
        for row in NUMBERS:
            object.__setattr__(self, row.name, number(row, getattr(self, row.name)))
        if self.temperature < COLDEST:
            object.__setattr__(self, "temperature", 0.0)
        for row in LISTS:
            object.__setattr__(self, row.name, words(row, getattr(self, row.name)))
        if not self.words_to_use:
            object.__setattr__(self, "words_form", 1)
        if not isinstance(self.stop_at_end, bool):
            raise ValueError(f"stop_at_end must be true or false, not {self.stop_at_end!r}.")

    @property
    def draws_from_all(self) -> bool:
        """Return whether every token can be drawn, however unlikely."""
        limits = [row for row in ROWS if row.limits]
        return self.temperature > 0 and all(
            getattr(self, row.name) == row.neutral for row in limits
        )

    @classmethod
    def from_json(cls, values: Any) -> Settings:
        """Return the settings in a JSON object; unknown keys are refused by name."""
        if not isinstance(values, dict):
            raise ValueError("the settings of a story must be a JSON object.")
        unknown = sorted(values.keys() - {row.name for row in ROWS})
        if unknown:
            raise ValueError(f"there is no setting {unknown[0]!r}.")
        return cls(**dict[str, Any](words_form=1) | values)  # what names no form is older


ROWS = tuple(
    Row(key.name, type(key.default), key.default, **key.metadata) for key in fields(Settings)
)
SHOWN = tuple(row for row in ROWS if row.meaning)  # to people
NUMBERS = tuple(row for row in ROWS if row.high)  # those that have a range
LISTS = tuple(row for row in ROWS if row.kind is tuple)  # of words
NUMBERED = {row.link: row.name for row in NUMBERS if row.link}  # by their numbers in links


def words_in(text: str) -> tuple[str, ...]:
    """Return the words of a text that has commas between them, of any script."""
    return tuple(word.strip() for word in re.split("[,\uff0c\u3001]", text) if word.strip())


def words(row: Row, value: Any) -> tuple[str, ...]:
    """`value` as words: a list of them, or a text with commas between them."""
    given = words_in(value) if isinstance(value, str) else value
    for word in given if isinstance(given, (list, tuple)) else [given]:
        if not is_word(word):
            raise ValueError(
                f"{row.name} must be words of 1 to {WORD_MAX} letters, as a list or as a text "
                f"with commas between them, {instead(word)}."
            )
    if len(given) > WORDS_MAX:
        raise ValueError(f"{row.name} has {len(given)} words; {WORDS_MAX} are the most.")
    return tuple(given)


def is_word(value: Any) -> bool:
    """Return whether a value is text, not blank, and without parts of characters."""
    if not isinstance(value, str) or not value.strip() or len(value) > WORD_MAX:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def number(row: Row, value: Any) -> Any:
    """`value` as a number of the row's kind within its range; sliders send 40.0 for 40."""
    word = "a whole number" if row.kind is int else "a number"
    wanted = f"{row.name} must be {word} from {row.low:,} to {row.high:,}"
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ValueError(f"{wanted}, {instead(value)}.")
    if not (row.low <= value <= row.high) or row.kind(value) != value:  # NaN is in no range
        many = isinstance(value, int) and abs(value) > 1e15
        raise ValueError(f"{wanted}, not {'a number of many digits' if many else value}.")
    return row.kind(value)


def instead(value: Any) -> str:
    """Return the end of a message about a wrong value."""
    return "and nothing was given" if value is None else f"not {str(value)[:50]!r}"
