"""Which proxy is believed, and what its word does to a request's address."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from playground.server.network import LOCAL, own_address
from playground.server.proxies import Proxies, checked_root

SAID = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "story.example",
    "X-Forwarded-Prefix": "/inkling/",
}
HERE = "http://127.0.0.1:7860/"


async def answer(request: Request) -> JSONResponse:
    assert request.client is not None
    left = [name for name in request.headers if "forwarded" in name or name == "via"]
    state = request.state
    return JSONResponse([f"{request.base_url}", request.client.host, state.passed_on, left])


def visitor(
    trusted: str = "", root: str = "", names: tuple[str, ...] | None = None, peer: str = "127.0.0.1"
) -> TestClient:
    app = Proxies(Starlette(routes=[Route("/where", answer)]), trusted, checked_root(root), names)
    return TestClient(app, base_url=HERE, client=(peer, 50_000))


@pytest.mark.parametrize(
    ("trusted", "root", "headers", "base", "client"),
    [
        ("", "", {}, HERE, "127.0.0.1"),
        ("", "", SAID, HERE, "127.0.0.1"),  # nobody is believed until somebody is named
        ("10.0.0.0/8", "", SAID, HERE, "127.0.0.1"),
        ("127.0.0.1", "", SAID, "https://story.example/inkling/", "203.0.113.9"),
        ("10.0.0.1, 127.0.0.0/8", "", SAID, "https://story.example/inkling/", "203.0.113.9"),
        ("*", "", SAID, "https://story.example/inkling/", "203.0.113.9"),
        ("127.0.0.1", "", {"Host": "story.example:81"}, "http://story.example:81/", "127.0.0.1"),
        ("127.0.0.1", "", {"X-Forwarded-Host": 'a"><b'}, HERE, "127.0.0.1"),
        ("127.0.0.1", "", {"X-Forwarded-Prefix": "//evil.example"}, HERE, "127.0.0.1"),
        ("", "inkling", {}, f"{HERE}inkling/", "127.0.0.1"),
        ("", "/inkling/", {}, f"{HERE}inkling/", "127.0.0.1"),
        ("", "https://story.example/ink/", SAID, "https://story.example/ink/", "127.0.0.1"),
        ("", "https://story.example", {}, "https://story.example/", "127.0.0.1"),
    ],
)
def test_the_address_is_what_a_named_proxy_says(
    trusted: str, root: str, headers: dict[str, str], base: str, client: str
) -> None:
    answer = visitor(trusted, root).get("/where", headers=headers)
    passed_on = any(name.startswith("X-") for name in headers) or "Host" in headers
    assert answer.json() == [base, client, passed_on, []]


@pytest.mark.parametrize("added", [*SAID, "Forwarded", "Via", "X-Real-IP"])
def test_whatever_a_proxy_adds_is_noticed_and_said_once(
    added: str, capsys: pytest.CaptureFixture[str]
) -> None:
    browser = visitor()
    for _ in range(2):
        assert browser.get("/where", headers={added: "x"}).json()[2] is True
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "--forwarded-allow-ips 127.0.0.1" in message and added.lower() in message


@pytest.mark.parametrize(
    "host", [b"\xff\xfe", b"a b", b"exa\xc3\xa4mple", b"[::1", b"a:b:c", b"a/b", b"x:999999"]
)
@pytest.mark.parametrize("names", [LOCAL, None])
def test_a_host_that_is_none_is_refused(host: bytes, names: tuple[str, ...] | None) -> None:
    refused = visitor(names=names).get("/where", headers=[(b"host", host)])
    assert refused.status_code == 400
    assert refused.json() == {"detail": "The Host header names no host."}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:7860", "[::1]:7860"])
def test_this_machine_answers_to_its_names(host: str) -> None:
    browser = visitor(names=LOCAL)
    assert browser.get("/where", headers={"Host": host}).status_code == 200
    refused = browser.get("/where", headers={"Host": f"evil.example#{host}"[:12]})
    assert refused.status_code == 400
    assert "does not answer as 'evil.example'" in refused.json()["detail"]


@pytest.mark.parametrize("root", ["/a b", "ftp://x/y", "//host/path", "/a?b", "https:///x", "/ä"])
def test_a_root_path_that_is_none_is_refused(root: str) -> None:
    with pytest.raises(ValueError, match="GRADIO_ROOT_PATH is a path such as /inkling"):
        checked_root(root)


def test_who_asks_by_this_machines_name_gets_the_address_for_others() -> None:
    def address(url: str, public: str | None) -> str:
        scope = {"type": "http", "path": "/", "query_string": b"", "headers": []}
        scheme, rest = url.split("://")
        server = (rest.strip("/").split(":")[0], 443 if scheme == "https" else 80)
        return own_address(Request({**scope, "scheme": scheme, "server": server}), public)

    lan, tunnel = "http://192.168.1.5:7860/", "https://abc.gradio.live/"
    assert address("http://127.0.0.1/", None) == "http://127.0.0.1/"
    assert address("http://localhost/", lan) == lan
    assert address("https://story.example/", lan) == "https://story.example/"
    assert address("http://abc.gradio.live/", tunnel) == tunnel  # TLS ends at the tunnel
