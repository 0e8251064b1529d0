"""What links to stories lead to: their page with a preview, their picture, files and books.

    /s/LINK                     the page, with what other sites show of it
    /s/LINK/picture.png         ?shape=wide|tall&odds=1&title=&author=
    /s/LINK/qr.svg              the link as a code
    /s/LINK/story.txt           and .md, .json, .html, .epub, .pdf; ?title=&author=
    POST /story.txt ...         the same files of a story that need not fit into a link:
                                {"story", "title", "author", "link"}, see stories/posted_story.py
    POST /picture.png           the same with "shape" and "odds"
    POST /book.epub, /book.pdf  {"title", "author", "stories": [{"link" or "story", "title",
                                "author"}, ...]}

Nothing is stored, but pictures of links in a cache with a bound.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from playground.engine.engine import Busy, Engine
from playground.engine.replay import has_tokenizer_of, replay
from playground.pages.background_process import BackgroundProcess
from playground.pages.bounded_cache import BoundedCache
from playground.pages.network import own_address, space_page
from playground.pages.visitors import one_more, visitor
from playground.pages.write import html_of_page
from playground.sentences import capitalized
from playground.stories import files, permalink, picture, qr
from playground.stories.booklet import Booklet, booklet
from playground.stories.epub import epub
from playground.stories.file_name import file_name
from playground.stories.html_file import html_file
from playground.stories.pdf import pdf
from playground.stories.permalink import Permalink, other_tokenizer
from playground.stories.posted_story import posted_story, text
from playground.stories.shared_story import SharedStory, Word, shared_story

CACHE_BYTES = 32 * 2**20  # of pictures: some 300
WAITING_MAX, WAITING_PER_VISITOR = 32, 4  # pictures and files that are being made
KINDS = {
    "txt": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "epub": "application/epub+zip",
    "pdf": "application/pdf",
}
BOOKS = {"epub": epub, "pdf": pdf}
HEAD = re.compile(
    r'^ *(?:<title>.*</title>|<meta (?:property="og|name="(?:twitter|description)).*>)\n', re.M
)
PictureKey = tuple[str, str, str, bool, str | None, str | None]  # link, base, shape, odds, names


class SharedStories:
    """The routes, for several models."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self.engines = engines
        self.public_url: str | None = None  # where others reach this page, with a slash at its end
        self.pictures = BoundedCache(CACHE_BYTES)
        self.process = BackgroundProcess()
        self.waiting: Counter[str] = Counter()  # pictures and files that are made, by visitor
        self.drawing: dict[PictureKey, asyncio.Task[bytes]] = {}

    @property
    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/s/{link}", self.preview),
            Route("/s/{link}/picture.png", answered(self.picture)),
            Route("/s/{link}/qr.svg", answered(self.code)),
            Route("/s/{link}/story.{kind}", answered(self.file)),
            Route("/story.{kind}", answered(self.file_of_posted), methods=["POST"]),
            Route("/picture.png", answered(self.picture_of_posted), methods=["POST"]),
            Route("/book.{kind}", answered(self.book), methods=["POST"]),
        ]

    async def preview(self, request: Request) -> Response:
        """The page, with tags from which other sites make a preview."""
        link, base = request.path_params["link"], self.base(request)
        status, story = 200, None
        try:
            story = await run_in_threadpool(self.story_of_link, link, base, {})
        except ValueError:  # the page itself says what is wrong with the link
            status = 404
        page = html_of_page()
        if story is not None:
            head = tags(story, f"{base}s/{link}/picture.png")
            page = HEAD.sub("", page).replace("</head>", f"{head}</head>")
        page = page.replace("<head>", '<head>\n  <base href="../">', 1)
        return HTMLResponse(page, status, {"cache-control": "no-cache"})

    async def picture(self, request: Request) -> Response:
        """The story as a picture, drawn once."""
        asked = request.query_params
        shape, odds = asked.get("shape", "wide"), asked.get("odds") == "1"
        link, base = request.path_params["link"], self.base(request)
        if shape not in picture.SHAPES:
            raise ValueError(f"shape is wide or tall, not {shape[:20]!r}.")
        key = (link, base, shape, odds, asked.get("title"), asked.get("author"))
        data = self.pictures.get(key)
        if data is None:
            if key not in self.drawing:
                self.drawing[key] = asyncio.create_task(self.draw(key, request))
            data = await asyncio.shield(self.drawing[key])  # others may wait for it too
        return drawn(data, "image/png", request)

    async def draw(self, key: PictureKey, request: Request) -> bytes:
        """A picture that is not there yet."""
        link, base, shape, odds, *_ = key
        try:
            with self.visit(request):
                asked = request.query_params
                story = await run_in_threadpool(self.story_of_link, link, base, asked, odds)
                data = await run_in_threadpool(self.process.call, picture.draw, story, shape, odds)
            self.pictures.put(key, data)
            return data
        finally:
            del self.drawing[key]

    async def code(self, request: Request) -> Response:
        """The link's code."""
        link = request.path_params["link"]
        permalink.decode(link)
        drawing = await run_in_threadpool(qr.svg, self.address(link, self.base(request)))
        return drawn(drawing.encode(), "image/svg+xml", request)

    async def file(self, request: Request) -> Response:
        """The story as a file to keep."""
        text = request.path_params["link"]
        address, asked = self.address(text, self.base(request)), request.query_params
        return await self.made(request, permalink.decode(text), address, asked)

    async def file_of_posted(self, request: Request) -> Response:
        """A story that the page sends as a file to keep."""
        return await self.made(request, *await self.posted(request))

    async def picture_of_posted(self, request: Request) -> Response:
        """A story that the page sends as a picture."""
        link, address, asked = await self.posted(request)
        shape, odds = asked.get("shape", "wide"), asked.get("odds") is True
        if shape not in picture.SHAPES:
            raise ValueError(f"shape is wide or tall, not {str(shape)[:20]!r}.")
        with self.visit(request):
            story = await run_in_threadpool(self.story, link, address, asked, odds)
            data = await run_in_threadpool(self.process.call, picture.draw, story, shape, odds)
        return Response(data, media_type="image/png")

    async def posted(self, request: Request) -> tuple[Permalink, str, dict[str, Any]]:
        """The story that the page sends, the address of its link or "", and all that was asked."""
        asked = await json_of(request)
        if not isinstance(asked, dict):
            raise ValueError('a story is sent as a JSON object with "story".')
        link = text(asked, "link")
        address = self.address(link, self.base(request)) if permalink.data_of(link) else ""
        named = asked | {name: text(asked, name) for name in ("title", "author")}
        return posted_story(asked.get("story")), address, named

    async def made(
        self, request: Request, link: Permalink, address: str, asked: Mapping[str, Any]
    ) -> Response:
        """A story in the form that the path names."""
        kind = request.path_params["kind"]
        if kind not in KINDS:
            raise ValueError(f"a story comes as {', '.join(KINDS)}, not as {kind[:20]!r}.")
        with self.visit(request):
            story = await run_in_threadpool(self.story, link, address, asked)
            data: str | bytes
            if kind in BOOKS:
                data = await run_in_threadpool(self.process.call, BOOKS[kind], booklet([story]))
            elif kind in ("json", "html"):
                record = (await run_in_threadpool(replay, self.engine(link), link)).story
                data = (files.record_file if kind == "json" else html_file)(story, record)
            else:
                data = files.text_file(story) if kind == "txt" else files.markdown_file(story)
        return download(data, story.title, kind)

    async def book(self, request: Request) -> Response:
        """Several stories as one book."""
        kind = request.path_params["kind"]
        if kind not in BOOKS:
            raise ValueError(f"a book comes as {' or '.join(BOOKS)}, not as {kind[:20]!r}.")
        asked = await json_of(request)
        if not isinstance(asked, dict) or not isinstance(asked.get("stories"), list):
            raise ValueError('a book is a JSON object with "stories", a list.')
        with self.visit(request):
            whole = await run_in_threadpool(self.booklet, asked, self.base(request))
            data = await run_in_threadpool(self.process.call, BOOKS[kind], whole)
        return download(data, whole.title, kind)

    # What they share

    def story_of_link(
        self, text: str, base: str, asked: Mapping[str, str], odds: bool = False
    ) -> SharedStory:
        """The story of a link's text; ValueError if it is none. `odds`: with each word's."""
        return self.story(permalink.decode(text), self.address(text, base), asked, odds)

    def story(
        self, link: Permalink, address: str, asked: Mapping[str, str], odds: bool = False
    ) -> SharedStory:
        """The story that a link holds, or could hold if it were shorter; `address` opens it."""
        engine = self.engine(link)
        ids = [token_id for token_id, _ in link.tokens]
        owners = [run >= 0 for _, run in link.tokens]
        if odds and ids:
            tokens = engine.score_ids(ids).tokens
            words = [
                Word(token.text, by, token.surprise)
                for token, by in zip(tokens, owners, strict=True)
            ]
        else:
            words = [Word(part, by) for part, by in zip(engine.texts(ids), owners, strict=True)]
        return shared_story(
            words,
            link.runs,
            model=link.name or "a small language model",
            link=address,
            title=asked.get("title", ""),
            author=asked.get("author", ""),
        )

    def booklet(self, asked: Mapping[str, Any], base: str) -> Booklet:
        """The book that is asked for; ValueError names the story that is none."""
        stories = []
        for number, one in enumerate(asked["stories"], 1):
            try:
                named = {name: text(one, name) for name in ("title", "author")}
                if "story" in one:
                    stories.append(self.story(posted_story(one["story"]), "", named))
                else:
                    link = permalink.text_of(text(one, "link"))
                    stories.append(self.story_of_link(link, base, named))
            except ValueError as problem:
                raise ValueError(f"story {number}: {problem}") from None
        return booklet(stories, title=text(asked, "title"), author=text(asked, "author"))

    def engine(self, link: Permalink) -> Engine:
        """The model that wrote it, else the first one that reads its tokens; ValueError if there is
        none."""
        every = list(self.engines.values())
        reads = [one for one in every if has_tokenizer_of(link, one.storyteller)]
        wrote = [one for one in reads if one.storyteller.fingerprint.startswith(link.model)]
        found = next(iter(wrote or reads), None)
        if found is None:
            raise ValueError(other_tokenizer(link))
        return found

    def close(self) -> None:
        """End the process that draws."""
        self.process.close()

    def base(self, request: Request) -> str:
        """This page's own address."""
        return own_address(request, self.public_url)

    def address(self, link: str, base: str) -> str:
        """Where a link opens: on a Space its page on the Hub, else below this page's address."""
        space = space_page()
        return f"{space}?story={link}" if space else f"{base}s/{link}"

    @contextmanager
    def visit(self, request: Request) -> Any:
        """While it lasts one more picture or file of the visitor's is made; Busy for too many."""
        name = visitor(request)
        if self.waiting[name] >= WAITING_PER_VISITOR or self.waiting.total() >= WAITING_MAX:
            raise Busy("too many pictures and files are being made: try again in a moment.")
        with one_more(self.waiting, name):
            yield


