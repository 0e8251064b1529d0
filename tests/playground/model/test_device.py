"""Which device a model computes on, and the sentence where a card cannot be used."""

import pytest
import torch

from playground.model import device


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with one card of compute capability 6.1, under a torch that begins at 7.5."""
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_90a", "sm_120"])
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "GeForce GTX 1080")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (6, 1))
    return monkeypatch


def test_an_old_card_is_passed_over_and_refused_by_name(card: pytest.MonkeyPatch) -> None:
    assert device.choose_device("auto") == torch.device("cpu")
    assert "GTX 1080" in device.introduction(torch.device("cpu"))
    with pytest.raises(ValueError, match="GTX 1080 is too old"):
        device.choose_device("cuda")


def test_a_card_with_kernels_is_taken(card: pytest.MonkeyPatch) -> None:
    card.setattr(torch.cuda, "get_device_capability", lambda *_: (8, 6))
    assert device.choose_device("auto") == torch.device("cuda", 0)
    with pytest.raises(ValueError, match="no device 'cuda:1'"):
        device.choose_device("cuda:1")


def test_on_zerogpu_the_cpu_writes(card: pytest.MonkeyPatch) -> None:
    card.setattr(torch.cuda, "get_device_capability", lambda *_: (9, 0))
    card.setenv("SPACES_ZERO_GPU", "true")
    assert device.choose_device("auto") == torch.device("cpu")
    assert device.introduction(torch.device("cpu")) == "writing on the CPU"


def test_a_driver_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(device.shutil, "which", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "update the NVIDIA driver" in device.introduction(torch.device("cpu"))
