"""The calls of the page itself: `POST /call/NAME`, answered with server-sent events.

They do not go through Gradio's queue. It takes two requests for a call, looks for new calls every
10 ms, and takes 1 to 1.5 ms of the processor for every message.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from playground.engine.engine import Busy
from playground.folder.json_file import json_object
from playground.sentences import capitalized

Endpoint = Callable[..., Any]


def route(*endpoints: Endpoint) -> Route:
    """Return the route to some endpoints, each of which takes a JSON object. The answer has a
    "message" for each value of the endpoint, then "complete"; or "error" and {error, title} for
    a ValueError or RuntimeError."""
    by_name = {endpoint.__name__: endpoint for endpoint in endpoints}

    async def answer(request: Request) -> Response:
        endpoint = by_name.get(request.path_params["name"])
        if endpoint is None:
            return JSONResponse({"detail": "There is no such address here."}, 404)
        if (asked := json_object(await request.body())) is None:
            return JSONResponse({"detail": "A call takes a JSON object."}, 422)
        return StreamingResponse(events(endpoint, asked, request), media_type="text/event-stream")

    return Route("/call/{name}", answer, methods=["POST"])


async def events(endpoint: Endpoint, asked: dict[str, Any], request: Request) -> AsyncIterator[str]:
    """Yield the events of a call."""
    values = [asked, request] if "request" in inspect.signature(endpoint).parameters else [asked]
    try:
        if inspect.isasyncgenfunction(endpoint):
            async for message in endpoint(*values):
                yield event("message", message)
        elif inspect.iscoroutinefunction(endpoint):
            yield event("message", await endpoint(*values))
        else:
            yield event("message", await run_in_threadpool(endpoint, *values))
    except (ValueError, RuntimeError) as problem:
        title = "Busy" if isinstance(problem, Busy) else "Error"  # the page retries at "Busy"
        yield event("error", {"error": capitalized(str(problem)), "title": title})
    else:
        yield event("complete", None)


def event(name: str, data: Any) -> str:
    """Return a server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
