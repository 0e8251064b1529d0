"""The core's answer about a next token."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Answer(NamedTuple):
    """The fields of `struct Answer` (core/core.h), which describes them."""

    id: int
    rank: int
    probability: float
    chosen: float
    log_total: float
    entropy: float
    num_alternatives: int
    reserved: int
    alternative: np.ndarray
    alternative_probability: np.ndarray
