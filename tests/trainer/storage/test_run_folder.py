"""A run touches its own folder only: what somebody else keeps stays as it is."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.storage import run_folder
from trainer.train import main

SETTINGS = ["--preset", "smoke", "--optim.steps", "2", "--run.snapshots", "0"]
SETTINGS += ["--run.validate_blocks", "1", "--run.sample_length", "2"]
SETTINGS += ["--run.evaluate_stories", "1"]


@pytest.mark.parametrize(
    "name", ["export", "checkpoints", "snapshots", "metrics.jsonl", "notes.md"]
)
@pytest.mark.parametrize("fresh", ["true", "false"])
def test_somebody_elses_files_stay(
    name: str,
    fresh: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if "." in name:
        Path(name).write_text("mine")
    else:
        Path(name).mkdir()
        Path(name, "mine.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert main([*SETTINGS, "--run.dir", ".", "--run.fresh", fresh]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: run.dir . is not the folder of a run and is not empty"), (
        message
    )
    assert name in message
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_of_a_run_is_known_by_its_sign(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run_folder.check(folder)  # it is not there yet
    with run_folder.run_lock(folder):
        assert (folder / run_folder.MARKER).is_file()
    (folder / "export").mkdir()
    run_folder.check(folder)
    (folder / run_folder.MARKER).write_text("[1]")
    with pytest.raises(ValueError, match="is not the folder of a run"):
        run_folder.check(folder)


def test_an_empty_folder_and_a_disk_of_its_own_will_do(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".DS_Store").touch()
    run_folder.check(tmp_path)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match="is a file"):
        run_folder.check(file)


def test_a_run_without_the_marker_resumes(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "step-00000003"
    checkpoint.mkdir(parents=True)
    (checkpoint / "checkpoint.json").write_text("{}")
    run_folder.check(tmp_path)
    shutil.rmtree(checkpoint)
    with pytest.raises(ValueError, match="checkpoints"):
        run_folder.check(tmp_path)


def test_starting_over_removes_what_a_run_wrote(tmp_path: Path) -> None:
    run_folder.write_marker(tmp_path)
    for name in ("checkpoints", "snapshots", "export"):
        (tmp_path / name).mkdir()
    (tmp_path / "metrics.jsonl").touch()
    (tmp_path / "notes.md").touch()
    run_folder.clear(tmp_path, "metrics.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.md", "run.json"]


HOLDS = """
import sys, time
from pathlib import Path
from trainer.storage import run_folder

with run_folder.run_lock(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(300)
"""


@pytest.mark.process
def test_two_runs_do_not_share_a_folder(
    tmp_path: Path, stores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    command = [*SETTINGS, "--run.dir", str(folder), "--corpus.folder", str(stores)]
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "holds\n"
        before = sorted(folder.rglob("*"))
        assert main(command) == 2
        message = capsys.readouterr().err
        assert f"error: another process (process {other.pid} on " in message
        assert f") trains in run.dir {folder}: wait until" in message
        assert sorted(folder.rglob("*")) == before
    finally:
        other.kill()  # as a crash: the system gives the lock back
        other.wait()
    assert main(command) == 0
    assert (folder / "export").is_dir()
