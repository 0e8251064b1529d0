"""Writing on a card: recorded, like generate, the same alone and in company, few waits per step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from playground.stories.story import Story
from tests.paths import ROOT

MODEL = ROOT / "models" / "storyteller"
ON: dict[str, Any] = {"length": 120, "stop_at_end": False}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(ModelFolder.open(MODEL, device="cuda"), max_streams=64) as opened:
        yield opened


def write(engine: Engine, prompt: str, settings: Settings) -> Story:
    return engine.write(prompt, settings).finish()


def test_steps_are_recorded_also_beside_another_engine(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        Engine(ModelFolder.open(MODEL, device="cuda"), max_streams=8) as first,
        first.write("Once", Settings(**ON)) as stream,
        Engine(ModelFolder.open(MODEL, device="cuda"), max_streams=8) as second,
    ):
        assert len(write(second, "Once", Settings(**ON)).tokens) == 120
        assert sum(1 for _ in stream) == 120
    assert "CUDA graphs are off" not in capsys.readouterr().err


def test_greedy_stories_are_generate_s(engine: Engine) -> None:
    network = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval().cuda()
    for prompt in ("Once upon a time", "Tom had a dog", "The moon was", "Lily and Ben went to"):
        story = write(engine, prompt, Settings(temperature=0, top_k=0, **ON))
        ids = torch.tensor([[engine.storyteller.bos_id, *story.prompt_ids]], device="cuda")
        with torch.inference_mode():
            made = network.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False,
                                    max_new_tokens=120, min_new_tokens=120,
                                    pad_token_id=50256)[0, ids.shape[1] :].tolist()  # fmt: skip
        for token, wanted in zip(story.tokens, made, strict=True):
            if token.token_id != wanted:  # only where two tokens are as good as equal
                first, second = token.alternatives[:2]
                assert first.probability - second.probability < 1e-4
                break


@pytest.mark.parametrize(
    "more", [{}, {"top_k": 0}, {"top_k": 100, "top_p": 0.9}, {"repetition_penalty": 1.2}]
)
def test_a_story_is_the_same_to_the_bit_in_company(engine: Engine, more: dict[str, Any]) -> None:
    settings = Settings(seed=3, **ON, **more)
    alone = write(engine, "Once upon a time", settings).tokens
    others = [
        engine.write("x " * (7 * number + 1), Settings(seed=number, **ON)) for number in range(40)
    ]
    company = write(engine, "Once upon a time", settings).tokens
    for stream in others:
        stream.close()
    assert company == alone


def test_one_story_on_a_card_is_not_slower_than_on_the_cpu(engine: Engine) -> None:
    seconds = []
    with Engine(ModelFolder.open(MODEL, device="cpu"), max_streams=64) as cpu:
        for one in (engine, cpu):
            write(one, "Once", Settings(**ON))
            begin = time.perf_counter()
            write(one, "Once", Settings(**ON))
            seconds.append(time.perf_counter() - begin)
    assert seconds[0] < seconds[1], seconds


def test_a_full_card_is_a_sentence() -> None:
    torch.cuda.empty_cache()
    free = torch.cuda.mem_get_info()[0]
    held = torch.empty(
        free - 40 * 2**20,  # less than the weights
        dtype=torch.uint8,
        device="cuda",
    )
    try:
        with pytest.raises(ValueError, match="--device cpu"):
            Engine(ModelFolder.open(MODEL, device="cuda"))
    finally:
        del held
        torch.cuda.empty_cache()
