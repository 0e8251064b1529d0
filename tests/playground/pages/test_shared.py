"""What links lead to, over HTTP: the page with its preview, the picture, files and books."""

from __future__ import annotations

import html
import io
import json
import re
import threading
import time
import urllib.error
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPMessage
from typing import Any
from urllib.parse import quote

import pytest
import zxingcpp
from PIL import Image

from playground.engine.engine import Engine
from playground.pages import shared as shared_module
from playground.pages.shared import SharedStories
from playground.sampling import Settings
from playground.stories.permalink import Permalink, Run, decode, encode
from playground.stories.posted_story import posted_story
from playground.stories.story import Story

HOSTILE = '"><script>alert(1)</script>'


def link_of(engine: Engine, text: str, length: int = 20, seed: int = 3) -> str:
    """A story that the model went on with, as a link."""
    settings = Settings(length=length, seed=seed, stop_at_end=False)
    with engine.write(text, settings) as stream:
        told = [token.token_id for token in stream]
    tokens = [(one, -1) for one in engine.encode(text)] + [(one, 0) for one in told]
    model = engine.storyteller.fingerprint[:16]
    return encode(Permalink(model, "tiny", (Run(settings),), tuple(tokens)))


def posted_of(engine: Engine, link: str) -> dict[str, Any]:
    """A link's story as the page sends it."""
    found = decode(link)
    runs = [
        {
            "settings": {"temperature": run.settings.temperature, "length": run.settings.length},
            "seed": run.settings.seed,
            "begins": run.begins_with,
            "beyond": run.beyond_end,
        }
        for run in found.runs
    ]
    for run, kept in zip(runs, found.runs, strict=True):
        run["settings"]["stop_at_end"] = kept.settings.stop_at_end
    return {
        "model": engine.storyteller.fingerprint,
        "tokenizer": engine.storyteller.tokenizer_fingerprint[:16],
        "name": found.name,
        "runs": runs,
        "tokens": [list(token) for token in found.tokens],
    }


def get(address: str, data: Any = None) -> tuple[int, HTTPMessage, bytes]:
    """Status, headers and body of an answer."""
    body = None if data is None else json.dumps(data).encode()
    asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def sentence(address: str, data: Any = None) -> tuple[int, str]:
    status, _, body = get(address, data)
    return status, json.loads(body)["detail"]


@pytest.mark.process
def test_the_page_of_a_link_says_what_other_sites_show(url: str, engine: Engine) -> None:
    link = link_of(engine, f"The moon {HOSTILE}")
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
    assert b"start.js" in body and b"og:image:alt" not in body


@pytest.mark.process
def test_a_picture_is_drawn_once(
    url: str, engine: Engine, shared: SharedStories, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    call = shared.process.call
    monkeypatch.setattr(shared.process, "call", lambda *all: drawn.append(all) or call(*all))
    address = f"{url}s/{link_of(engine, 'A bird sang')}/picture.png?shape=tall&odds=1"
    with ThreadPoolExecutor(8) as visitors:
        found = list(visitors.map(get, [address] * 8))
    assert {status for status, *_ in found} == {200}
    assert len({body for *_, body in found}) == 1
    assert get(address)[2] == found[0][2]
    assert len(drawn) == 1
    other = get(f"{address}&title={quote(HOSTILE)}&author=Lily")[2]
    assert other != found[0][2] and len(drawn) == 2
    assert 0 < shared.pictures.size <= shared.pictures.room
    (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(other)))
    assert address.startswith(code.text)


