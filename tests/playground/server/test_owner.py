"""What only the person who started the app may do: with the key, and not through a proxy."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from playground.publish.page import PublishPage
from playground.server.owner import Owner
from playground.server.proxies import Proxies

POST = {"headers": {"X-Inkling-Publish": "1"}, "json": {"kind": "nothing"}}


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def browser(owner: Owner) -> TestClient:
    routes = PublishPage([Path("models/storyteller")], owner).routes
    app = Proxies(Starlette(routes=routes), "", "", None)
    return TestClient(app, base_url="http://127.0.0.1:7860", follow_redirects=False)


def test_the_key_of_the_printed_address_opens_and_a_cookie_keeps_it(
    browser: TestClient, owner: Owner
) -> None:
    entered = browser.get("/publish", params={"key": owner.key, "a": "1"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/publish?a=1")
    cookie = entered.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", "path=/"):
        assert part in cookie
    page = browser.get("/publish")
    assert page.status_code == 200 and "publish/page.js" in page.text
    assert browser.get("/publish/page.js").status_code == 200
    assert browser.post("/publish/start", **POST).status_code == 422  # it was looked at


@pytest.mark.parametrize("key", [None, "", "x", "%D0%BA", "%FF", "another app's"])
def test_without_the_right_key_everything_is_closed(browser: TestClient, key: str | None) -> None:
    if key is not None:
        entered = browser.get(f"/publish?key={key}")
        assert entered.status_code == 303 and "set-cookie" not in entered.headers
        browser.cookies.set("inkling-key-7860", key)
    answer = browser.get("/publish", headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 403 and 'id="key"' in answer.text
    for path in ("state", "page.js"):
        assert browser.get(f"/publish/{path}").status_code == 403
    for path in ("start", "login"):
        refused = browser.post(f"/publish/{path}", **POST)
        assert refused.status_code == 403
        assert refused.json()["detail"].startswith("This needs the key: open the address")


@pytest.mark.parametrize(
    "added",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "127.0.0.1:7860"},
        {"X-Forwarded-Proto": "http"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 nginx"},
        {"X-Real-IP": "127.0.0.1"},
        {"Origin": "https://story.example"},  # a proxy that adds nothing, and another site too
        {"Host": "story.example"},
    ],
)
def test_what_a_proxy_passed_on_is_refused_with_the_key_too(
    browser: TestClient, owner: Owner, added: dict[str, str]
) -> None:
    browser.get("/publish", params={"key": owner.key})
    for answer in (
        browser.get("/publish", headers=added),
        browser.get("/publish", headers=added, params={"key": owner.key}),
        browser.post("/publish/start", headers=POST["headers"] | added, json=POST["json"]),
    ):
        assert answer.status_code == 403 and "set-cookie" not in answer.headers
        assert "closed behind a proxy" in answer.json()["detail"]
    same = {"Origin": "http://127.0.0.1:7860"}
    assert (
        browser.post("/publish/start", headers=POST["headers"] | same, json={}).status_code == 422
    )
