"""The settings of a story as parameters of an endpoint, from their table.

Gradio reads an endpoint's parameters from its signature, and their descriptions from its docstring:
both are made here, so that a setting is written once.
"""

import inspect
import secrets
from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any

from playground.sampling import LISTS, NUMBERS, SEED_END, SHOWN, Row

Parameter = inspect.Parameter


def with_settings(endpoint: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    """Return `endpoint(self, prompt, settings, model, ..., request)` as a method with a parameter
    for each setting, in the order (prompt, the four settings that come first on the page, model,
    all other settings, the endpoint's other parameters)."""
    first = [parameter(row) for row in SHOWN if row.first or row.name == "seed"]
    others = [parameter(row) for row in SHOWN if not (row.first or row.name == "seed")]
    own = inspect.signature(endpoint)
    self, prompt, _, model, *more, request = own.parameters.values()
    returned = own.return_annotation
    taken = [self, prompt, *first, model, *others, *more, request]
    signature = inspect.Signature(taken, return_annotation=returned)

    @wraps(endpoint)
    async def with_values(*positional: Any, **named: Any) -> AsyncIterator[Any]:
        bound = signature.bind(*positional, **named)
        bound.apply_defaults()
        values = dict(bound.arguments)
        settings = {row.name: values.pop(row.name) for row in SHOWN}
        if settings["seed"] is None:
            settings["seed"] = secrets.randbelow(SEED_END)
        settings |= {row.name: () for row in LISTS if settings[row.name] is None}
        async for text in endpoint(**values, settings=settings):
            yield text

    described: Any = with_values
    described.__signature__ = signature
    described.__annotations__ = {each.name: each.annotation for each in taken[1:]}
    lines = [inspect.cleandoc(endpoint.__doc__ or ""), *map(line, SHOWN)]
    described.__doc__ = "\n".join(lines)
    return with_values


def parameter(row: Row) -> Parameter:
    """Return a setting as an endpoint's parameter; JSON has lists, and None for "a new seed"."""
    annotation: Any = list[str] | str | None if row.kind is tuple else row.kind
    default = None if row.kind is tuple else row.default
    if row.name == "seed":
        annotation, default = int | None, None
    return Parameter(
        row.name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation
    )


def line(row: Row) -> str:
    """Return a setting's line in the docstring."""
    about = f"    {row.name}: {row.meaning}"
    if row in NUMBERS:
        about += f"; {row.low:,} to {row.high:,}"
    return about + ("; none for a new one each time." if row.name == "seed" else ".")
