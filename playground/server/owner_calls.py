"""JSON endpoints of the owner's pages (Train, Models and Publish): plain functions, run in threads.

Requests that change something need a header that no form and no other site can send (CSRF): a
browser first asks whether it may send the header to another site (CORS preflight), and the app does
not consent.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from playground.folder.json_file import json_object
from playground.sentences import capitalized
from playground.server.owner import Owner

NO_STORE = {"cache-control": "no-store"}
Endpoint = Callable[..., Any]


def route(owner: Owner, header: str, method: str, path: str, endpoint: Endpoint) -> Route:
    """Return the route to an endpoint, for the owner only. `header`: its name, in lower case.

    The endpoint gets the JSON object of the request (with GET the parameters of its query) and the
    parameters of the path by name; a coroutine function gets the request instead. It returns a
    JSON value or a Response. The answer to a ValueError or OSError is its message, with its
    `status` and `remedy` if it has them (runs/errors.py).
    """

    async def handler(request: Request) -> Response:
        if method != "GET" and request.headers.get(header) != "1":
            detail = f"Only the page itself may send this, with the header {header}."
            return JSONResponse({"detail": detail}, 403, NO_STORE)
        try:
            if inspect.iscoroutinefunction(endpoint):
                result = await endpoint(request)
            else:
                asked: Mapping[str, Any] | None = request.query_params
                if method != "GET" and (asked := json_object(await request.body())) is None:
                    raise ValueError("the body of the request must be a JSON object.")
                result = await run_in_threadpool(endpoint, asked, **request.path_params)
        except (ValueError, OSError) as problem:
            status, remedy = getattr(problem, "status", 422), getattr(problem, "remedy", "")
            error = {"detail": capitalized(str(problem)), "remedy": remedy}
            return JSONResponse(error, status, NO_STORE)
        return result if isinstance(result, Response) else JSONResponse(result, headers=NO_STORE)

    return Route(path, owner.only(handler), methods=[method])