@pytest.mark.process
def test_too_many_pictures_at_once_are_refused_and_the_cache_keeps_its_bound(
    url: str, engine: Engine, shared: SharedStories, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = shared_module.WAITING_PER_VISITOR
    link = link_of(engine, "Once")
    addresses = [f"{url}s/{link}/picture.png?title={k}" for k in range(at_once + 1)]
    size = len(get(addresses[-1])[2])
    monkeypatch.setattr(shared.pictures, "room", 5 * size // 2)  # for two
    released = threading.Event()
    call = shared.process.call

    def held_back(*job: Any) -> Any:
        released.wait()
        return call(*job)

    monkeypatch.setattr(shared.process, "call", held_back)
    with ThreadPoolExecutor(at_once) as visitors:
        answers = [visitors.submit(get, address) for address in addresses[:-1]]
        try:
            while shared.waiting.total() < at_once:
                time.sleep(0.01)
            status, said = sentence(f"{addresses[-1]}&author=Lily")
        finally:
            released.set()
        assert status == 429
        assert said.startswith("Too many pictures and files")
        assert [answer.result()[0] for answer in answers] == [200] * at_once
    assert 0 < shared.pictures.size <= shared.pictures.room
    assert not shared.waiting and not shared.drawing
    assert get(addresses[0])[0] == 200


@pytest.mark.process
def test_every_file_holds_the_story(url: str, engine: Engine) -> None:
    link = link_of(engine, "Tom & his robot <b>", 12)
    base = f"{url}s/{link}/story"
    names = f"?title={quote('Ein Märchen')}&author=Lily"
    for kind, expected in shared_module.KINDS.items():
        status, headers, body = get(f"{base}.{kind}{names}")
        assert (status, headers["content-type"]) == (200, expected), body
        assert "filename*=UTF-8''ein-m%C3%A4rchen." + kind in headers["content-disposition"]
        if kind in ("txt", "md"):
            assert body.decode().startswith(("Ein Märchen\nLily and tiny", "# Ein Märchen\n"))
        if kind == "json":
            record = Story.from_json(body.decode())
            assert record.text.startswith("Tom & his robot <b>")
            assert [token.draw is None for token in record.tokens][-12:] == [False] * 12
            assert json.loads(body)["author"] == "Lily"
        if kind == "html":
            assert b"inkling-reader" in body and b"<b>" not in body
        if kind == "epub":
            assert zipfile.ZipFile(io.BytesIO(body)).testzip() is None
        if kind == "pdf":
            assert body.startswith(b"%PDF")


@pytest.mark.process
def test_stories_make_a_book(url: str, engine: Engine) -> None:
    stories = [
        {"link": f"{url}s/{link_of(engine, f'Story {k}')}", "author": f"Child {k}", "title": ""}
        for k in range(3)
    ]
    asked = {"title": "Ours", "author": "Class 4b", "stories": stories}
    status, headers, body = get(f"{url}book.epub", asked)
    assert status == 200 and "ours.epub" in headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        assert "Child 2 and tiny" in book.read("book/story3.xhtml").decode()
    assert get(f"{url}book.pdf", asked)[2].startswith(b"%PDF")


@pytest.mark.process
def test_a_story_that_no_link_holds_is_saved_in_every_form(url: str, engine: Engine) -> None:
    """510 runs of one token, which a link has no room for, and the same story with a link."""
    link = link_of(engine, "Tom & his robot <b>", 12)
    story = posted_of(engine, link)
    asked = {"story": story, "title": "Ein Märchen", "author": "Lily", "link": link}
    for kind, expected in shared_module.KINDS.items():
        status, headers, body = get(f"{url}story.{kind}", asked)
        assert (status, headers["content-type"]) == (200, expected), body
        assert "filename*=UTF-8''ein-m%C3%A4rchen." + kind in headers["content-disposition"]
        if kind not in ("epub", "pdf"):  # which say when they were made
            names = f"?title={quote('Ein Märchen')}&author=Lily"
            assert get(f"{url}s/{link}/story.{kind}{names}")[2] == body
    ids = [token_id for token_id, _ in decode(link).tokens]
    long = story | {
        "runs": story["runs"] * 510,
        "tokens": [[one, k % 510] for k, one in enumerate(ids * 30)][:510],
    }
    with pytest.raises(ValueError, match="500 runs"):
        encode(posted_story(long))
    asked = {"story": long, "title": "Long", "author": ""}
    words = engine.texts([token_id for token_id, _ in long["tokens"]])
    for kind in ("txt", "json", "html"):
        status, _, body = get(f"{url}story.{kind}", asked)
        assert status == 200 and b"http" not in body.split(b"<footer>")[-1][:200], kind
        if kind == "json":
            assert Story.from_json(body.decode()).text == "".join(words)
    status, headers, body = get(f"{url}picture.png", asked | {"shape": "tall", "odds": True})
    assert (status, headers["content-type"]) == (200, "image/png")
    picture = Image.open(io.BytesIO(body))
    assert picture.size == (1080, 1350) and not zxingcpp.read_barcodes(picture)
    book = {
        "title": "Ours",
        "author": "",
        "stories": [{"story": long, "title": "Long", "author": "Tom"}],
    }
    status, _, body = get(f"{url}book.epub", book)
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(body)) as pages:
        assert "Tom and tiny" in pages.read("book/story1.xhtml").decode()


def test_a_link_of_another_tokenizer_is_refused_with_the_models_name(
    url: str, engine: Engine
) -> None:
    tokens = ((464, -1), (390, -1))
    foreign = encode(Permalink("0" * 16, "fox", (), tokens, (), "0a1b"))
    assert get(f"{url}s/{foreign}")[0] == 404  # the page, which says it itself
    for path in ("story.txt", "story.json", "picture.png"):
        status, said = sentence(f"{url}s/{foreign}/{path}")
        assert status == 422
        assert said.startswith("This story was written by the model fox, which cuts words into")
    own = engine.storyteller.tokenizer_fingerprint[:4]
    status, _, body = get(
        f"{url}s/{encode(Permalink('0' * 16, 'fox', (), tokens, (), own))}/story.txt"
    )
    assert status == 200 and "".join(engine.texts([464, 390])).strip() in body.decode()
    assert get(f"{url}s/{encode(Permalink('0' * 16, 'fox', (), tokens))}/story.txt")[0] == 200


def test_a_code_opens_the_links_address(url: str, engine: Engine) -> None:
    link = link_of(engine, "Once")
    status, headers, body = get(f"{url}s/{link}/qr.svg")
    assert (status, headers["content-type"]) == (200, "image/svg+xml")
    assert body.startswith(b"<svg")
    # The computer's address may be another tomorrow: a browser asks again.
    assert headers["cache-control"] == "no-cache"
    kept = {"If-None-Match": headers["etag"]}
    with pytest.raises(urllib.error.HTTPError, match="304"):
        urllib.request.urlopen(urllib.request.Request(f"{url}s/{link}/qr.svg", headers=kept))


def test_what_cannot_be_done_is_one_sentence(url: str, engine: Engine) -> None:
    link = link_of(engine, "Once")
    unknown = encode(Permalink("0" * 16, "", (), ((900_000, -1),)))
    for address, part in (
        (f"{url}s/abc/picture.png", "This link is cut off"),
        (f"{url}s/abc/qr.svg", "This link is cut off"),
        (f"{url}s/abc/story.txt", "This link is cut off"),
        (f"{url}s/{link}/picture.png?shape=round", "Shape is wide or tall, not 'round'."),
        (f"{url}s/{link}/story.exe", "A story comes as txt, md, json, html, epub, pdf, not"),
        (f"{url}s/{unknown}/story.txt", "This story holds a token, 900000"),
    ):
        status, said = sentence(address)
        assert status == 422 and said.startswith(part), said
    for asked, part in (
        ([], 'A book is a JSON object with "stories"'),
        ({"stories": []}, "A book has 1 to 100 stories, not 0."),
        ({"stories": [{"link": f"{url}s/{link}"}, {"link": "x"}]}, "Story 2: This link is cut"),
        ({"stories": [7]}, "Story 1: title must be text."),
        ({"stories": [{"link": f"{url}s/{link}"}], "title": 7}, "Title must be text."),
    ):
        status, said = sentence(f"{url}book.pdf", asked)
        assert status == 422 and said.startswith(part), said
    good = posted_of(engine, link)
    for asked, part in (
        ([], 'A story is sent as a JSON object with "story"'),
        ({}, "The story must be a JSON object."),
        ({"story": good | {"tokens": "abc"}}, "The story's tokens must be a list."),
        ({"story": good | {"tokens": []}}, "A story has 1 to 50,000 tokens, not 0."),
        (
            {"story": good | {"tokens": [[1, 9]]}},
            "Each of the story's tokens must be [id, run], not",
        ),
        ({"story": good | {"tokens": [[900_000, -1]]}}, "This story holds a token, 900000"),
        ({"story": good | {"runs": [7]}}, "Each of the story's runs must be a JSON object"),
        ({"story": good | {"name": 7}}, "Name must be text."),
        ({"story": good, "title": 7}, "Title must be text."),
    ):
        status, said = sentence(f"{url}story.txt", asked)
        assert status == 422 and said.startswith(part), said
    assert sentence(f"{url}story.exe", {"story": good})[1].startswith("A story comes as txt, md")
    assert sentence(f"{url}picture.png", {"story": good, "shape": 7})[1].startswith("Shape is wide")
    assert sentence(f"{url}book.doc", {})[1].startswith("A book comes as epub or pdf")


def test_links_lead_where_others_reach_the_page(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = SharedStories({"tiny": engine})
    assert shared.address("abc", "https://x.example/a/") == "https://x.example/a/s/abc"
    monkeypatch.setenv("SPACE_ID", "lily/inkling")
    on_the_hub = "https://huggingface.co/spaces/lily/inkling?story=abc"
    assert shared.address("abc", "https://lily-inkling.hf.space/") == on_the_hub
