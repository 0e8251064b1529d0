"""The number of updates of a run, and the actions after each of them.

Logging, validation, snapshots and checkpoints depend only on the step, so a resumed run does the
same after the same updates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainer.optim.schedule import level_steps
from trainer.settings.config import Config

SHORTEST_INTERVAL = 200  # updates between validations and checkpoints that the run chooses itself


@dataclass(frozen=True)
class Due:
    """The actions after one update.

    Attributes:
        ends: end the run.
        logs: log a line of metrics.
        validates: compute the validation loss and samples.
        snapshots: save a snapshot of the model.
        saves: save a checkpoint; a new best model and a stop also save one.
    """

    ends: bool
    logs: bool
    validates: bool
    snapshots: bool
    saves: bool

    @property
    def reports(self) -> bool:
        """Return whether the loss or the weights of this update are used and must be finite."""
        return self.logs or self.validates or self.snapshots


@dataclass(frozen=True)
class Steps:
    """Counts of updates.

    Attributes:
        total: of the run.
        log_every, validate_every, save_every: between two lines, validations, checkpoints.
        snapshots: after which a snapshot is saved.
        level_end: before a `wsd` run's learning rate falls; an extended run resumes from there.
    """

    total: int
    log_every: int
    validate_every: int
    save_every: int
    snapshots: frozenset[int] = frozenset()
    level_end: int | None = None

    def due(self, step: int) -> Due:
        """Return the actions after update `step`, counted from 1."""
        ends = step == self.total
        return Due(
            ends=ends,
            logs=ends or step % self.log_every == 0,
            validates=ends or step % self.validate_every == 0,
            snapshots=step in self.snapshots,
            saves=ends or step == self.level_end or step % self.save_every == 0,
        )


def steps_of(config: Config, num_blocks: int) -> Steps:
    """Return the steps of a run with these settings, on a corpus of `num_blocks` blocks."""
    run, optim = config.run, config.optim
    total = optim.steps or max(1, math.floor(optim.epochs * num_blocks / optim.global_batch))
    hundredth = max(SHORTEST_INTERVAL, total // 100)
    return Steps(
        total,
        run.log_every,
        run.validate_every or hundredth,
        run.save_every or hundredth,
        frozenset(snapshot_steps(total, run.snapshots)),
        level_steps(optim, total) if optim.schedule == "wsd" else None,
    )


def snapshot_steps(num_steps: int, count: int) -> list[int]:
    """Return at most `count` steps from 1 to `num_steps`, evenly spaced in their logarithm.

    A single snapshot is at the last step; short runs have fewer, since steps are integers.
    """
    if count == 1:
        return [num_steps]
    return sorted({round(num_steps ** (index / (count - 1))) for index in range(count)})
