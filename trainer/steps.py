"""How many updates a run has, and how many lie between two validations and two checkpoints."""

from __future__ import annotations

import math
from typing import NamedTuple

from trainer.config import Config

SHORTEST_INTERVAL = 200  # updates between validations and checkpoints that the run chooses itself


class Steps(NamedTuple):
    """Counts of updates.

    Attributes:
        total: all of the run.
        validate_every, save_every: between two validations, and two checkpoints.
    """

    total: int
    validate_every: int
    save_every: int


def steps_of(config: Config, num_blocks: int) -> Steps:
    """What the settings ask for, on a corpus of so many blocks."""
    epochs = config.optim.epochs * num_blocks / config.optim.global_batch
    total = config.optim.steps or max(1, math.floor(epochs))
    hundredth = max(SHORTEST_INTERVAL, total // 100)
    return Steps(total, config.run.validate_every or hundredth, config.run.save_every or hundredth)
