"""The journal has one line a step, also after a kill; the curve is a picture."""

from pathlib import Path

import pytest

from trainer import journal
from trainer.journal import Journal


def test_a_resumed_journal_drops_what_is_done_again(tmp_path: Path) -> None:
    first = Journal(tmp_path, 10, 0, 64, speaks=True)
    for step in (2, 4, 6):
        first.train(step, 5.0 - step / 10, 1.0, 1e-3)
    first.close()
    with (tmp_path / journal.METRICS).open("a") as file:
        file.write('{"step": 8, "lo')  # torn by a kill
    second = Journal(tmp_path, 10, 4, 64, speaks=True)
    second.train(6, 4.0, 1.0, 1e-3)
    second.close()
    lines = journal.read(tmp_path)
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert lines[-1]["loss"] == 4.0
    assert lines[-1]["tokens_per_second"] > 0


def test_only_the_main_process_writes(tmp_path: Path) -> None:
    silent = Journal(tmp_path, 10, 0, 64, speaks=False)
    silent.train(2, 5.0, 1.0, 1e-3)
    silent.close()
    assert list(tmp_path.iterdir()) == []


def test_the_curve_is_a_png(tmp_path: Path) -> None:
    log = Journal(tmp_path, 4, 0, 64, speaks=True)
    log.train(2, 5.0, 1.0, 1e-3)
    log.validation(2, 4.9, 4.0, "a story")
    log.train(4, 4.5, 1.0, 1e-3)
    log.close()
    journal.main([str(tmp_path), "--plot"])
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_a_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        journal.main([str(tmp_path)])
    assert stop.value.code == 2
    assert f"there is no metrics.jsonl in {tmp_path}" in capsys.readouterr().err
