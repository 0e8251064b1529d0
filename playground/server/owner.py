"""The pages of the person who started the app: whatever publishes, starts or deletes.

They ask for a key that only the terminal shows, in the address that it prints; a cookie keeps the
key from then on. "The request comes from this machine" does not prove who asks: through a proxy
on the same machine every visitor does. So these pages are also closed for what a proxy passed on.

    owner = Owner()
    Route("/train", owner.only(train))     # a page, or what a page asks
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response

from playground.server.write import WEB

Handler = Callable[[Request], Awaitable[Response]]
CLOSED = "This page is for the person at this computer only: it is closed behind a proxy."
NO_KEY = "This needs the key: open the address that the app prints in its terminal."


class Owner:
    """The holder of the key."""

    def __init__(self) -> None:
        self.key = secrets.token_urlsafe(24)

    def is_asking(self, request: Request) -> bool:
        """Whether a request comes from the owner's browser, and straight."""
        kept = request.cookies.get(cookie_of(request), "")
        return not request.state.passed_on and self.fits(kept)

    def fits(self, key: str) -> bool:
        return secrets.compare_digest(key.encode("utf-8", "replace"), self.key.encode())

    def entrance(self, request: Request) -> Response | None:
        """The answer to an address with a key in it: the same without it, and a cookie if the key
        is right. None for other requests."""
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
        """Return a handler that answers the owner only; others are asked for the key."""

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


def cookie_of(request: Request) -> str:
    """The cookie's name: all ports of a machine share their cookies, and two apps have two keys."""
    return f"inkling-key-{request.scope['server'][1]}"
