"""The record of a story: every token with the random number that chose it and its alternatives.

The colours, branches, replay and comparison all show this record. Its JSON form is stable: `schema`
number, model fingerprint, settings, prompt and tokens.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from playground.sampling import Settings

SCHEMA = 2


class Alternative(NamedTuple):
    """An alternative token, with the model's own probability."""

    token_id: int
    text: str
    probability: float


@dataclass(frozen=True)
class Token:
    """One token of a story.

    Attributes:
        token_id: its id.
        text: the text that it adds; "" while a character of several bytes is incomplete, and for
            the end token.
        draw: the uniform random number that chose it; None if a person typed it.
        probability: the model's own.
        chosen_probability: after the settings; 1 if a person typed it.
        rank: 0 for the model's most likely token.
        entropy: of the model's own distribution, in nats.
        alternatives: the model's ten most likely tokens.
    """

    token_id: int
    text: str
    draw: float | None
    probability: float
    chosen_probability: float
    rank: int
    entropy: float
    alternatives: tuple[Alternative, ...]

    @property
    def surprise(self) -> float:
        """Return the surprisal, -log of the model's own probability, in nats."""
        return -math.log(max(self.probability, 1e-12))

    def to_values(self) -> dict[str, Any]:
        """Return the token as JSON values; a named tuple would become a list without names."""
        return vars(self) | {"alternatives": [other._asdict() for other in self.alternatives]}


@dataclass(frozen=True)
class Story:
    """A prompt and the tokens after it.

    Attributes:
        model: fingerprint of the model that wrote it.
        ended: whether the model chose the end token.
        begins_with: the typed start of the first word after the prompt, which the first tokens must
            spell (token healing).
    """

    model: str
    settings: Settings
    prompt: str
    prompt_ids: tuple[int, ...]
    tokens: tuple[Token, ...] = ()
    ended: bool = False
    begins_with: str = ""
    schema: int = SCHEMA

    @property
    def text(self) -> str:
        """Return the prompt and its continuation."""
        return self.prompt + "".join(token.text for token in self.tokens)

    def to_json(self) -> str:
        """Return the record as JSON text."""
        return json.dumps(self.to_values(), ensure_ascii=False)

    def to_values(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        settings, tokens = asdict(self.settings), [token.to_values() for token in self.tokens]
        return vars(self) | {"settings": settings, "tokens": tokens}

    @classmethod
    def from_json(cls, text: str) -> Story:
        """Return the record in a JSON text.

        Raises:
            ValueError: the text is not a record; the message names the wrong part.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"the story is not JSON: {error}.") from None
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Any) -> Story:
        """Return the record in JSON values; raises as `from_json` does."""
        if not isinstance(values, dict) or values.get("schema") not in (1, SCHEMA):
            raise ValueError(
                f"the story's schema is not 1 or {SCHEMA}: this version cannot read it."
            )
        try:
            return cls(
                model=checked(values["model"], str, "model"),
                settings=Settings.from_json(values["settings"]),
                prompt=checked(values["prompt"], str, "prompt"),
                prompt_ids=tuple(count(number, "prompt_ids") for number in values["prompt_ids"]),
                tokens=tuple(read_token(token) for token in values["tokens"]),
                ended=checked(values["ended"], bool, "ended"),
                begins_with=checked(values.get("begins_with", ""), str, "begins_with"),
            )
        except KeyError as error:
            raise ValueError(f"the story has no {error}.") from None
        except TypeError:
            raise ValueError("a part of the story has the wrong type.") from None


def read_token(values: dict[str, Any]) -> Token:
    """Return one token of a record."""
    alternatives = tuple(
        Alternative(
            count(other["token_id"], "token_id"),
            checked(other["text"], str, "text"),
            checked_number(other["probability"], "probability"),
        )
        for other in values["alternatives"]
    )
    draw = values["dice"] if "dice" in values else values["draw"]  # its name in schema 1
    return Token(
        token_id=count(values["token_id"], "token_id"),
        text=checked(values["text"], str, "text"),
        draw=None if draw is None else checked_number(draw, "draw"),
        probability=checked_number(values["probability"], "probability"),
        chosen_probability=checked_number(values["chosen_probability"], "chosen_probability"),
        rank=count(values["rank"], "rank"),
        entropy=checked_number(values["entropy"], "entropy", 100.0),
        alternatives=alternatives,
    )


def checked(value: Any, kind: Any, name: str) -> Any:
    """Return the value if it has the type `kind`; else raise ValueError."""
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"the story's {name} cannot be {str(value)[:50]!r}.")
    return value


def count(value: Any, name: str) -> int:
    """Return an id or a rank; ValueError for any other value."""
    return int(checked_number(checked(value, int, name), name, 2**31))


def checked_number(value: Any, name: str, highest: float = 1) -> float:
    """Return a number from 0 to `highest`; ValueError for any other value."""
    if not 0 <= checked(value, (int, float), name) <= highest:  # False for NaN
        raise ValueError(f"the story's {name} must be from 0 to {highest}, not {str(value)[:50]}.")
    return float(value)
