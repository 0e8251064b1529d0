"""The same run on one process and on two, plain and under DeepSpeed, and from one to the other.

Real processes: gloo joins them, DeepSpeed runs ZeRO on CPU.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.processes import Program, free_port, ranks
from trainer.distributed.runtime import check_installed, choose_dtype, split_batch

WORKER = Path(__file__).with_name("runtime_worker.py")
BIN = Path(sys.executable).parent
COMPILING = 800  # seconds for half a minute's work, on a machine that has much other work


def run(
    folder: Path, *, steps: int = 8, processes: int = 1, **changes: object
) -> list[dict[str, float]]:
    """Updates of the worker up to `steps`; the lines its main process wrote, one a step."""
    words = [WORKER, folder, steps, json.dumps(changes)]
    log = folder.with_name("output.txt")
    started = [Program(words, log, env) for env in ranks(processes)]
    assert [process.wait(COMPILING) for process in started] == [0] * processes, started[0].output()[
        -3000:
    ]
    return lines_of(folder, steps)


def lines_of(folder: Path, steps: int) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "lines.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == steps
    return lines


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    return run(tmp_path_factory.mktemp("reference"))


def assert_same(lines: list[dict[str, float]], reference: list[dict[str, float]]) -> None:
    assert [line["step"] for line in lines] == [line["step"] for line in reference]
    for line, wanted in zip(lines, reference, strict=True):
        assert line["rate"] == wanted["rate"]
        assert line["nats"] == pytest.approx(wanted["nats"], abs=1e-5)
        assert line["norm"] == pytest.approx(wanted["norm"], rel=1e-5)


@pytest.mark.process
def test_the_loss_falls(reference: list[dict[str, float]]) -> None:
    assert reference[-1]["nats"] < reference[0]["nats"] - 0.5


@pytest.fixture(scope="module", params=[1, 2, 3], ids=lambda stage: f"zero-{stage}")
def zero(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    compiled_deepspeed: None,
) -> str:
    """A DeepSpeed file of each stage. ZeRO-3 keeps every weight in parts, even the small ones that
    it would leave whole."""
    stage = request.param
    settings = {"stage": stage} | ({"stage3_param_persistence_threshold": 0} if stage == 3 else {})
    file = tmp_path_factory.mktemp("deepspeed") / f"zero-{stage}.json"
    file.write_text(json.dumps({"zero_optimization": settings, "gradient_clipping": 99.0}))
    return str(file)


@pytest.mark.process
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("compiled_deepspeed")
def test_a_compiled_run_under_deepspeed_is_the_same_run(tmp_path: Path) -> None:
    """Past the third update, from which DeepSpeed's throughput timer would run in compiled code;
    of one layer, which compiles in half the time."""
    lines = run(tmp_path / "compiled", num_layers=1, deepspeed="on", compile="on")
    assert len(lines) == 8
    assert_same(lines, run(tmp_path / "plain", num_layers=1))


@pytest.mark.process
def test_accumulation_is_the_same_run(reference: list, tmp_path: Path) -> None:
    assert_same(run(tmp_path, micro_batch=1), reference)


@pytest.mark.process
def test_two_processes_of_torchrun_are_the_same_run(reference: list, tmp_path: Path) -> None:
    """With the master's address, so that nothing here depends on finding this machine's name."""
    done = subprocess.run(
        [
            *(str(BIN / "torchrun"), "--nproc_per_node", "2", "--master_addr", "127.0.0.1"),
            *("--master_port", str(free_port()), str(WORKER), str(tmp_path), "8"),
            '{"micro_batch": 1}',
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert_same(lines_of(tmp_path, 8), reference)


@pytest.mark.process
def test_every_stage_on_two_processes_is_the_same_run(
    reference: list, zero: str, tmp_path: Path
) -> None:
    lines = run(tmp_path, processes=2, micro_batch=1, deepspeed="on", deepspeed_config=zero)
    assert_same(lines, reference)


@pytest.fixture(scope="module", params=["muon", pytest.param("lion", marks=pytest.mark.soak)])
def kind(request: pytest.FixtureRequest) -> str:
    """An optimizer besides AdamW."""
    return str(request.param)


@pytest.fixture(scope="module")
def kind_reference(kind: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    return run(tmp_path_factory.mktemp(kind), optimizer=kind)


@pytest.mark.process
def test_another_kind_is_another_optimizer(reference: list, kind_reference: list) -> None:
    assert kind_reference[0]["nats"] == reference[0]["nats"]
    assert abs(kind_reference[-1]["nats"] - reference[-1]["nats"]) > 1e-2


@pytest.fixture(scope="module")
def begun(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain run that stopped after three updates."""
    folder = tmp_path_factory.mktemp("begun") / "run"
    run(folder, steps=3, optimizer=kind)
    return folder


@pytest.mark.process
def test_a_run_goes_from_plain_to_every_stage_on_two_processes_and_back(
    kind: str, begun: Path, kind_reference: list, zero: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(begun, folder)
    run(folder, steps=6, processes=2, optimizer=kind, deepspeed="on", deepspeed_config=zero)
    assert_same(run(folder, optimizer=kind), kind_reference)


@pytest.mark.process
def test_a_resumed_run_is_bit_identical_with_dropout(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    lines = run(whole, dropout=0.1)
    run(parts, steps=5, dropout=0.1)
    assert run(parts, dropout=0.1) == lines
    name = "step-00000008/weights.safetensors"
    assert (whole / name).read_bytes() == (parts / name).read_bytes()


@pytest.mark.parametrize(
    ("batch", "processes", "wanted", "most", "split"),
    [(64, 1, 0, 16, (16, 4)), (64, 2, 8, 16, (8, 4)), (6, 2, 0, 2, (1, 3)), (4, 4, 0, 99, (1, 1))],
)
def test_the_batch_splits(
    batch: int, processes: int, wanted: int, most: int, split: tuple[int, int]
) -> None:
    assert split_batch(batch, processes, wanted, most=most) == split


def test_a_batch_that_does_not_split_is_reported() -> None:
    with pytest.raises(ValueError, match=r"optim\.global_batch \(5\) does not split over 2"):
        split_batch(5, 2, 0, most=8)
    with pytest.raises(ValueError, match=r"runtime\.micro_batch \(3\) must divide the 4 blocks"):
        split_batch(8, 2, 3, most=8)


def test_a_tracker_that_is_not_installed_is_reported_with_the_command() -> None:
    check_installed(["tensorboard"])
    with pytest.raises(ValueError, match="no_tracker, which is not installed: pip install no_tr"):
        check_installed(["tensorboard", "no_tracker"])


def test_precision_is_what_the_setting_says() -> None:
    assert choose_dtype("fp32", torch.device("cpu")) == torch.float32
    assert choose_dtype("bf16", torch.device("cpu")) == torch.bfloat16
