"""Training on a card: the arithmetic asked for, nothing that waits, the same bits again."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.paths import ROOT
from trainer.model.attention import story_mask
from trainer.run.loop import Trainer

from .worker import open_trainer, update

WORKER = Path(__file__).with_name("worker.py")
HAS_DEEPSPEED = importlib.util.find_spec("deepspeed") is not None


def work(folder: Path, last: int, *settings: str, cards: int = 1, **env: str) -> dict[str, Any]:
    """What a worker says after its updates up to `last`."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(cards)]
    done = subprocess.run(
        [sys.executable, *(torchrun if cards > 1 else []), str(WORKER), str(folder), str(last),
         *settings],
        env=os.environ | env, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("compiled", ["on", "off"])
@pytest.mark.parametrize("engine", ["plain", "deepspeed"])
def test_a_run_goes_on_and_its_products_are_bf16(
    engine: str, compiled: str, tmp_path: Path
) -> None:
    if engine == "deepspeed" and not HAS_DEEPSPEED:
        pytest.skip("deepspeed is not installed")
    switch = "on" if engine == "deepspeed" else "off"
    found = work(tmp_path, 8, "--runtime.deepspeed", switch, "--runtime.compile", compiled)
    assert found["engine"] == engine
    assert found["nats"][-1] < found["nats"][0]
    assert found["dtypes"] == ["torch.bfloat16"]
    assert found["allocated"] < 6 * 2**30


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """The default run, compiled and warm."""
    found = open_trainer(tmp_path_factory.mktemp("run"), "--runtime.compile", "on")
    update(found, 0, 5)  # the last of them captured
    return found


def test_no_update_waits_for_the_card(trainer: Trainer) -> None:
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(10, 14):
            trainer.engine.update(trainer.batches.of(step), 1e-3)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert trainer.engine.num_skipped == 0


def test_attention_is_flash_without_a_mask(trainer: Trainer) -> None:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as seen:
        update(trainer, 20, 1)
        torch.cuda.synchronize()
    kernels = " ".join(event.key for event in seen.key_averages())
    assert "flash" in kernels or "cudnn" in kernels, kernels
    assert "fmha_cutlass" not in kernels


def test_the_flash_kernel_stays_inside_a_story(trainer: Trainer) -> None:
    """Its bounds against the mask that a CPU takes, in bf16."""
    story = trainer.model.document_masking
    assert story is not None
    inputs = trainer.batches.of(25)[0, :4, :-1]
    decoder = trainer.model.decoder.base_model
    assert decoder.config._attn_implementation == "story"
    found = []
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
        found.append(
            decoder(inputs, use_cache=False, **story.arguments(inputs, decoder)).last_hidden_state
        )
        begins = inputs == story.end_of_text
        decoder.set_attn_implementation("sdpa")
        mask = story_mask(begins)
        found.append(decoder(inputs, use_cache=False, attention_mask=mask).last_hidden_state)
        decoder.set_attn_implementation("story")
    torch.testing.assert_close(*found, rtol=0.05, atol=0.05)


def test_memory_is_what_the_documents_say(trainer: Trainer) -> None:
    torch.cuda.reset_peak_memory_stats()
    update(trainer, 30, 2)
    assert torch.cuda.max_memory_allocated() < 3.2 * 2**30


@pytest.mark.parametrize("compiled", ["on", "off"])
def test_the_same_bits_again_and_resumed(compiled: str, tmp_path: Path) -> None:
    """Both runs have a compiler cache of their own: no kernel may be chosen by the clock."""

    def run(name: str, last: int) -> str:
        cache = str(tmp_path / f"cache-{name}")
        settings = ("--runtime.compile", compiled, "--model.dropout", "0.1")
        return work(tmp_path / name, last, *settings, TORCHINDUCTOR_CACHE_DIR=cache)["sha256"]

    whole = run("whole", 12)
    run("parts", 7)
    assert run("parts", 12) == whole


def test_a_card_and_the_cpu_agree_in_fp32(tmp_path: Path) -> None:
    small = (
        *("--model.num_layers", "2", "--model.context", "128", "--optim.global_batch", "8"),
        *("--runtime.compile", "off", "--runtime.precision", "fp32"),
    )
    card = work(tmp_path / "card", 6, *small)
    cpu = work(tmp_path / "cpu", 6, *small, CUDA_VISIBLE_DEVICES="")
    assert (card["device"], cpu["device"]) == ("cuda", "cpu")
    assert card["nats"] == pytest.approx(cpu["nats"], abs=1e-4)


def test_evaluating_on_a_card_gives_the_cpu_s_figure() -> None:
    from trainer.evaluate.likelihood import evaluate
    from trainer.model.load import open_model

    story = "Once upon a time, there was a little dog. He liked to run in the park. The end."
    figures = []
    for device in ("cpu", "cuda"):
        model, tokenizer = open_model(ROOT / "models" / "storyteller", device=device)
        figures.append(evaluate(model, [story] * 3, tokenizer).nats_per_token)
    assert figures[1] == pytest.approx(figures[0], abs=1e-5)


@pytest.mark.parametrize("engine", ["off", "on"])
def test_two_cards_are_the_same_run(engine: str, tmp_path: Path) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("one card")
    if engine == "on" and not HAS_DEEPSPEED:
        pytest.skip("deepspeed is not installed")
    one = work(tmp_path / "one", 6)
    two = work(tmp_path / "two", 6, "--runtime.deepspeed", engine, cards=2)
    assert two["nats"][0] == pytest.approx(one["nats"][0], abs=0.05)  # each card has half a batch
