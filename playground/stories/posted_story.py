"""A story as the page sends it, to be made into a file: what a link holds, at any length.

As JSON:

{"model": fingerprint, "tokenizer": fingerprint, "name": the model's, "runs": [{"settings", "seed",
"begins", "beyond"}, ...], "tokens": [[id, run], ...]}, run -1 for what a person wrote.
"""

from __future__ import annotations

from typing import Any

from playground.sampling import Settings
from playground.stories.permalink import Permalink, Run

TOKENS_MAX = 50_000


def posted_story(values: Any) -> Permalink:
    """Return the story in a JSON value.

    Raises:
        ValueError: it is not a story; the message names the part.
    """
    if not isinstance(values, dict):
        raise ValueError("the story must be a JSON object.")
    runs = tuple(run_of(run) for run in listed(values, "runs"))
    tokens = tuple(token_of(token, len(runs)) for token in listed(values, "tokens"))
    if not 1 <= len(tokens) <= TOKENS_MAX:
        raise ValueError(f"a story has 1 to {TOKENS_MAX:,} tokens, not {len(tokens):,}.")
    model, name, tokenizer = (text(values, key) for key in ("model", "name", "tokenizer"))
    return Permalink(model[:16], name, runs, tokens, tokenizer=tokenizer[:16])


def run_of(values: Any) -> Run:
    """Return how the model wrote a part of a story."""
    if not isinstance(values, dict) or not isinstance(values.get("settings"), dict):
        raise ValueError("each of the story's runs must be a JSON object with settings.")
    settings = Settings.from_json(values["settings"] | {"seed": values.get("seed")})
    return Run(settings, text(values, "begins"), values.get("beyond") is True)


def token_of(values: Any, num_runs: int) -> tuple[int, int]:
    """Return (id, run) of a token."""
    match values:
        case [int() as token_id, int() as run] if -1 <= run < num_runs:
            return token_id, run
    raise ValueError(f"each of the story's tokens must be [id, run], not {str(values)[:50]}.")


def listed(values: dict[str, Any], name: str) -> list[Any]:
    """Return a list of a JSON object."""
    found = values.get(name)
    if not isinstance(found, list):
        raise ValueError(f"the story's {name} must be a list.")
    return found


def text(values: Any, name: str) -> str:
    """Return a text of a JSON object, or "" if it has no such text."""
    found = values.get(name, "") if isinstance(values, dict) else None
    if not isinstance(found, str):
        raise ValueError(f"{name} must be text.")
    return found
