"""How many updates a run has, and what follows each of them.

Logging, validating, snapshots and checkpoints all depend on the step alone, so a resumed run does
the same after the same updates. `Steps.due` answers for one update.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainer.optim.schedule import level_steps
from trainer.settings.config import Config

SHORTEST_INTERVAL = 200  # updates between validations and checkpoints that the run chooses itself


@dataclass(frozen=True)
class Due:
    """The actions that follow one update.

    Attributes:
        ends: nothing, it was the last.
        logs: a line of metrics.
        validates: the validation loss and samples.
        snapshots: a snapshot of the model.
        saves: a checkpoint. A new best model and a stop need one too.
    """

    ends: bool
    logs: bool
    validates: bool
    snapshots: bool
    saves: bool

    @property
    def reports(self) -> bool:
        """Return whether a number or the weights of this update will be read: they must be finite.
        """
        return self.logs or self.validates or self.snapshots


@dataclass(frozen=True)
class Steps:
    """Counts of updates.

    Attributes:
        total: all of the run.
        log_every, validate_every, save_every: between two lines, validations, checkpoints.
        snapshots: those with a snapshot after them.
        level_end: the last before a `wsd` run's rate falls; a longer run resumes from there.
    """

    total: int
    log_every: int
    validate_every: int
    save_every: int
    snapshots: frozenset[int] = frozenset()
    level_end: int | None = None

    def due(self, step: int) -> Due:
        """Return what follows update `step`, counted from 1."""
        ends = step == self.total
        return Due(
            ends=ends,
            logs=ends or step % self.log_every == 0,
            validates=ends or step % self.validate_every == 0,
            snapshots=step in self.snapshots,
            saves=ends or step == self.level_end or step % self.save_every == 0,
        )


def steps_of(config: Config, num_blocks: int) -> Steps:
    """Return what the settings ask for, on a corpus of `num_blocks` blocks."""
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

    A single one is the last; short runs have fewer, since steps are whole numbers.
    """
    if count == 1:
        return [num_steps]
    return sorted({round(num_steps ** (index / (count - 1))) for index in range(count)})
