"""The targets of links to stories: the page with a preview for other sites, and its picture.

    /s/LINK                the page, with the tags of its preview
    /s/LINK/picture.png    the preview's picture

Only pictures are stored, in a cache with a bound. The page makes all other files of a story in the
browser (web/share/files.js).
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from playground.engine.engine import Busy, Engine
from playground.engine.replay import has_tokenizer_of
from playground.page_html import page_html
from playground.sentences import capitalized
from playground.server.network import own_address, space_page
from playground.server.visitors import one_more, visitor
from playground.stories import permalink, preview
from playground.stories.permalink import Permalink, other_tokenizer
from playground.stories.shared_story import SharedStory, in_one_line

CACHE_BYTES = 32 * 2**20  # of pictures: some 500
WAITING_MAX, WAITING_PER_VISITOR = 32, 4  # pictures that are being drawn
HEAD = re.compile(
    r'^ *(?:<title>.*</title>|<meta (?:property="og|name="(?:twitter|description)).*>)\n', re.M
)


class SharedStories:
    """The routes, for several models."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self.engines = engines
        self.public_url: str | None = None  # where others reach this page, with a slash at its end
        self.pictures: dict[str, bytes] = {}  # by link, the oldest first
        self.pen = threading.Lock()
        self.waiting: Counter[str] = Counter()  # pictures under way, by visitor
        self.drawing: dict[str, asyncio.Task[bytes]] = {}  # by link

    @property
    def routes(self) -> list[Route]:
        """Return the routes of shared stories."""
        return [Route("/s/{link}", self.preview), Route("/s/{link}/picture.png", self.picture)]

    async def preview(self, request: Request) -> Response:
        """Answer with the page, with tags from which other sites make a preview."""
        link, base = request.path_params["link"], own_address(request, self.public_url)
        status, story = 200, None
        try:
            story = await run_in_threadpool(self.story, link, self.address(link, base))
        except ValueError:  # the page shows what is wrong with the link
            status = 404
        page = page_html("start_server.js")
        if story is not None:
            head = tags(story, f"{base}s/{link}/picture.png")
            page = HEAD.sub("", page).replace("</head>", f"{head}</head>")
        page = page.replace("<head>", '<head>\n  <base href="../">', 1)
        return HTMLResponse(page, status, {"cache-control": "no-cache"})

    async def picture(self, request: Request) -> Response:
        """Answer with the preview's picture, drawn once, or with a message why it cannot be
        drawn."""
        link = request.path_params["link"]
        try:
            data = self.pictures.get(link)
            if data is None:
                if link not in self.drawing:
                    self.drawing[link] = asyncio.create_task(self.draw(link, visitor(request)))
                data = await asyncio.shield(self.drawing[link])  # others may wait too
            return drawn(data, request)
        except Busy as problem:
            return JSONResponse({"detail": capitalized(str(problem))}, 429, {"retry-after": "2"})
        except ValueError as problem:
            return JSONResponse({"detail": capitalized(str(problem))}, 422)

    async def draw(self, link: str, name: str) -> bytes:
        """Draw a picture that is not in the cache. `name`: the visitor."""
        try:
            with self.visit(name):
                story = await run_in_threadpool(self.story, link, "")
                data = await run_in_threadpool(self.draw_alone, story)
            self.pictures[link] = data
            while sum(map(len, self.pictures.values())) > CACHE_BYTES:
                del self.pictures[next(iter(self.pictures))]
            return data
        finally:
            del self.drawing[link]

    def draw_alone(self, story: SharedStory) -> bytes:
        """Draw one picture at a time: each takes Python's lock from the thread that computes the
        model."""
        with self.pen:
            return preview.draw(story)

    def story(self, text: str, address: str) -> SharedStory:
        """Decode the story of a link's text; `address` opens it. ValueError for a damaged link."""
        link = permalink.decode(text)
        words = self.engine(link).texts([token_id for token_id, _ in link.tokens])
        return SharedStory("".join(words).strip(), link.name or "a small language model", address)

    def engine(self, link: Permalink) -> Engine:
        """Return the model that wrote a link, else the first with its tokenizer; ValueError if
        there is no such model."""
        models = [(engine, engine.storyteller) for engine in list(self.engines.values())]
        reads = [engine for engine, model in models if has_tokenizer_of(link, model)]
        wrote = [engine for engine, model in models if model.fingerprint.startswith(link.model)]
        if not (wrote or reads):
            raise ValueError(other_tokenizer(link))
        return (wrote or reads)[0]

    def address(self, link: str, base: str) -> str:
        """Return the address where a link opens: on a Space its page on the Hub, else below this
        page's address."""
        space = space_page()
        return f"{space}?story={link}" if space else f"{base}s/{link}"

    @contextmanager
    def visit(self, name: str) -> Iterator[None]:
        """Count one more picture under way of a visitor; Busy for too many."""
        if self.waiting[name] >= WAITING_PER_VISITOR or self.waiting.total() >= WAITING_MAX:
            raise Busy("too many pictures are being drawn: try again in a moment.")
        with one_more(self.waiting, name):
            yield


def drawn(data: bytes, request: Request) -> Response:
    """Return the answer with a picture, which a browser caches and revalidates."""
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"cache-control": "no-cache", "etag": tag}
    if request.headers.get("if-none-match") in (tag, f"W/{tag}"):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="image/png", headers=headers)


def tags(story: SharedStory, picture: str) -> str:
    """Return a story's tags for other sites: Open Graph and Twitter. `picture`: its address."""
    about = in_one_line(story.text)[:200]
    values = {
        ("name", "description"): about,
        ("property", "og:type"): "article",
        ("property", "og:title"): story.title,
        ("property", "og:description"): about,
        ("property", "og:url"): story.link,
        ("property", "og:image"): picture,
        ("property", "og:image:width"): "1200",
        ("property", "og:image:height"): "630",
        ("property", "og:image:alt"): story.alternative,
        ("name", "twitter:card"): "summary_large_image",
    }
    lines = [f"<title>{html.escape(story.title)}</title>"]
    for (kind, name), value in values.items():
        lines.append(f'<meta {kind}="{name}" content="{html.escape(value)}">')
    return "".join(f"  {line}\n" for line in lines)
