"""Access for the person who started the app only, to pages that publish, start or delete.

These pages need a key, which the terminal prints in an address; then a cookie holds the key. That a
request comes from this machine is not enough: through a proxy on this machine every visitor's does.
So these pages are also closed to requests that a proxy passed on.

    owner = Owner()
    Route("/train", owner.file(WEB / "train" / "page.html"))
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response

from playground.page_html import WEB

Handler = Callable[[Request], Awaitable[Response]]
CLOSED = "This page is for the person at this computer only: it is closed behind a proxy."
NO_KEY = "This needs the key: open the address that the app prints in its terminal."


class Owner:
    """The holder of the key."""

    def __init__(self) -> None:
        self.key = secrets.token_urlsafe(24)

    def is_asking(self, request: Request) -> bool:
        """Return whether a request comes from the owner's browser, without a proxy."""
        key = request.cookies.get(cookie_of(request), "")
        return not request.state.passed_on and self.fits(key)

    def fits(self, key: str) -> bool:
        return secrets.compare_digest(key.encode("utf-8", "replace"), self.key.encode())

    def entrance(self, request: Request) -> Response | None:
        """Return the answer to an address with a key: a redirect to the address without it, and a
        cookie if the key is right. None for other requests."""
        if request.method != "GET" or "key" not in request.query_params or request.state.passed_on:
            return None
        rest = request.url.remove_query_params("key").query
        path = request.scope["path"].rstrip("/") or "/"
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        if self.fits(request.query_params["key"]):
            answer.set_cookie(cookie_of(request), self.key, httponly=True, samesite="strict")
        answer.headers["cache-control"] = "no-store"
        return answer

    def only(self, handler: Handler) -> Handler:
        """Return a handler that answers the owner only, and others with the request for a key."""

        async def guarded(request: Request) -> Response:
            if request.state.passed_on:
                return JSONResponse({"detail": CLOSED}, 403)
            if answer := self.entrance(request):
                return answer
            if self.is_asking(request):
                return await handler(request)
            if "text/html" in request.headers.get("accept", ""):
                return FileResponse(WEB / "key.html", 403, {"cache-control": "no-store"})
            return JSONResponse({"detail": NO_KEY}, 403)

        return guarded

    def file(self, path: Path) -> Handler:
        """Return a handler that sends the owner a file, which the browser revalidates each time."""

        async def send(request: Request) -> Response:
            return FileResponse(path, headers={"cache-control": "no-cache"})

        return self.only(send)


def cookie_of(request: Request) -> str:
    """Return the cookie's name, with the port: all ports of a machine share their cookies."""
    return f"inkling-key-{request.scope['server'][1]}"
