"""Train and Models are documents for the owner alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from playground.runs.endpoints import PAGES, Studio
from playground.server.owner import Owner
from playground.server.proxies import Proxies


@pytest.mark.parametrize("name", PAGES)
def test_a_place_needs_the_key(name: str, tmp_path: Path) -> None:
    owner = Owner()
    routes = Studio(tmp_path, owner, {}, {"models": []}).routes
    app = Proxies(Starlette(routes=routes), "", "", None)
    browser = TestClient(app, base_url="http://127.0.0.1:7860", follow_redirects=False)
    page = browser.get(f"/{name}", headers={"Accept": "text/html"})
    assert page.status_code == 403 and 'id="key"' in page.text
    entered = browser.get(f"/{name}?run=mine&key={owner.key}")
    assert entered.headers["location"] == f"/{name}?run=mine"
    page = browser.get(f"/{name}?run=mine")
    assert page.status_code == 200 and f"web/{name}/{name}.js" in page.text
    assert page.headers["cache-control"] == "no-cache"
    assert browser.post(f"/{name}").status_code == 405
