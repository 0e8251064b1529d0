"""A Hub on this machine, and somebody who is logged in there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from tests.playground.publish import hub_server


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[hub_server.Hub]:
    """The Hub; huggingface_hub in this process asks it, logged in as lily."""
    with hub_server.serve() as hub:
        token = tmp_path / "token"
        token.write_text(hub_server.TOKEN)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(token))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield hub


@pytest.fixture
def api(hub: hub_server.Hub) -> HfApi:
    return HfApi(endpoint=hub.url)
