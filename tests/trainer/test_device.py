"""A card that cannot be used, or a machine that cannot compile, is a sentence and not a crash."""

import os
import re
from pathlib import Path

import pytest
import torch

from tests.processes import Program
from trainer.model import device

ARCHS = ["sm_75", "sm_80", "sm_86", "sm_90a", "sm_120", "compute_120"]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine whose card answers, as far as one asks it; this torch has kernels for ARCHS."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ARCHS)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "GeForce GTX 1080")
    return monkeypatch


@pytest.mark.parametrize(
    ("capability", "usable"), [((6, 1), False), ((7, 0), False), ((7, 5), True), ((12, 0), True)]
)
def test_a_card_without_kernels_is_not_used(
    card: pytest.MonkeyPatch, capability: tuple[int, int], usable: bool
) -> None:
    card.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    assert device.usable_gpu() is usable
    message = device.why_not_used()
    assert message is None if usable else "GTX 1080" in str(message) and "cu126" in str(message)


@pytest.mark.parametrize(("build", "way_out"), [("13.0", "driver"), (None, "pip install torch")])
def test_a_gpu_that_torch_cannot_reach_is_reported(
    monkeypatch: pytest.MonkeyPatch, build: str | None, way_out: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(device.shutil, "which", lambda name: None)
    assert device.why_not_used() is None
    monkeypatch.setattr(device.shutil, "which", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr(torch.version, "cuda", build)
    message = str(device.why_not_used())
    assert way_out in message
    assert ("driver" in message) is (build is not None)


@pytest.mark.parametrize(("has_gpu", "accelerator"), [(False, "cpu"), (True, None)])
def test_deepspeed_does_not_guess_where_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch, has_gpu: bool, accelerator: str | None
) -> None:
    monkeypatch.delenv("DS_ACCELERATOR", raising=False)
    monkeypatch.setattr(device, "usable_gpu", lambda: has_gpu)
    device.set_deepspeed_device()
    assert os.environ.pop("DS_ACCELERATOR", None) == accelerator


def train_without_a_compiler(folder: Path, stores: Path, mode: str) -> Program:
    """A run, until its end, where no compiler can be found and nothing is compiled yet."""
    settings = ["--preset", "smoke", "--optim.steps", "2", "--runtime.compile", mode]
    settings += ["--run.snapshots", "0", "--run.validate_blocks", "1", "--model.hidden", "32"]
    settings += ["--run.dir", str(folder / "run"), "--corpus.folder", str(stores)]
    settings += ["--corpus.tokenizer", "train:300"]
    nowhere = {"PATH": "/nowhere", "CXX": "/nowhere/g++", "TORCHINDUCTOR_CACHE_DIR": str(folder)}
    run = Program(["trainer/train.py", *settings], folder / "output.txt", nowhere)
    run.wait()
    return run


@pytest.mark.process
def test_a_run_that_must_compile_and_cannot_is_refused_in_a_line(
    tmp_path: Path, stores: Path
) -> None:
    run = train_without_a_compiler(tmp_path, stores, "on")
    assert run.poll() == 2, run.output()[-2000:]
    assert "compiling does not work here" in run.output()
    assert "g++" in run.output()
    assert "Traceback" not in run.output()


@pytest.mark.process
def test_compiling_is_found_out_and_a_run_says_where_it_computes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stores: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("InvalidCxxCompiler: no working C++ compiler\nmore\nlines")

    monkeypatch.setattr(torch, "compile", refuse)
    reason = device.why_not_compiled(torch.device("cpu"))
    assert reason == "InvalidCxxCompiler: no working C++ compiler"
    run = train_without_a_compiler(tmp_path, stores, "off")
    assert run.poll() == 0, run.output()[-2000:]
    assert re.search(r"engine +plain on the CPU, \w+, not compiled, 1 process\n", run.output())
