"""How often a run validates and saves, where its settings leave it open."""

from trainer.command_line import parse
from trainer.steps import Steps, steps_of


def test_epochs_become_whole_updates() -> None:
    config = parse(["--optim.global_batch", "8", "--optim.epochs", "2.5"])
    assert steps_of(config, 100).total == 31
    assert steps_of(config, 1).total == 1  # at least one


def test_intervals_are_a_hundredth_of_the_run_but_at_least_200() -> None:
    assert steps_of(parse(["--optim.steps", "5000"]), 10) == Steps(5000, 200, 200)
    assert steps_of(parse(["--optim.steps", "50000"]), 10) == Steps(50_000, 500, 500)
    given = parse(["--optim.steps", "9", "--run.validate_every", "3", "--run.save_every", "4"])
    assert steps_of(given, 10) == Steps(9, 3, 4)
