"""The record of a story: every token with the draw that chose it and what it could have been.

Heat map, branches, replay and comparison are views of this one record. As JSON it is stable: a
`schema` number, the model's fingerprint, the settings, the prompt and the tokens.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from playground.sampling import Settings

SCHEMA = 2


class Alternative(NamedTuple):
    """A token that could have stood here, with the model's own probability."""

    token_id: int
    text: str
    probability: float


@dataclass(frozen=True)
class Token:
    """One token of a story.

    Attributes:
        token_id: its id.
        text: what it adds to the readable text; empty while a letter of several bytes is not whole,
            and for the story's end.
        draw: the uniform number that chose it; None when a person typed it.
        probability: the model's own.
        chosen_probability: after the settings; 1 when a person typed it.
        rank: 0 for the model's likeliest token.
        entropy: of the model's own distribution here, in nats.
        alternatives: the model's ten likeliest tokens here.
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
        """-log of the model's own probability, in nats."""
        return -math.log(max(self.probability, 1e-12))

    def to_values(self) -> dict[str, Any]:
        """The token as plain values; a named tuple would become a nameless list."""
        return vars(self) | {"alternatives": [other._asdict() for other in self.alternatives]}


@dataclass(frozen=True)
class Story:
    """A prompt and the tokens after it.

    Attributes:
        model: fingerprint of the model that wrote it.
        ended: whether the model ended it.
        begins_with: what a person had typed of the first word after the prompt, which the first
            tokens spell.
    """

    model: str
    settings: Settings
    prompt: str
    prompt_ids: tuple[int, ...]
    tokens: tuple[Token, ...]
    ended: bool
    begins_with: str = ""
    schema: int = SCHEMA

    @property
    def text(self) -> str:
        """Prompt and continuation, as they are read."""
        return self.prompt + "".join(token.text for token in self.tokens)

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(self.to_values(), ensure_ascii=False)

    def to_values(self) -> dict[str, Any]:
        """The record as plain values."""
        settings, tokens = asdict(self.settings), [token.to_values() for token in self.tokens]
        return vars(self) | {"settings": settings, "tokens": tokens}

    @classmethod
    def from_json(cls, text: str) -> Story:
        """The record in JSON text.

        Raises:
            ValueError: the text is not such a record; the sentence says where.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"the story is not JSON: {error}.") from None
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Any) -> Story:
        """The record in plain values; ValueError as of `from_json`."""
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
            raise ValueError("a part of the story has the wrong form.") from None


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
    """`value`, if it is of its kind."""
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"the story's {name} cannot be {str(value)[:50]!r}.")
    return value


def count(value: Any, name: str) -> int:
    """An id or a rank."""
    return int(checked_number(checked(value, int, name), name, 2**31))


def checked_number(value: Any, name: str, most: float = 1) -> float:
    """A number from 0 to `most`."""
    if not 0 <= checked(value, (int, float), name) <= most:  # NaN is in no range
        raise ValueError(f"the story's {name} must be from 0 to {most}, not {str(value)[:50]}.")
    return float(value)
