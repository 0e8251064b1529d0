"""How the page is served: its files, what it may load, who may ask, and what is closed.

Gradio's server is open for more than this page needs. A layer before it adds the headers that a
browser keeps a page with, and closes the rest.
"""

import os
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.pages.theme import theme
from playground.pages.write import VISITORS_MAX, WEB, texts

BODY_MAX = 2**20  # bytes of a request: a story of 50,000 tokens has a third of that
CLOSED = ("/gradio_api/upload", "/gradio_api/monitoring", "/monitoring")
LOCAL = ("127.0.0.1", "localhost", "::1", "[::1]")
ON_SPACE = "SPACE_ID" in os.environ

# Gradio's scripts are inline and compile templates; nothing may come from elsewhere.
CONTENT = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; base-uri 'self'; form-action 'self'; object-src 'none'; "
    "frame-ancestors "
)
HEADERS = {
    "content-security-policy": CONTENT
    + ("'self' https://huggingface.co https://*.hf.space" if ON_SPACE else "'self'"),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    **({} if ON_SPACE else {"x-frame-options": "SAMEORIGIN"}),
}


class Guard:
    """Closes what the page does not need, limits what is sent, and adds the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        path = scope["path"].rstrip("/")
        length = dict(scope["headers"]).get(b"content-length", b"")
        if path.endswith(CLOSED):
            answer = JSONResponse({"detail": "There is no such address here."}, 404)
        elif scope["method"] == "POST" and not (length.isdigit() and int(length) <= BODY_MAX):
            answer = JSONResponse({"detail": f"A request has at most {BODY_MAX:,} bytes."}, 413)
        else:
            await self.app(scope, receive, send_with_headers)
            return
        await answer(scope, receive, send_with_headers)


def head() -> str:
    """What stands in the page's head, besides what Gradio puts there."""
    words = texts()["en"]
    return f"""
<meta name="description" content="{words["description"]}">
<meta name="theme-color" content="#f3ecdf" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#171512" media="(prefers-color-scheme: dark)">
<link rel="manifest" href="web/manifest.webmanifest">
<link rel="apple-touch-icon" href="web/icon-192.png">
<link rel="modulepreload" href="web/writer.js">
<link rel="stylesheet" href="web/style.css">
"""


def launch(page: gr.Blocks, *, host: str | None = None, **options: Any) -> tuple[Any, str, str]:
    """Serve the page and return (server, local address, public address); `options` are Gradio's.

    A page that only this machine is to see answers to this machine's names only, so that no other
    site can reach it through a name of its own.
    """
    names = list(LOCAL) if host in (None, *LOCAL) and not options.get("share") else ["*"]
    served = page.launch(
        server_name=host,
        theme=theme(),
        head=head(),
        favicon_path=str(WEB / "icon-192.png"),
        max_threads=VISITORS_MAX,
        footer_links=["api"],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        max_file_size="1kb",  # the page takes no files
        app_kwargs={
            "routes": [Mount("/web", StaticFiles(directory=WEB))],
            "middleware": [
                Middleware(TrustedHostMiddleware, allowed_hosts=names),
                Middleware(Guard),
            ],
        },
        prevent_thread_lock=True,
        quiet=True,
        **options,
    )
    return served[0], served[1], served[2]
