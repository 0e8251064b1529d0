"""How the page is served, and what is closed."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from playground.engine.engine import Engine
from playground.server import site, write
from playground.server.shared import SharedStories
from tests.playground.server.calls import refusal


def status(request: urllib.request.Request) -> int:
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_page_is_kept_to_itself(url: str) -> None:
    with urllib.request.urlopen(url) as answer:
        headers, page = answer.headers, answer.read().decode()
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert "script-src 'self' 'wasm-unsafe-eval';" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "<title>Inkling" in page
    assert f'content="{url}web/preview.png"' in page
    assert "radio" not in page
    with urllib.request.urlopen(f"{url}web/start.json") as answer:
        start = json.load(answer)
    assert start["models"][0]["name"] == "tiny"
    assert start["record"] is None  # it is the shipped model's, and this is another one


def test_what_the_page_does_not_need_is_closed(url: str, tiny_export: Path) -> None:
    config = urllib.request.urlopen(f"{url}config").read().decode()
    assert str(tiny_export) not in config
    post = {"method": "POST", "data": b"x"}
    assert status(urllib.request.Request(f"{url}gradio_api/upload", **post)) == 404
    assert status(urllib.request.Request(f"{url}monitoring")) == 404
    assert status(urllib.request.Request(f"{url}web/../../app.py")) == 404
    host = urllib.parse.urlsplit(url).netloc
    large = http.client.HTTPConnection(host)
    large.putrequest("POST", "/gradio_api/call/generate")
    large.putheader("Content-Length", str(2**20 + 1))
    large.endheaders()
    assert large.getresponse().status == 413
    large.close()
    for body in ({"data": ["Once"]}, {"data": 5}, [], "x"):
        message = refusal(f"{url}gradio_api/call/generate", body)
        assert "a list of 12 values (prompt, temperature," in message
    stranger = urllib.request.Request(url, headers={"Host": "evil.example"})
    assert status(stranger) == 400


@pytest.mark.parametrize(
    "name", ["start_server.js", "style/base.css", "text.json", "sampling/core.wasm"]
)
def test_an_update_is_never_mixed_with_an_old_page(url: str, name: str) -> None:
    """A browser revalidates each file, and gets 304 for one that has not changed."""
    with urllib.request.urlopen(f"{url}web/{name}") as answer:
        assert answer.headers["cache-control"] == "no-cache"
        etag = answer.headers["etag"]
    assert (
        status(urllib.request.Request(f"{url}web/{name}", headers={"If-None-Match": etag})) == 304
    )
    for page in ("", "web/start.json", "s/abc"):
        try:
            headers = urllib.request.urlopen(f"{url}{page}").headers
        except urllib.error.HTTPError as error:
            headers = error.headers
        assert headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(("size", "expected"), [(0, 422), (1, 200), (2**20, 413)])
def test_a_body_in_chunks_is_read_within_the_limit(url: str, size: int, expected: int) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
    body = b"" if not size else b'{"prompt": "Once", "count": 1' + b" " * size + b"}"
    path = "/gradio_api/call/v2/candidates" if size else "/gradio_api/call/candidates"
    parts = [body[k : k + 2**16] for k in range(0, len(body), 2**16)]
    headers = {"Content-Type": "application/json"}
    connection.request("POST", path, iter(parts), headers, encode_chunked=True)
    assert connection.getresponse().status == expected
    connection.close()


@pytest.mark.parametrize(
    ("root", "address"),
    [("inkling", "{url}inkling/"), ("https://story.example/ink", "https://story.example/ink/")],
)
def test_the_page_stands_where_it_is_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, root: str, address: str
) -> None:
    """Below a path that a proxy has taken off, or not."""
    monkeypatch.setenv("GRADIO_ROOT_PATH", root)
    engines = {"tiny": engine}
    page, _ = write.build(engines)
    url, _ = site.launch(page, write.start(engines), SharedStories(engines).routes)
    where = address.format(url=url)
    path = urllib.parse.urlsplit(where).path
    try:
        for base in (url, url.rstrip("/") + path):
            with urllib.request.urlopen(base) as answer:
                assert f'content="{where}web/preview.png"' in answer.read().decode()
            assert urllib.request.urlopen(f"{base}web/start_server.js").status == 200
            with urllib.request.urlopen(f"{base}web/start.json") as answer:
                assert json.load(answer)["address"] == f"{where}s/"
            with urllib.request.urlopen(f"{base}config") as answer:
                assert json.load(answer)["root"] == where.rstrip("/")
    finally:
        page.close(verbose=False)


def test_a_host_of_odd_bytes_is_refused(url: str) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
    connection.putrequest("GET", "/", skip_host=True)
    connection.putheader("Host", b"\xff\xfe")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()
