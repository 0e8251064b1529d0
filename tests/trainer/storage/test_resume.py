"""A changed setting is named with what it was and what it is."""

from trainer.storage.resume import differences


def test_differences_name_the_key() -> None:
    before = {"optim": {"lr": 1.0, "clip": 1.0}}
    after = {"optim": {"lr": 2.0, "clip": 1.0}}
    assert list(differences(before, after)) == ["optim.lr was 1.0 and is now 2.0"]


def test_a_setting_that_came_or_went_is_named_too() -> None:
    before = {"optim": {"lr": 1.0}, "model": {"layers": 2}}
    after = {"optim": {"lr": 1.0, "momentum": 0.9}, "model": {}}
    assert list(differences(before, after)) == [
        "model.layers was 2 and is now None",
        "optim.momentum was None and is now 0.9",
    ]
