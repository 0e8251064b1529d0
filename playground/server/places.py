"""The documents Train and Models: frames that web/train/ and web/models/ fill, for the owner only.

Their data comes from the endpoints below /studio/.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from playground.server.owner import Handler, Owner
from playground.server.write import WEB

PLACES = ("train", "models")


def routes(owner: Owner) -> list[Route]:
    """Return the routes of both."""
    return [Route(f"/{name}", owner.only(document(name)), methods=["GET"]) for name in PLACES]


def document(name: str) -> Handler:
    """Return a handler that answers with the frame of Train or Models."""

    async def answer(request: Request) -> Response:
        return FileResponse(WEB / name / "page.html", headers={"cache-control": "no-cache"})

    return answer
