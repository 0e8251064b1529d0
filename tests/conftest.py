"""What several tests share: a tiny model folder, made by transformers like any other export."""

from __future__ import annotations

import gc
import multiprocessing.process
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.compile_caches import use_caches
from tests.exports import make_export

Exporter = Callable[..., Path]
STARTING_PROCESSES = ("process", "browser", "soak", "gpu")
TRAINING = (*STARTING_PROCESSES, "slow")
# The files that take longest, in this order: the last ones of a run are then short.
LONG = (
    *("test_studio.py", "test_machines.py", "test_kill.py", "test_runtime.py"),
    *("test_training.py", "test_foreign_models.py", "test_static_page.py", "test_files.py"),
    *("test_train_end_to_end.py", "test_sharing.py", "test_appearance.py", "test_page.py"),
    *("tests/trainer/test_recipes.py", "test_storyteller.py", "test_looking.py"),
    *("tests/trainer/corpus/test_sources.py", "tests/trainer/test_pretrained.py"),
    *("test_gguf.py", "test_stock.py", "test_golden.py", "test_resume.py", "test_stops.py"),
    *("tests/test_commands.py", "tests/playground/test_recipes.py", "test_teachers.py"),
)


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


gc.disable()  # until all tests are collected: their imports leave little garbage
use_caches()  # in the controller too: workers inherit its environment

# The same examples every time: a failure is then a bug of this change, not of chance.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, so that no worker is left alone with one at the end."""

    def place(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((k for k, name in enumerate(LONG) if path.endswith(f"/{name}")), len(LONG))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """From now on, garbage is collected, without a look at what was imported."""
    gc.freeze()
    gc.enable()


class Forbidden(subprocess.Popen[str]):
    """In place of `subprocess.Popen` where a test must not start a process."""

    def __init__(self, command: object, *_: object, **__: object) -> None:
        raise AssertionError(f"mark this test with `process`: it starts {command}")


def forbidden_training(*_: object) -> None:
    """In place of `Trainer.loop` where a test must not train."""
    raise AssertionError("mark this test with `slow`: it trains a model")


@pytest.fixture(autouse=True)
def only_what_markers_allow(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only tests that say so may start processes or train, so that `make check` stays quick."""

    def is_marked(names: tuple[str, ...]) -> bool:
        return any(request.node.get_closest_marker(name) for name in names)

    if not is_marked(STARTING_PROCESSES):
        monkeypatch.setattr(subprocess, "Popen", Forbidden)
        monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", Forbidden)
    loop = sys.modules.get("trainer.run.loop")
    if loop is not None and not is_marked(TRAINING):
        monkeypatch.setattr(loop.Trainer, "loop", forbidden_training)


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Makes model folders of random weights: `export("name", hidden_size=64)`. With `ends=False`
    its stories do not end by themselves: nothing is like the token that ends them."""

    def make(name: str, **options: Any) -> Path:
        return make_export(tmp_path_factory.mktemp("exports") / name, **options)

    return make


@pytest.fixture(scope="session")
def tiny_export(export: Exporter) -> Path:
    """The smallest model folder: two layers, 32 wide, a context of 64 tokens."""
    return export("tiny")
