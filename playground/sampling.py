"""Logits to a token: the settings of a story, its draws, and the choice.

Draws are counted, not taken in a row: token t of a story uses a uniform number that is a pure
function of (seed, t). The token is the first one at which the cumulative probability, over the
ids from the likeliest to the least likely (equal ones by id), passes that number. So the same seed
tells the same story alone and among others, and the same draws can be used at another temperature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

LENGTH_MAX = 1_000  # tokens
TOP_K_MAX = 200
WORD_MAX = 100  # letters of a banned word
SEED_END = 2**32
RANGES = {  # setting: (type, lowest, highest)
    "temperature": (float, 0.0, 2.0),
    "top_k": (int, 0, TOP_K_MAX),
    "top_p": (float, 0.0, 1.0),
    "min_p": (float, 0.0, 1.0),
    "repetition_penalty": (float, 0.5, 2.0),
    "length": (int, 1, LENGTH_MAX),
    "seed": (int, 0, SEED_END - 1),
}


@dataclass(frozen=True)
class Settings:
    """How a story is told.

    Attributes:
        temperature: 0 takes the likeliest token every time; 1 is the model's own; at most 2.
        top_k: draw from the k likeliest tokens; 0 is all of them.
        top_p: draw from the likeliest tokens that together have this probability (Holtzman et al.
            2020); 1 is all.
        min_p: leave out tokens with less than this share of the likeliest one's probability.
        repetition_penalty: above 1, tokens that were there already become less likely (Keskar et
            al. 2019).
        length: tokens to write, 1 to 1,000.
        seed: of the draws, 0 to 4,294,967,295.
        banned_words: words that are not written, whatever their case and the space before them.
        stop_at_end: end with the story's end, before `length` tokens.

    Raises:
        ValueError: one sentence that names the setting.
    """

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    length: int = 200
    seed: int = 0
    banned_words: tuple[str, ...] = ()
    stop_at_end: bool = True

    def __post_init__(self) -> None:
        for name, (kind, low, high) in RANGES.items():
            object.__setattr__(self, name, number(name, getattr(self, name), kind, low, high))
        words = self.banned_words
        if not isinstance(words, (list, tuple)) or not all(map(is_word, words)):
            raise ValueError(f"banned_words must be a list of words of 1 to {WORD_MAX} letters.")
        if len(words) > 100:
            raise ValueError(f"banned_words has {len(words)} words; 100 are the most.")
        object.__setattr__(self, "banned_words", tuple(words))
        if not isinstance(self.stop_at_end, bool):
            raise ValueError(f"stop_at_end must be true or false, not {self.stop_at_end!r}.")

    @classmethod
    def from_json(cls, values: Any) -> Settings:
        """The settings in a JSON object; unknown keys are refused by name."""
        if not isinstance(values, dict):
            raise ValueError("the settings of a story must be a JSON object.")
        unknown = sorted(values.keys() - {key.name for key in fields(cls)})
        if unknown:
            raise ValueError(f"there is no setting {unknown[0]!r}.")
        return cls(**values)


def is_word(value: Any) -> bool:
    """Whether it can be banned: text that is not blank, of whole characters."""
    if not isinstance(value, str) or not value.strip() or len(value) > WORD_MAX:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def number(name: str, value: Any, kind: type, low: float, high: float) -> Any:
    """`value` as a number of its kind within its range; sliders send 40.0 for 40."""
    word = "a whole number" if kind is int else "a number"
    wanted = f"{name} must be {word} from {low:,} to {high:,}"
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ValueError(f"{wanted}, not {str(value)[:50]!r}.")
    if not (low <= value and value <= high) or kind(value) != value:  # NaN is in no range
        many = isinstance(value, int) and abs(value) > 1e15
        raise ValueError(f"{wanted}, not {'a number of many digits' if many else value}.")
    return kind(value)


def uniform(seed: int, position: int) -> float:
    """The uniform number in [0, 1) of token `position` of a story: SplitMix64 (Steele, Lea and
    Flood 2014) at counter (seed, position), its upper 53 bits."""
    mask = 2**64 - 1
    mixed = (seed * 2**32 + position + 1) * 0x9E3779B97F4A7C15 & mask
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & mask
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & mask
    return ((mixed ^ mixed >> 31) >> 11) / 2**53


def choose(
    logits: np.ndarray, log_rest: float, settings: Settings, draw: float
) -> tuple[int, float] | None:
    """The chosen one among the likeliest ids, and its probability after the settings.

    Args:
        logits: (n,) float64, from the likeliest id down; at least as many as top-k asks for.
        log_rest: log of the sum of exp(logit / temperature) over all other ids; -inf for none.
        settings: how to choose.
        draw: the uniform number, in [0, 1).

    Returns:
        None when the choice may lie among the other ids: ask again with all of them.
    """
    if settings.temperature == 0:
        return 0, 1.0
    scaled = logits / settings.temperature
    if settings.top_k:
        scaled, log_rest = scaled[: settings.top_k], -math.inf
    weights = np.exp(scaled - scaled[0])
    rest = math.exp(min(log_rest - float(scaled[0]), 700.0))
    cumulative = np.cumsum(weights)
    total = float(cumulative[-1]) + rest
    last = len(weights)  # what the limits leave is a prefix
    if settings.top_p < 1:
        last = min(last, int(np.searchsorted(cumulative, settings.top_p * total)) + 1)
    if settings.min_p > 0:
        last = min(last, int(np.count_nonzero(weights >= settings.min_p)))
    if last < len(weights):
        rest, total = 0.0, float(cumulative[last - 1])
    elif rest and (settings.top_p < 1 or settings.min_p > 0):
        return None
    index = int(np.searchsorted(cumulative[:last], draw * total, side="right"))
    if index == last:
        if rest:
            return None
        index = last - 1  # rounding at the very end
    return index, float(weights[index]) / total


def choose_among_all(
    logits: np.ndarray, settings: Settings, draw: float, count: int = 256
) -> tuple[int, float]:
    """The chosen id among all, and its probability: `choose` on logits (vocabulary,) in any
    order."""
    if count < len(logits):
        near = np.argpartition(-logits, count)[:count]
        others = np.ones(len(logits), dtype=bool)
        others[near] = False
        scaled = logits[others] / (settings.temperature or 1.0)
        top = scaled.max()
        log_rest = float(top + np.log(np.exp(scaled - top).sum()))
    else:
        near, log_rest = np.arange(len(logits)), -math.inf
    near = near[np.lexsort((near, -logits[near]))]
    found = choose(logits[near], log_rest, settings, draw)
    if found is None:
        return choose_among_all(logits, settings, draw, len(logits))
    return int(near[found[0]]), found[1]


def penalise(logits: np.ndarray, seen: list[int], penalty: float) -> None:
    """Make the ids that were there already less likely (Keskar et al. 2019, equation 2), in
    place."""
    ids = np.unique(seen)
    values = logits[ids]
    logits[ids] = np.where(values > 0, values / penalty, values * penalty)
