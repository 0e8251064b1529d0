"""A tiny model behind the endpoints, and its page, served: once for all tests, which only ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client

import app  # noqa: F401, first: it sets what Gradio reads when it is imported
from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.publish.page import PublishPage
from playground.server import site, write
from playground.server.owner import Owner
from playground.server.shared import SharedStories

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that ask the served page are not part of `make check`."""
    for item in items:
        if item.path.is_relative_to(HERE) and "url" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def engine(tiny: ModelFolder) -> Iterator[Engine]:
    """The engine behind the page."""
    with Engine(tiny) as engine:
        yield engine


@pytest.fixture(scope="session")
def shared(engine: Engine) -> SharedStories:
    """What links lead to on the page."""
    return SharedStories({"tiny": engine})


@pytest.fixture(scope="session")
def url(engine: Engine, shared: SharedStories) -> Iterator[str]:
    """The address of the page."""
    engines = {"tiny": engine}
    page, calls = write.build(engines)
    url, _ = site.launch(page, write.start(engines), [calls, *shared.routes])
    yield url
    page.close(verbose=False)


@pytest.fixture(scope="session")
def owner() -> Owner:
    """Who may publish from the page behind a proxy, if anybody could."""
    return Owner()


@pytest.fixture(scope="session")
def proxied(engine: Engine, shared: SharedStories, owner: Owner) -> Iterator[str]:
    """The address of a page that has the owner's pages and trusts a proxy on this machine."""
    engines = {"tiny": engine}
    page, calls = write.build(engines)
    routes = [calls, *shared.routes, *PublishPage([engine.storyteller.folder], owner).routes]
    url, _ = site.launch(page, write.start(engines), routes, owner=owner, trusted="127.0.0.1")
    yield url
    page.close(verbose=False)


@pytest.fixture(scope="session")
def client(url: str) -> Client:
    """Gradio's own client."""
    return Client(url, verbose=False)
