"""The metrics have one line per step, also after a kill; the curve is a picture."""

import math
from pathlib import Path
from typing import Any

import pytest

from trainer.metrics import log as metrics
from trainer.metrics.__main__ import main
from trainer.metrics.log import MetricsLog


def start(
    folder: Path, at: int = 0, *, enabled: bool = True, tracked: list[Any] | None = None
) -> MetricsLog:
    """The metrics of a run of 10 steps of 64 tokens, which are 2 bytes and 5 operations each."""
    kept = [] if tracked is None else tracked
    return MetricsLog(
        folder,
        10,
        at,
        64,
        bytes_per_token=2.0,
        flops_per_token=5.0,
        peak=1e6,
        track=lambda *line: kept.append(line),
        enabled=enabled,
    )


def test_a_resumed_run_drops_what_is_done_again(tmp_path: Path) -> None:
    first = start(tmp_path)
    for step in (2, 4, 6):
        first.train(step, 5.0 - step / 10, 1.0, 1e-3)
    first.close()
    with (tmp_path / metrics.METRICS).open("a") as file:
        file.write('{"step": 8, "lo')  # torn by a kill
    second = start(tmp_path, 4)
    second.train(6, 4.0, 1.0, 1e-3)
    second.close()
    lines = metrics.read(tmp_path)
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert lines[-1]["loss"] == 4.0
    assert lines[-1]["tokens_per_second"] > 0


def test_seconds_count_from_the_first_update_and_go_on_after_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(metrics.time, "perf_counter", lambda: now)
    first = start(tmp_path)
    now = 130.0  # it compiles
    first.step()
    now = 132.0
    first.train(2, 5.0, 1.0, 1e-3)
    now = 133.0
    first.validation(2, 5.0, 2.0, [])
    first.train(4, 5.0, 1.0, 1e-3)  # after the newest checkpoint, that of step 2
    now = 1000.0
    second = start(tmp_path, 2)
    now = 1030.0
    second.step()
    now = 1032.5
    second.train(4, 5.0, 1.0, 1e-3)
    assert [line["seconds"] for line in metrics.read(tmp_path)] == [2.0, 3.0, 5.5]


def test_only_the_main_process_writes(tmp_path: Path) -> None:
    tracked: list[Any] = []
    silent = start(tmp_path, enabled=False, tracked=tracked)
    silent.train(2, 5.0, 1.0, 1e-3)
    silent.close()
    assert list(tmp_path.iterdir()) == []
    assert tracked == []


def test_lines_say_bits_a_byte_and_the_share_of_the_peak(tmp_path: Path) -> None:
    log = start(tmp_path)
    log.train(2, 4.0, 1.0, 1e-3)
    log.close()
    (line,) = metrics.read(tmp_path)
    assert line["bits_per_byte"] == pytest.approx(4.0 / math.log(2) / 2.0)
    speed, mfu = line["tokens_per_second"], line["mfu"]
    assert mfu == pytest.approx(speed * 5.0 / 1e6, rel=1e-3, abs=1e-4)


def test_trackers_are_given_each_line_and_the_samples_as_a_text(tmp_path: Path) -> None:
    tracked: list[Any] = []
    log = start(tmp_path, tracked=tracked)
    log.train(2, 4.0, 1.0, 1e-3)
    samples = [{"prompt": "One", "story": "One day."}, {"prompt": "Tom", "story": "Tom sat."}]
    log.validation(2, 3.0, 4.0, samples)
    log.close()
    (train, at), (judged, _) = tracked
    assert (at, train["loss"]) == (2, 4.0)
    assert (judged["validation_loss"], judged["samples"]) == (3.0, "One day.\n\nTom sat.")
    assert metrics.read(tmp_path)[1]["samples"] == samples


def test_a_tracker_that_fails_costs_one_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = start(tmp_path)

    def refuse(*_: Any) -> None:
        raise ConnectionError("no network")

    log.track = refuse
    for step in (2, 4):
        log.train(step, 4.0, 1.0, 1e-3)
    log.close()
    assert capsys.readouterr().err.count("is left out (no network)") == 1
    assert [line["step"] for line in metrics.read(tmp_path)] == [2, 4]


def test_the_curve_is_a_png(tmp_path: Path) -> None:
    log = start(tmp_path)
    log.train(2, 5.0, 1.0, 1e-3)
    log.validation(2, 4.9, 4.0, [{"prompt": "a", "story": "a story"}])
    log.train(4, 4.5, 1.0, 1e-3)
    log.close()
    main([str(tmp_path), "--plot"])
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_a_run_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert f"there is no metrics.jsonl in {tmp_path}" in capsys.readouterr().err
