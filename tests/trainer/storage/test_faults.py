"""Whatever interrupts a save and whoever reads afterwards: a good checkpoint is found, or one
message says why not."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from trainer.storage import checkpoint, run_folder
from trainer.storage.atomic import atomic_directory, atomic_file, tidy

from .faults import killed_at, public_folder, second_user
from .test_checkpoint import at


def steps(folder: Path) -> list[int]:
    return [checkpoint.step_of(path) for path in checkpoint.paths(folder)]


def newest_step(folder: Path) -> int:
    found = checkpoint.newest(folder)
    assert found is not None
    return found.step


def test_a_kill_at_every_point_of_a_save_leaves_a_good_checkpoint(tmp_path: Path) -> None:
    """Ten points and more: each change of the file system that a save makes."""
    finished = False
    point = 0
    while not finished:
        folder = tmp_path / f"killed-{point}"
        for step in (1, 2):
            checkpoint.save(folder, at(step), keep=2)
        with killed_at(point) as done:
            checkpoint.save(folder, at(3), keep=2)
            finished = True
        tidy(folder, run_folder.STEPS)
        assert steps(folder) in ([1, 2], [1, 2, 3], [2, 3]), (point, done)
        assert newest_step(folder) == max(steps(folder)), "it is whole"
        checkpoint.save(folder, at(3), keep=2)
        assert sorted(path.name for path in folder.iterdir()) == ["step-00000002", "step-00000003"]
        point += 1
    assert point > 10


def test_a_kill_while_a_checkpoint_is_replaced_leaves_the_old_or_the_new_one(
    tmp_path: Path,
) -> None:
    finished = False
    point = 0
    while not finished:
        folder = tmp_path / f"killed-{point}"
        checkpoint.save(folder, at(3, 9.0), keep=1)
        with killed_at(point) as done:
            checkpoint.save(folder, at(3, 1.0), keep=1)
            finished = True
        tidy(folder, run_folder.STEPS)
        found = checkpoint.newest(folder)
        assert found is not None and found.validation_loss in (9.0, 1.0), (point, done)
        assert [path.name for path in folder.iterdir()] == ["step-00000003"]
        point += 1
    assert point > 10


def test_a_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(file) as partial:
        partial.write_text("ne")
        raise RuntimeError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


def test_what_was_just_written_is_never_pruned(tmp_path: Path) -> None:
    """Not even where checkpoints with higher numbers are left, which are damaged."""
    for step in (40, 50):
        checkpoint.save(tmp_path, at(step, 1.0), keep=2)
        (tmp_path / f"step-000000{step}" / "weights.safetensors").write_bytes(b"damaged")
    checkpoint.save(tmp_path, at(7), keep=1)
    assert steps(tmp_path) == [7]


def of(run: str, step: int) -> checkpoint.Checkpoint:
    state = at(step)
    return checkpoint.Checkpoint(step, state.weights, state.moments, state.identity, None, run)


def test_the_checkpoints_of_another_run_are_not_this_ones(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, of("theirs", 9), keep=1)
    with pytest.raises(ValueError, match=r"no checkpoint in .* \(they belong to another run\)"):
        checkpoint.newest(tmp_path, run="mine")
    for step in (1, 2):
        checkpoint.save(tmp_path, of("mine", step), keep=1)
    found = checkpoint.newest(tmp_path, run="mine")
    assert found is not None and (found.step, found.run) == (2, "mine")
    assert steps(tmp_path) == [2, 9]
    with pytest.raises(ValueError, match="step-00000009 of another run would be overwritten"):
        checkpoint.save(tmp_path, of("mine", 9), keep=1)
    theirs = checkpoint.newest(tmp_path, run="theirs")
    assert theirs is not None and theirs.step == 9


def test_a_checkpoint_that_names_no_run_is_of_any(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, at(5), keep=1)
    found = checkpoint.newest(tmp_path, run="mine")
    assert found is not None and found.step == 5


def test_where_all_are_damaged_the_run_does_not_start_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in (1, 2):
        (checkpoint.save(tmp_path, at(step), keep=2) / "moments.safetensors").unlink()
    with pytest.raises(ValueError, match=r"no checkpoint in .* \(they are damaged\): .*run\.fresh"):
        checkpoint.newest(tmp_path)
    assert capsys.readouterr().err.count("is damaged") == 2
    assert steps(tmp_path) == [1, 2]


@pytest.mark.parametrize("what", ["weights.safetensors", "checkpoint.json", ".", ".."])
def test_what_a_second_user_may_not_read_is_not_called_damaged(
    what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with public_folder() as home:
        folder = home / "checkpoints"
        for step in (1, 2):
            checkpoint.save(folder, at(step), keep=2)
        victim = folder / "step-00000002" / what
        mode = victim.stat().st_mode
        victim.chmod(0)
        try:
            with second_user(), pytest.raises((ValueError, PermissionError)) as error:
                checkpoint.newest(folder)
        finally:
            victim.chmod(mode)
        assert "ermission denied" in str(error.value)
        if isinstance(error.value, ValueError):
            assert re.search(r"no permission to read .*chmod -R a\+rX", str(error.value))
        assert "damaged" not in capsys.readouterr().err
        assert steps(folder) == [1, 2]


def test_a_second_user_reads_what_the_umask_allows() -> None:
    before = os.umask(0o022)
    try:
        with public_folder() as home:
            checkpoint.save(home / "checkpoints", at(1), keep=1)
            files = [path for path in home.rglob("*") if path.is_file()]
            assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
            with second_user():
                assert newest_step(home / "checkpoints") == 1
            os.umask(0o077)
            checkpoint.save(home / "checkpoints", at(2), keep=1)
            files = [path for path in home.rglob("*") if path.is_file()]
            assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    finally:
        os.umask(before)


def test_a_checkpoint_of_a_newer_version_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    checkpoint.save(tmp_path, at(1), keep=1)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="it has format 2 of Inkling .* nothing was changed"):
        checkpoint.newest(tmp_path)


def test_an_old_checkpoint_that_cannot_be_removed_is_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with public_folder() as home:
        checkpoint.save(home, at(1), keep=1)
        old = home / "step-00000001"
        old.chmod(0o555)
        home.chmod(0o777)
        with second_user():
            checkpoint.save(home, at(2), keep=1)
        old.chmod(0o755)
        assert f"warning: the old checkpoint {old} cannot be removed" in capsys.readouterr().err
        assert steps(home) == [1, 2]
        assert (old / "weights.safetensors").is_file()


def test_a_link_to_a_directory_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "export").symlink_to(tmp_path / "disk")
    for content in ("first", "second"):
        with atomic_directory(tmp_path / "export") as partial:
            (partial / "file").write_text(content)
    assert (tmp_path / "export").is_symlink()
    assert (tmp_path / "disk" / "file").read_text() == "second"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "export"]
