"""How the page is served: its files, what it may load, who may ask, and what is closed.

Our page stands where Gradio's own would. Gradio's server is open for more than is needed here: a
layer before it adds the headers with which a browser keeps a page, and closes the rest.
"""

import html
import inspect
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.pages.mcp_answers import answer_in_json
from playground.pages.network import LOCAL
from playground.pages.write import VISITORS_MAX, WEB, html_of_page

BODY_MAX = 2**20  # bytes of a request: a story of 50,000 tokens has a third of that
CLOSED = ("/gradio_api/upload", "/gradio_api/monitoring", "/monitoring")
CALL = re.compile(r"/gradio_api/(?:call|run|api)/(\w+)$")
CALL_BY_NAME = re.compile(r"/gradio_api/call/v2/(\w+)$")
ON_SPACE = "SPACE_ID" in os.environ

# Nothing comes from elsewhere, and no script that is not a file of ours runs.
CONTENT = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'self'; "
    "form-action 'none'; object-src 'none'; frame-ancestors "
)
HEADERS = {
    "content-security-policy": CONTENT
    + ("'self' https://huggingface.co https://*.hf.space" if ON_SPACE else "'self'"),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    **({} if ON_SPACE else {"x-frame-options": "SAMEORIGIN"}),
}


Parameters = dict[str, bool]  # of an endpoint: whether each has a default, by name


class Guard:
    """Closes what the page does not need, limits what is sent, and adds the headers."""

    def __init__(
        self, app: ASGIApp, names: Collection[str] | None, endpoints: Mapping[str, Parameters]
    ) -> None:
        """`names` by which the server may be asked for, None: any; and the parameters of every
        endpoint."""
        self.app, self.names, self.endpoints = app, names, endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        path = scope["path"].removeprefix(scope.get("root_path", "")).rstrip("/")
        headers = dict(scope["headers"])
        length, host = headers.get(b"content-length", b""), headers.get(b"host", b"").decode()
        answer: Response
        if self.names is not None and name_of(host) not in self.names:
            answer = JSONResponse({"detail": "This page is for this machine only."}, 400)
        elif not path and scope["method"] in ("GET", "HEAD"):
            answer = index(Request(scope))
        elif path.endswith(CLOSED):
            answer = JSONResponse({"detail": "There is no such address here."}, 404)
        elif scope["method"] != "POST":
            await self.app(scope, receive, send_with_headers)
            return
        elif not (length.isdigit() and int(length) <= BODY_MAX):
            answer = JSONResponse({"detail": f"A request has at most {BODY_MAX:,} bytes."}, 413)
        else:
            body = await body_of(receive)
            complaint = self.complaint(path, body)
            if not complaint:
                await self.app(scope, again(body, receive), send_with_headers)
                return
            answer = JSONResponse({"detail": complaint}, 422)
        await answer(scope, receive, send_with_headers)

    def complaint(self, path: str, body: bytes) -> str:
        """What is wrong with a call, in a sentence; Gradio would print its body and a traceback."""
        by_name = CALL_BY_NAME.search(path)
        if by_name is not None and by_name[1] in self.endpoints:
            return complaint_by_name(by_name[1], self.endpoints[by_name[1]], body)
        found = CALL.search(path)
        if found is None or found[1] not in self.endpoints:
            return ""
        parameters = self.endpoints[found[1]]
        try:
            values = json.loads(body)["data"]
        except (ValueError, TypeError, KeyError, RecursionError):
            values = None
        if isinstance(values, list) and len(values) == len(parameters):
            return ""
        return (
            f'{found[1]} takes a JSON object with "data", a list of {len(parameters)} values '
            f"({', '.join(parameters)}); call/v2/{found[1]} takes them by name, and only some."
        )


def complaint_by_name(name: str, parameters: Parameters, body: bytes) -> str:
    """What is wrong with a call of an endpoint by its parameters' names, in a sentence."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return f"{name} takes a JSON object of its parameters: {', '.join(parameters)}."
    # Gradio itself takes the last one away.
    for unknown in values.keys() - parameters.keys() - {"oauth_token"}:
        return f"{name} has no parameter {unknown[:50]!r}; it has {', '.join(parameters)}."
    for needed, has_default in parameters.items():
        if needed not in values and not has_default:
            return f"{name} needs the parameter {needed!r}."
    return ""


async def body_of(receive: Receive) -> bytes:
    """The body of a request."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def again(body: bytes, receive: Receive) -> Receive:
    """What a request is received from once its body was read."""
    given = False

    async def first_the_body() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return first_the_body


def parameters_of(page: gr.Blocks) -> dict[str, Parameters]:
    """The parameters that each endpoint takes, in their order."""
    return {
        str(function.api_name): {
            name: parameter.default is not inspect.Parameter.empty
            for name, parameter in inspect.signature(function.fn).parameters.items()
            if name != "request"  # Gradio's own
        }
        for function in page.fns.values()
        if function.fn is not None
    }


def name_of(host: str) -> str:
    """The name or address in a Host header, without the port."""
    return host[1:].split("]")[0] if host.startswith("[") else host.split(":")[0]


def index(request: Request) -> HTMLResponse:
    """The page, with the address of its preview picture, which other sites want whole."""
    picture = html.escape(f"{request.base_url}web/preview.png")
    return HTMLResponse(html_of_page().replace('content="web/preview.png"', f'content="{picture}"'))


def launch(
    page: gr.Blocks,
    start: dict[str, Any],
    routes: Sequence[Route] = (),
    *,
    host: str | None = None,
    **options: Any,
) -> tuple[str, str | None]:
    """Serve the page and return its address on this machine and the public one, if there is one.
    `start` is what the component begins with; `routes` are more addresses to answer; `options` are
    Gradio's.

    A page that only this machine is to see answers to this machine's names only, so that no other
    site can reach it through a name of its own.
    """
    host = host and host.strip("[]")
    is_local = host is None or host in LOCAL
    names = LOCAL if is_local and not options.get("share") else None

    async def begin(_: Request) -> JSONResponse:
        return JSONResponse(start)

    files = StaticFiles(directory=WEB)

    async def web(request: Request) -> Response:  # a Mount goes astray below a proxy's path
        return await files.get_response(request.path_params["name"], request.scope)

    served = page.launch(
        server_name=f"[{host}]" if host and ":" in host else host,
        favicon_path=str(WEB / "icon-192.png"),
        max_threads=VISITORS_MAX,
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        max_file_size="1kb",  # the page takes no files
        app_kwargs={
            "routes": [
                Route("/web/start.json", begin),
                Route("/web/{name:path}", web),
                *routes,
            ],
            "middleware": [Middleware(Guard, names=names, endpoints=parameters_of(page))],
        },
        prevent_thread_lock=True,
        quiet=True,
        **options,
    )
    answer_in_json(page)
    return served[1], served[2]
