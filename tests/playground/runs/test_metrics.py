"""Metrics are read where it counts: from the end, and by offsets."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

from playground.runs import metrics
from playground.runs.metrics import Tail, curve


def write(file: Path, count: int) -> Path:
    """`count` lines of training, and one of validation after each thousandth."""
    with file.open("w") as stream:
        for step in range(1, count + 1):
            line = {"step": step, "loss": 10 / step, "bits_per_byte": 1.0, "seconds": step / 2}
            line |= {"lr": 0.001, "tokens_per_second": 1000, "mfu": 0.1, "grad_norm": 1.0}
            stream.write(json.dumps(line) + "\n")
            if step % 1000 == 0:
                samples = [{"prompt": "a", "story": "a b " * 300}] * 3
                validation = {"step": step, "validation_loss": 2.0, "samples": samples}
                stream.write(json.dumps(validation) + "\n")
    return file


def test_a_long_file_is_thinned_and_keeps_its_ends(tmp_path: Path) -> None:
    file = write(tmp_path / "metrics.jsonl", 30_000)
    tracemalloc.start()
    found = curve(file, 400, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    steps = found["train"]["step"]
    assert 380 <= len(steps) <= 400
    assert steps[0] == 1 and steps[-1] == 30_000 and steps == sorted(set(steps))
    gaps = [after - before for before, after in zip(steps, steps[1:], strict=False)]
    assert max(gaps) < 3 * 30_000 / 400
    assert found["train"]["tokens"][-1] == 30_000 * 64
    assert found["train"]["loss"][0] == 10.0
    assert len(found["validation"]["step"]) == 30
    assert peak < 3 * 2**20  # of a file of 5 MB: what is kept, and no more


def test_a_short_file_is_whole_and_a_damaged_one_is_shown_as_far_as_it_goes(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "metrics.jsonl", 50)
    assert curve(file, 400, None)["train"]["step"] == list(range(1, 51))
    assert curve(file, 400, None)["train"]["tokens"] == [None] * 50
    content = file.read_bytes().split(b"\n")
    content[9] = b'{"step": 10, "loss": NaN}'
    content[19] = b"\x00" * 100
    file.write_bytes(b"\n".join(content[:-1]) + b'\n{"step": 51, "lo')
    found = curve(file, 400, None)["train"]
    assert found["step"] == [step for step in range(1, 51) if step != 20]
    assert found["loss"][9] is None
    assert Tail(file).train[-1]["step"] == 50
    for empty in (b"", b"\n", b"{}\n", b"\xff" * 1000):
        file.write_bytes(empty)
        assert curve(file, 400, None)["train"]["step"] == []


def test_the_end_is_enough_for_the_list(tmp_path: Path) -> None:
    file = write(tmp_path / "metrics.jsonl", 3_000)
    tail = Tail(file)
    assert tail.train[-1]["step"] == 3_000 and len(tail.lines) < 3_000
    assert tail.validation is not None and tail.validation["step"] == 3_000
    assert tail.seconds_per_step(None) == 0.5
    assert Tail(tmp_path / "none").seconds_per_step(64) is None


def test_a_curve_is_read_again_only_when_its_file_has_changed(tmp_path: Path) -> None:
    file = write(tmp_path / "metrics.jsonl", 50)
    first = curve(file, 400, 64)
    assert curve(file, 400, 64) is first
    with file.open("a") as stream:
        stream.write('{"step": 51, "loss": 1.0}\n')
    assert curve(file, 400, 64)["train"]["step"][-1] == 51
    for points in range(20, 20 + 2 * metrics.CURVES):
        curve(file, points, 64)
    assert metrics.curve_of.cache_info().currsize == metrics.CURVES
