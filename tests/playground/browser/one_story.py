"""A story that Python writes with the core and nothing else: one token at a time, in one slot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from playground.core.library import QUESTION, Chunk, Core, uniform
from playground.sampling import Settings

ALTERNATIVES = 10


def story(
    core: Core, before: list[int], settings: Settings, banned: Callable[[list[int]], np.ndarray]
) -> list[np.void]:
    """Return the core's answers, one for each token that settings choose after the ids `before`.
    The story does not stop at its end, and nothing slides: all must fit into the context.
    `banned`: the ids (int32) that must not come after some ids."""
    for position, token_id in enumerate(before[:-1]):
        core.step([Chunk(0, position, [token_id])], np.zeros(0, QUESTION))
    ids, answers = list(before), []
    for number in range(settings.length):
        question = np.zeros(1, QUESTION)
        for name, value in (
            ("temperature", settings.temperature), ("top_p", settings.top_p),
            ("min_p", settings.min_p), ("repetition_penalty", settings.repetition_penalty),
            ("top_k", settings.top_k), ("draw", uniform(settings.seed, number)), ("known", -1),
            ("alternatives", ALTERNATIVES),
        ):  # fmt: skip
            question[name] = value
        seen, never = np.array(ids, np.int32), banned(ids)
        question["banned"], question["num_banned"] = never.ctypes.data, len(never)
        if settings.repetition_penalty != 1:
            question["seen"], question["num_seen"] = seen.ctypes.data, len(seen)
        answers.append(core.step([Chunk(0, len(ids) - 1, [ids[-1]], range(1))], question)[0].copy())
        ids.append(int(answers[-1]["id"]))
    return answers
