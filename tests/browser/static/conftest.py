"""The pages of a small model and of the shipped storyteller."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from playground.browser.__main__ import main
from playground.browser.build import page_of, write
from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from tests.browser.actions import fresh_page
from tests.browser.static.site import SHIPPED, opened, served


@pytest.fixture(scope="session")
def tiny(export: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small model that sees 64 tokens."""
    out = tmp_path_factory.mktemp("static") / "page"
    write(page_of(ModelFolder.open(export("tiny"), device="cpu")), out)
    return out


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the shipped storyteller."""
    out = tmp_path_factory.mktemp("static") / "page"
    assert main([str(SHIPPED), str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def address(shipped: Path) -> Iterator[str]:
    with served(shipped) as (url, _):
        yield url


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The shipped storyteller's page, opened and loaded."""
    with fresh_page(browser, 60_000, **getattr(request, "param", {})) as page:
        opened(page, address)
        yield page


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(ModelFolder.open(SHIPPED, device="cpu"), max_streams=8) as opened:
        yield opened
