"""What follows each update of a run: intervals that its settings leave open, and what is due."""

import pytest

from trainer.run.steps import Steps, snapshot_steps, steps_of
from trainer.settings.command_line import parse


def test_epochs_become_whole_updates() -> None:
    config = parse(["--optim.global_batch", "8", "--optim.epochs", "2.5"])
    assert steps_of(config, 100).total == 31
    assert steps_of(config, 1).total == 1  # at least one


def test_intervals_are_a_hundredth_of_the_run_but_at_least_200() -> None:
    def intervals(*settings: str) -> tuple[int, int, int]:
        steps = steps_of(parse(list(settings)), 10)
        return steps.total, steps.validate_every, steps.save_every

    assert intervals("--optim.steps", "5000") == (5000, 200, 200)
    assert intervals("--optim.steps", "50000") == (50_000, 500, 500)
    given = ("--optim.steps", "9", "--run.validate_every", "3", "--run.save_every", "4")
    assert intervals(*given) == (9, 3, 4)


def days(steps: Steps, what: str) -> list[int]:
    """The updates after which `what` is due."""
    return [step for step in range(1, steps.total + 1) if getattr(steps.due(step), what)]


def test_the_last_update_brings_everything_but_a_snapshot() -> None:
    steps = Steps(7, log_every=3, validate_every=4, save_every=5, snapshots=frozenset({1, 2}))
    assert days(steps, "ends") == [7]
    assert days(steps, "logs") == [3, 6, 7]
    assert days(steps, "validates") == [4, 7]
    assert days(steps, "saves") == [5, 7]
    assert days(steps, "snapshots") == [1, 2]
    assert days(steps, "reports") == [1, 2, 3, 4, 6, 7]


def test_a_wsd_run_saves_before_its_rate_falls() -> None:
    settings = ["--optim.steps", "20", "--optim.warmup_steps", "3", "--run.save_every", "100"]
    wsd = steps_of(parse([*settings, "--optim.schedule", "wsd"]), 10)
    assert wsd.level_end == 16
    assert days(wsd, "saves") == [16, 20]
    assert days(steps_of(parse([*settings, "--optim.schedule", "cosine"]), 10), "saves") == [20]


@pytest.mark.parametrize(
    ("num_steps", "count", "steps"),
    [
        (10_000, 5, [1, 10, 100, 1_000, 10_000]),
        (1_000, 3, [1, 32, 1_000]),
        (3, 12, [1, 2, 3]),
        (1, 12, [1]),
        (500, 1, [500]),
        (500, 0, []),
    ],
)
def test_steps_are_log_spaced_from_the_first_to_the_last(
    num_steps: int, count: int, steps: list[int]
) -> None:
    assert snapshot_steps(num_steps, count) == steps
