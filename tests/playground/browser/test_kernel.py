"""The page's kernel under wasmtime, against transformers in fp32."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from playground.browser import build_kernel
from playground.browser.pack import pack
from playground.model.folder import ModelFolder
from tests.paths import ROOT
from tests.playground.browser.wasm import KERNEL, Kernel
from tests.playground.conftest import SHAPES

pytestmark = pytest.mark.slow  # models with GPT-2's whole vocabulary
PROMPTS, GREEDY = 10, 100  # prompts of eight tokens, and tokens that follow each
STORIES = 6
SHIPPED = ROOT / "models" / "storyteller"
SAMPLE = ROOT / "trainer" / "corpus" / "sample.jsonl"


@pytest.fixture(scope="module", params=list(SHAPES))
def halves(
    request: pytest.FixtureRequest,
    folder_of: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A model of each shape whose weights are fp16's."""
    out = tmp_path_factory.mktemp("halves") / request.param
    model = AutoModelForCausalLM.from_pretrained(folder_of(request.param), dtype=torch.float16)
    model.save_pretrained(out)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (out / file).write_bytes((folder_of(request.param) / file).read_bytes())
    return out


def reference(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def texts(count: int) -> list[str]:
    with SAMPLE.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in itertools.islice(lines, count)]


@pytest.mark.process
def test_the_committed_kernel_is_what_the_source_compiles_to(tmp_path: Path) -> None:
    if importlib.util.find_spec("ziglang") is None:
        assert os.environ.get("CI") != "true", "CI needs ziglang (pyproject.toml, extra dev)"
        pytest.skip("no ziglang on this machine: pip install -e '.[dev]' brings it")
    build_kernel.build(tmp_path / "kernel.wasm")
    assert (tmp_path / "kernel.wasm").read_bytes() == KERNEL.read_bytes()


def test_logits_are_those_of_transformers(halves: Path) -> None:
    packed = pack(ModelFolder.open(halves, device="cpu"))
    assert packed.is_exact
    kernel = Kernel(packed.content)
    ids = torch.randint(0, 50_257, (60,), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = reference(halves)(ids[None]).logits[0].numpy()
    found = kernel.all_logits(ids.tolist())
    assert np.abs(found - expected).max() < 2e-5 * max(1.0, np.abs(expected).max())
    # A token's numbers depend neither on the columns beside it nor on the slot.
    assert np.array_equal(kernel.all_logits(ids.tolist(), slot=1, at_once=1), found)
    kernel.feed([(int(ids[0]), 1, 0), (int(ids[5]), 0, 0)])
    assert np.array_equal(kernel.logits(0, 1)[0], found[0])


def test_a_slot_borrows_its_beginning(halves: Path) -> None:
    """And gets a copy of it before its owner writes something else there."""
    kernel = Kernel(pack(ModelFolder.open(halves, device="cpu")).content)
    ids = list(range(300, 330))
    expected = kernel.all_logits(ids, at_once=1)
    shared = 20

    def rest() -> np.ndarray:
        found = []
        for position in range(shared, len(ids)):
            kernel.feed([(ids[position], 1, position)])
            found.append(kernel.logits(0, 1)[0])
        return np.stack(found)

    kernel.call("borrow", 0, 1, shared)
    assert np.array_equal(rest(), expected[shared:])
    kernel.all_logits([*ids[:shared], *range(700, 710)])  # the owner goes on otherwise
    assert np.array_equal(rest(), expected[shared:])
    kernel.call("own", 1)
    kernel.all_logits(list(range(900, 930)))
    assert np.array_equal(rest(), expected[shared:])


def test_greedy_tokens_are_those_of_transformers(halves: Path) -> None:
    model, kernel = reference(halves), Kernel(pack(ModelFolder.open(halves, device="cpu")).content)
    draws = torch.Generator().manual_seed(1)
    same = 0
    for _ in range(5):
        prompt = torch.randint(0, 50_257, (8,), generator=draws).tolist()
        same += greedy(kernel, prompt, 50) == greedy_of(model, prompt, 50)
    assert same == 5


def greedy_of(model: Any, prompt: list[int], count: int) -> list[int]:
    """What transformers says, beyond the story's end too."""
    ids = torch.tensor([prompt])
    asked = {"do_sample": False, "max_new_tokens": count, "min_new_tokens": count}
    with torch.inference_mode():
        # The token before a story is the padding's: without a mask it would not be seen.
        found = model.generate(ids, attention_mask=torch.ones_like(ids), eos_token_id=-1, **asked)
    return found[0, len(prompt) :].tolist()


def greedy(kernel: Kernel, prompt: list[int], count: int) -> list[int]:
    found = []
    last = kernel.all_logits(prompt)[-1]
    for position in range(len(prompt), len(prompt) + count):
        found.append(int(last.argmax()))
        kernel.feed([(found[-1], 0, position)])
        last = kernel.logits(0, 1)[0]
    return found


def nats(kernel: Kernel, stories: list[list[int]]) -> float:
    """Per token, of stories whose first token is the one before a story."""
    total, count = 0.0, 0
    for ids in stories:
        logits = kernel.all_logits(ids[:-1]).astype(np.float64)
        peaks = logits.max(1)
        log_total = peaks + np.log(np.exp(logits - peaks[:, None]).sum(1))
        total += float((log_total - logits[np.arange(len(ids) - 1), ids[1:]]).sum())
        count += len(ids) - 1
    return total / count


def test_the_shipped_storyteller_is_the_same_in_fp16_and_nearly_in_int8() -> None:
    model = ModelFolder.open(SHIPPED, device="cpu")
    stories = [[model.start, *model.encode(text)][:200] for text in texts(PROMPTS)]
    network = reference(SHIPPED)
    exact, small = Kernel(pack(model).content), Kernel(pack(model, "int8").content)
    same = 0
    for story in stories[: PROMPTS // 2]:
        expected = greedy_of(network, story[:8], GREEDY)
        found = greedy(exact, story[:8], GREEDY)
        same += sum(one == other for one, other in zip(found, expected, strict=True))
    assert same == PROMPTS // 2 * GREEDY
    few = stories[:STORIES]
    total, count = 0.0, 0
    with torch.inference_mode():
        for story in few:
            ids = torch.tensor(story)
            logits = network(ids[None, :-1]).logits[0].double()
            total += float(torch.nn.functional.cross_entropy(logits, ids[1:], reduction="sum"))
            count += len(ids) - 1
    expected_nats = total / count
    assert nats(exact, few) == pytest.approx(expected_nats, abs=1e-6)
    assert nats(small, few) == pytest.approx(expected_nats, abs=3e-3)


def test_sums_are_those_of_all_ids(halves: Path) -> None:
    kernel = Kernel(pack(ModelFolder.open(halves, device="cpu")).content)
    logits = kernel.all_logits([5, 6, 7, 8])[-1].astype(np.float64)
    kernel.logits(3, 1)
    for temperature in (0.5, 1.0, 2.0):
        peak, total, spread = kernel.sums(0, temperature)
        below = (logits - logits.max()) / temperature
        assert peak == pytest.approx(logits.max())
        assert total == pytest.approx(np.exp(below).sum(), rel=1e-6)
        assert spread == pytest.approx((np.exp(below) * below).sum(), rel=1e-5)
