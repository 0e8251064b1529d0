"""The committed libraries are what the source compiles to."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from playground.core import build

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def compiler() -> None:
    if importlib.util.find_spec("ziglang") is None:
        assert os.environ.get("CI") != "true", "CI needs ziglang (pyproject.toml, extra dev)"
        pytest.skip("no ziglang on this machine: pip install -e '.[dev]' brings it")


def test_the_committed_wasm_is_what_the_source_compiles_to(tmp_path: Path) -> None:
    build.build_wasm(tmp_path / build.WASM)
    assert (tmp_path / build.WASM).read_bytes() == (build.BUILT / build.WASM).read_bytes()


@pytest.mark.parametrize("library", build.LIBRARIES)
def test_a_committed_library_is_what_the_source_compiles_to(library: str, tmp_path: Path) -> None:
    build.build_library(build.LIBRARIES[library], tmp_path / library)
    assert (tmp_path / library).read_bytes() == (build.BUILT / library).read_bytes()


def test_nothing_else_is_committed() -> None:
    names = {file.name for file in build.BUILT.iterdir()}
    assert names == {build.WASM, *build.LIBRARIES}
