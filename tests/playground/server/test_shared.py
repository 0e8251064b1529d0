"""What links lead to, over HTTP: the page with its preview, and the picture."""

from __future__ import annotations

import html
import io
import json
import re
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPMessage

import pytest
from PIL import Image

from playground.engine.engine import Engine
from playground.server import shared as shared_module
from playground.server.shared import SharedStories
from playground.stories import preview
from playground.stories.shared_story import SharedStory
from tests.links import link_of

HOSTILE = '"><script>alert(1)</script>'


def get(address: str, **headers: str) -> tuple[int, HTTPMessage, bytes]:
    """Status, headers and body of an answer."""
    asked = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(asked) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def sentence(address: str) -> tuple[int, str]:
    status, _, body = get(address)
    return status, json.loads(body)["detail"]


def test_the_page_of_a_link_says_what_other_sites_show(url: str, engine: Engine) -> None:
    link = link_of(engine.encode(f"The moon {HOSTILE}"))
    status, headers, body = get(f"{url}s/{link}")
    page = body.decode()
    assert status == 200 and headers["content-security-policy"]
    tags = dict(re.findall(r'<meta (?:property|name)="([\w:]+)" content="([^"]*)"', page))
    assert html.unescape(tags["og:title"]).startswith(f"The moon {HOSTILE}")
    assert tags["og:url"] == f"{url}s/{link}"
    assert tags["og:image"] == f"{url}s/{link}/picture.png"
    assert tags["twitter:card"] == "summary_large_image"
    assert html.unescape(tags["og:image:alt"]).startswith("“The moon")
    assert "<script>alert" not in page and page.count("<script") == 2
    assert page.count("og:title") == page.count("<title>") == 1
    # The files of the page are found from there.
    assert '<base href="../">' in page
    status, headers, body = get(tags["og:image"])
    assert (status, headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(body)).size == (1200, 630)


def test_a_damaged_links_page_is_the_page_without_a_preview(url: str) -> None:
    status, _, body = get(f"{url}s/abc")
    assert status == 404
    assert b"start_server.js" in body and b"og:image:alt" not in body


def test_a_picture_is_drawn_once(
    url: str, engine: Engine, shared: SharedStories, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    draw = preview.draw
    monkeypatch.setattr(preview, "draw", lambda story: drawn.append(story) or draw(story))
    address = f"{url}s/{link_of(engine.encode('A bird sang'))}/picture.png"
    with ThreadPoolExecutor(8) as visitors:
        found = list(visitors.map(get, [address] * 8))
    assert {status for status, *_ in found} == {200}
    assert len({body for *_, body in found}) == 1
    # What older links to pictures ask for is not asked for any more.
    assert get(f"{address}?shape=tall&odds=1&title=A&author=Lily")[2] == found[0][2]
    assert len(drawn) == 1
    assert found[0][2] in shared.pictures.values()
    _, headers, _ = get(address)
    assert headers["cache-control"] == "no-cache"
    assert get(address, **{"If-None-Match": headers["etag"]})[0] == 304


def test_too_many_pictures_at_once_are_refused_and_the_cache_keeps_its_bound(
    url: str, engine: Engine, shared: SharedStories, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = shared_module.WAITING_PER_VISITOR
    links = [link_of(engine.encode(f"Story {number}")) for number in range(at_once + 1)]
    addresses = [f"{url}s/{link}/picture.png" for link in links]
    size = len(get(addresses[-1])[2])
    monkeypatch.setattr(shared_module, "CACHE_BYTES", 5 * size // 2)  # for two
    other = f"{url}s/{link_of(engine.encode('One more'))}/picture.png"
    released = threading.Event()
    draw = preview.draw

    def held_back(story: SharedStory) -> bytes:
        released.wait()
        return draw(story)

    monkeypatch.setattr(preview, "draw", held_back)
    with ThreadPoolExecutor(at_once) as visitors:
        answers = [visitors.submit(get, address) for address in addresses[:-1]]
        try:
            while shared.waiting.total() < at_once:
                time.sleep(0.01)
            status, message = sentence(other)
        finally:
            released.set()
        assert status == 429
        assert message.startswith("Too many pictures are being drawn")
        assert [answer.result()[0] for answer in answers] == [200] * at_once
    assert 0 < sum(map(len, shared.pictures.values())) <= 5 * size // 2
    assert not shared.waiting and not shared.drawing
    assert get(addresses[0])[0] == 200


def test_a_link_of_another_tokenizer_is_refused_with_the_models_name(
    url: str, engine: Engine
) -> None:
    def address(tokenizer: str) -> str:
        return f"{url}s/{link_of([464, 390], tokenizer)}"

    foreign = address("0a1b")
    assert get(foreign)[0] == 404  # the page, which says it itself
    status, message = sentence(f"{foreign}/picture.png")
    assert status == 422
    assert message.startswith(
        "This story was written by the model fox, which has another tokenizer"
    )
    for readable in (address(engine.storyteller.tokenizer_fingerprint[:4]), address("0000")):
        assert get(readable)[0] == get(f"{readable}/picture.png")[0] == 200


def test_what_cannot_be_done_is_one_sentence(url: str, engine: Engine) -> None:
    unknown = link_of([900_000])
    for link, part in (("abc", "This link is cut off"), (unknown, "This story holds a token, 900")):
        status, message = sentence(f"{url}s/{link}/picture.png")
        assert status == 422 and message.startswith(part), message


def test_the_page_makes_all_else_itself(url: str, engine: Engine) -> None:
    link = link_of(engine.encode("Once"))
    for path in ("qr.svg", "story.txt", "story.json", "story.epub", "story.pdf"):
        assert get(f"{url}s/{link}/{path}")[0] == 404
    for path in ("story.txt", "picture.png", "book.epub"):
        request = urllib.request.Request(f"{url}{path}", b"{}")
        with pytest.raises(urllib.error.HTTPError, match="40[45]"):
            urllib.request.urlopen(request)


def test_links_lead_where_others_reach_the_page(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = SharedStories({"tiny": engine})
    assert shared.address("abc", "https://x.example/a/") == "https://x.example/a/s/abc"
    monkeypatch.setenv("SPACE_ID", "lily/inkling")
    on_the_hub = "https://huggingface.co/spaces/lily/inkling?story=abc"
    assert shared.address("abc", "https://lily-inkling.hf.space/") == on_the_hub
