"""A run in other places than it began in: moved, behind a link, beside another run, with another
user, on a disk without locks, from a base model that has another path now."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.paths import ROOT
from tests.trainer.small_run import SMALL
from tests.trainer.storage.faults import public_folder, second_user
from trainer.storage import checkpoint, run_folder
from trainer.storage.lock import Lock
from trainer.train import main

STOPPED = ["--run.minutes", "0.00001"]  # after one step, which is saved


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [*SMALL, "--corpus.folder", str(tmp_path_factory.mktemp("stores"))]


def steps(folder: Path) -> list[int]:
    return [checkpoint.step_of(path) for path in checkpoint.paths(folder)]


@pytest.mark.slow
def test_a_run_resumes_in_a_moved_folder_and_through_a_link_and_starts_over_there(
    small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after, disk = tmp_path / "before", tmp_path / "after", tmp_path / "disk"
    command = [*small, "--optim.steps", "3"]
    assert main([*command, *STOPPED, "--run.dir", str(before)]) == 0
    (before / "checkpoints" / "step-00000002.partial").mkdir()  # left by a kill
    before.rename(after)
    (after / "checkpoints").rename(disk)
    (after / "checkpoints").symlink_to(disk)
    capsys.readouterr()
    assert main([*command, *STOPPED, "--run.dir", str(after)]) == 0
    message = capsys.readouterr().err
    assert "resuming after step 1 of 3" in message
    assert sorted(path.name for path in disk.iterdir()) == ["step-00000001", "step-00000002"]

    (disk / "notes.txt").touch()  # somebody's, on the same disk
    run = run_folder.run_of(after)
    assert main([*small, "--optim.steps", "1", "--run.dir", str(after), "--run.fresh", "true"]) == 0
    assert (after / "checkpoints").is_symlink()
    assert sorted(path.name for path in disk.iterdir()) == ["notes.txt", "step-00000001"]
    (left,) = checkpoint.paths(disk)
    assert checkpoint.about(left)["run"] == run_folder.run_of(after) != run
    training = json.loads((after / "export" / "training.json").read_text(encoding="utf-8"))
    assert training["steps"] == 1


def test_starting_over_names_what_cannot_be_removed(tmp_path: Path) -> None:
    with public_folder() as home:
        run = home / "run"
        victim = run / "checkpoints" / "step-00000001"
        victim.mkdir(parents=True)
        (victim / "weights.safetensors").touch()
        run.chmod(0o777)
        victim.chmod(0o555)
        (run / "checkpoints").chmod(0o777)
        try:
            with second_user(), pytest.raises(ValueError, match="fresh cannot remove .*weights"):
                run_folder.clear(run)
        finally:
            victim.chmod(0o755)
        assert (victim / "weights.safetensors").exists()


def test_starting_over_leaves_another_run_alone(tmp_path: Path) -> None:
    run_folder.write_marker(tmp_path)
    state = checkpoint.Checkpoint(5, {}, {}, {}, None, "theirs")
    checkpoint.save(tmp_path / "checkpoints", state, keep=1)
    with pytest.raises(ValueError, match="step-00000005 is a checkpoint of another run"):
        run_folder.clear(tmp_path)
    assert steps(tmp_path / "checkpoints") == [5]


def test_a_link_that_leads_nowhere_is_reported(
    small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoints").symlink_to(tmp_path / "not mounted")
    assert main([*small, "--optim.steps", "1", "--run.dir", str(run)]) == 2
    assert "checkpoints is a link to" in capsys.readouterr().err
    assert not (tmp_path / "not mounted").exists()


def test_checkpoints_without_their_run_keep_its_id(tmp_path: Path) -> None:
    state = checkpoint.Checkpoint(5, {}, {}, {}, None, "moved")
    checkpoint.save(tmp_path / "checkpoints", state, keep=1)
    run_folder.check(tmp_path)
    with run_folder.run_lock(tmp_path):
        assert run_folder.run_of(tmp_path) == "moved"


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_second_user_resumes_or_gets_a_message_and_nothing_changes(
    mode: int, small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checkpoints as older versions wrote them (0600), and in a folder that is not theirs."""
    with public_folder() as home:
        run = home / "run"
        assert main([*small, "--optim.steps", "3", *STOPPED, "--run.dir", str(run)]) == 0
        for path in run.rglob("*"):
            path.chmod(0o777 if path.is_dir() else mode)
        for path in (run, run / "run.json", run / ".run.lock"):
            path.chmod(0o777 if mode == 0o600 else 0o755)
        capsys.readouterr()
        with second_user():
            run_folder.check(run)
            if mode == 0o600:
                with (
                    run_folder.run_lock(run),
                    pytest.raises(ValueError, match="no permission to read"),
                ):
                    checkpoint.newest(run / "checkpoints")
            else:
                with (
                    pytest.raises(ValueError, match=f"no permission to write to {run}"),
                    run_folder.run_lock(run),
                ):
                    pass
        assert steps(run / "checkpoints") == [1]


@pytest.mark.slow
def test_a_japanese_file_name_is_no_obstacle_to_a_pipe_that_lacks_it(
    small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "物語.jsonl"
    shutil.copy(ROOT / "trainer" / "corpus" / "sample.jsonl", file)
    output = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(output, "cp1252"))
    more = ["--corpus.source", str(file), "--run.dir", str(tmp_path / "走る")]
    assert main([*small, *more, "--corpus.tokenizer", "gpt2", "--run.dry_run", "true"]) == 0
    sys.stdout.flush()
    text = output.getvalue().decode("cp1252")
    assert "\\u8d70" in text and "tokens/s" in text


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_will_do(
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with run_folder.run_lock(tmp_path):
        assert (tmp_path / run_folder.MARKER).is_file()
    assert f"note: the disk of {tmp_path} has no locks" in capsys.readouterr().err


def test_who_holds_a_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "node-7")
    monkeypatch.setattr(run_folder, "SECONDS_TO_END", 0.1)
    first = Lock(tmp_path / run_folder.LOCK)
    assert first.acquire(0)
    holder = r"another process \(process \d+ on node-7, since .*\) trains in .*if its machine died"
    with pytest.raises(ValueError, match=holder), run_folder.run_lock(tmp_path):
        pass
    first.release()
    with run_folder.run_lock(tmp_path):
        pass


@pytest.mark.slow
def test_a_base_and_a_teacher_may_have_another_path(
    small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, run = tmp_path / "base", tmp_path / "run"
    assert main([*small, "--optim.steps", "1", "--run.dir", str(base)]) == 0
    command = [*small, "--optim.steps", "3", *STOPPED, "--run.dir", str(run)]
    for name in ("--model.hidden", "--model.intermediate", "--model.context"):
        at = command.index(name)
        del command[at : at + 2]
    export, elsewhere = base / "export", tmp_path / "elsewhere"
    models = ["--model.init_from", str(export), "--model.teachers", str(export)]
    assert main([*command, *models]) == 0
    shutil.copytree(export, elsewhere)
    capsys.readouterr()
    models = ["--model.init_from", str(elsewhere), "--model.teachers", str(elsewhere)]
    assert main([*command, *models]) == 0
    assert "resuming after step 1 of 3" in capsys.readouterr().err
    assert main([*command, "--model.init_from", str(elsewhere)]) == 2
    assert f"model.teachers was {elsewhere} and is now" in capsys.readouterr().err
