"""What several tests share: a tiny model folder, made by transformers like any other export."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.compile_caches import use_caches
from tests.paths import TOKENIZER

Exporter = Callable[..., Path]
SLOW = ("test_kill.py", "test_machines.py", "test_runtime.py")


def keep_to_own_cores() -> None:
    """Give each of several workers cores of its own: threads of two that share a core wait for
    each other at every barrier, and all crawl."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None or not hasattr(os, "sched_setaffinity"):
        return
    cores, count = sorted(os.sched_getaffinity(0)), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    if len(cores) >= count:
        os.sched_setaffinity(0, cores[int(worker.removeprefix("gw")) :: count])


keep_to_own_cores()  # now: PyTorch, which another conftest may import next, counts the cores once


use_caches()  # in the controller too: workers inherit its environment

# The same examples every time: a failure is then a bug of this change, not of chance.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow files first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.path.name not in SLOW)


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Makes model folders of random weights: `export("name", hidden_size=64)`. With `ends=False`
    its stories do not end by themselves: nothing is like the token that ends them."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    def make(name: str, *, ends: bool = True, **sizes: Any) -> Path:
        folder = tmp_path_factory.mktemp("exports") / name
        shape = {
            "vocab_size": 50257,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 64,
            "tie_word_embeddings": True,
            "bos_token_id": 50256,
            "eos_token_id": 50256,
        }
        set_seed(0)
        model = LlamaForCausalLM(LlamaConfig(**(shape | sizes)))
        if not ends:
            torch.nn.init.zeros_(model.get_input_embeddings().weight[50256])
        model.save_pretrained(folder)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(TOKENIZER / file, folder)
        facts = {
            "format": 1,
            "name": name,
            "corpus": {"name": "made-up stories", "stories": 1234, "tokens": 2_500_000},
            "validation": {"perplexity": 12.34, "bits_per_byte": 0.567},
        }
        (folder / "training.json").write_text(json.dumps(facts), encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_export(export: Exporter) -> Path:
    """The smallest model folder: two layers, 32 wide, a context of 64 tokens."""
    return export("tiny")
