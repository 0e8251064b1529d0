"""A tiny model behind the endpoints, and its page, served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client

from playground.engine.engine import Engine
from playground.model.folder import ModelFolder
from playground.pages import site, write


@pytest.fixture(scope="module")
def engine(tiny_export: Path) -> Iterator[Engine]:
    with Engine(ModelFolder.open(tiny_export, device="cpu")) as engine:
        yield engine


@pytest.fixture(scope="module")
def url(engine: Engine) -> Iterator[str]:
    engines = {"tiny": engine}
    page = write.build(engines)
    url, _ = site.launch(page, write.start(engines))
    yield url
    page.close(verbose=False)


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(url, verbose=False)
