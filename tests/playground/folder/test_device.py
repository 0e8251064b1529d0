"""Which device a model computes on, and the sentence where a card cannot be used."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import pytest
import torch

from playground.folder import device


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with a driver that shows one card, and nothing that hides it."""
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(device, "driver_gpus", lambda: 1)
    return monkeypatch


@pytest.fixture
def card(driver: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """One card of compute capability 6.1, under a torch that begins at 7.5."""
    driver.setattr(torch.cuda, "is_available", lambda: True)
    driver.setattr(torch.cuda, "device_count", lambda: 1)
    driver.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_90a", "sm_120"])
    driver.setattr(torch.cuda, "get_device_name", lambda *_: "GeForce GTX 1080")
    driver.setattr(torch.cuda, "get_device_capability", lambda *_: (6, 1))
    return driver


def test_an_old_card_is_passed_over_and_refused_by_name(card: pytest.MonkeyPatch) -> None:
    assert device.choose_device("auto") == "cpu"
    assert "GTX 1080" in device.introduction("cpu", "auto")
    with pytest.raises(ValueError, match="GTX 1080 is too old"):
        device.choose_device("cuda")


def test_a_card_with_kernels_is_taken(card: pytest.MonkeyPatch) -> None:
    card.setattr(torch.cuda, "get_device_capability", lambda *_: (8, 6))
    assert device.choose_device("auto") == device.choose_device("cuda") == "cuda:0"
    assert device.choose_device("cpu") == "cpu"
    assert device.introduction("cuda:0", "auto") == "writing on GeForce GTX 1080"
    for name in ("cuda:1", "cuda:x", "meta"):
        with pytest.raises(ValueError, match=f"no device '{name}' on this machine: use auto, cuda"):
            device.choose_device(name)


def test_on_zerogpu_the_cpu_writes(card: pytest.MonkeyPatch) -> None:
    card.setattr(torch.cuda, "get_device_capability", lambda *_: (9, 0))
    card.setenv("SPACES_ZERO_GPU", "true")
    assert device.choose_device("auto") == "cpu"
    assert device.introduction("cpu", "auto") == "writing on the CPU"


def test_a_driver_that_is_too_old_is_told(driver: pytest.MonkeyPatch) -> None:
    driver.setattr(torch.cuda, "is_available", lambda: False)
    driver.setattr(torch.version, "cuda", "13.0")
    assert device.choose_device("auto") == "cpu"
    assert "update the NVIDIA driver, or pip install torch" in device.introduction("cpu", "auto")
    driver.setattr(torch.version, "cuda", None)  # a CPU build
    message = device.introduction("cpu", "auto")
    assert "pip install torch --index-url" in message and "driver" not in message
    assert device.introduction("cpu", "cpu") == "writing on the CPU"  # as it was asked to


def test_a_card_without_pytorch_is_told(driver: pytest.MonkeyPatch) -> None:
    driver.setitem(sys.modules, "torch", None)
    assert device.choose_device("auto") == "cpu"
    assert "which needs PyTorch: pip install torch" in device.introduction("cpu", "auto")
    with pytest.raises(ValueError, match="'cuda' cannot be used: .*needs PyTorch: pip install"):
        device.choose_device("cuda")


class Driver:
    """A driver's library with two cards, whose calls return some statuses."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)

    def cuInit(self, _: int) -> int:  # noqa: N802, its name
        return self._statuses[0]

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802, its name
        ctypes.cast(count, ctypes.POINTER(ctypes.c_int))[0] = 2
        return self._statuses[1]


@pytest.mark.parametrize(("statuses", "count"), [((0, 0), 2), ((100, 0), 0), ((0, 3), 0)])
def test_the_driver_is_asked_without_pytorch(
    monkeypatch: pytest.MonkeyPatch, statuses: tuple[int, int], count: int
) -> None:
    monkeypatch.setattr(device.ctypes, "CDLL", lambda _: Driver(*statuses))
    assert device.driver_gpus.__wrapped__() == count


def test_a_driver_that_does_not_answer_is_told(driver: pytest.MonkeyPatch) -> None:
    driver.setattr(device, "driver_gpus", lambda: 0)
    driver.setattr(device.shutil, "which", lambda name: "/usr/bin/" + name)
    assert "its driver does not answer: update" in device.introduction("cpu", "auto")
    driver.setenv("CUDA_VISIBLE_DEVICES", "")
    assert device.introduction("cpu", "auto") == "writing on the CPU"