async def json_of(request: Request) -> Any:
    """Return the JSON value of a request's body, or None if the body is not JSON."""
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        return None


Handler = Callable[[Request], Awaitable[Response]]


def answered(handler: Handler) -> Handler:
    """What cannot be done is answered in a sentence."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Busy as problem:
            return JSONResponse({"detail": capitalized(str(problem))}, 429, {"retry-after": "2"})
        except (ValueError, RuntimeError) as problem:
            return JSONResponse({"detail": capitalized(str(problem))}, 422)

    return answer


def drawn(data: bytes, media_type: str, request: Request) -> Response:
    """A picture, which a browser keeps and asks again about: this page's address is in it, and a
    computer gets another one."""
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"cache-control": "no-cache", "etag": tag}
    if request.headers.get("if-none-match") in (tag, f"W/{tag}"):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


def download(data: str | bytes, title: str, kind: str) -> Response:
    """A file with a name made of its title."""
    name = file_name(title)
    disposition = f"attachment; filename=\"story.{kind}\"; filename*=UTF-8''{quote(name)}.{kind}"
    return Response(data, media_type=KINDS[kind], headers={"content-disposition": disposition})


def tags(story: SharedStory, picture: str) -> str:
    """A story's head for other sites: Open Graph and Twitter. `picture`: its address."""
    about = " ".join(story.text.split())[:200]
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
