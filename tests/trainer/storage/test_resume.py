"""A changed setting is named with what it was and what it is."""

from trainer.storage.resume import differences


def test_differences_name_the_key() -> None:
    before = {"optim": {"lr": 1.0, "beta1": 0.9}}
    after = {"optim": {"lr": 2.0, "beta1": 0.9}}
    assert list(differences(before, after)) == ["optim.lr was 1.0 and is now 2.0"]


def test_a_setting_that_came_or_went_is_named_too() -> None:
    before = {"optim": {"lr": 1.0}, "model": {"layers": 2}}
    after = {"optim": {"lr": 1.0, "beta2": 0.9}, "model": {}}
    assert list(differences(before, after)) == [
        "model.layers was 2 and is now None",
        "optim.beta2 was None and is now 0.9",
    ]


def test_a_checkpoint_with_the_old_names_of_settings_resumes() -> None:
    before = {"optim": {"warmup": 0.1, "clip": 1.0}}
    assert list(differences(before, {"optim": {"warmup_ratio": 0.1, "max_grad_norm": 1.0}})) == []
    assert list(differences(before, {"optim": {"warmup_ratio": 0.2, "max_grad_norm": 1.0}})) == [
        "optim.warmup_ratio was 0.1 and is now 0.2"
    ]


def test_a_setting_that_went_to_another_section_goes_along() -> None:
    """As in a checkpoint of version 0.1, where the vocabulary was a matter of [runtime]."""
    before = {"model": {"hidden": 8}, "runtime": {"compact_vocabulary": True, "precision": "fp32"}}
    after = {
        "model": {"hidden": 8, "attention": "block", "init_from": "", "compact_vocabulary": True},
        "runtime": {"precision": "fp32"},
    }
    assert list(differences(before, after)) == []
    after["model"]["compact_vocabulary"] = False
    assert list(differences(before, after)) == [
        "model.compact_vocabulary was True and is now False"
    ]
