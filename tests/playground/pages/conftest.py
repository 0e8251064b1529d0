"""A tiny model behind the endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.engine.engine import Engine
from playground.model.folder import ModelFolder


@pytest.fixture(scope="module")
def engine(tiny_export: Path) -> Iterator[Engine]:
    with Engine(ModelFolder.open(tiny_export, device="cpu")) as engine:
        yield engine
