"""Serve the page: its files, its security headers, its limits, and the addresses that are closed.

Our page replaces Gradio's own. Gradio's server offers more addresses than the page needs: a layer
before it adds the security headers and closes the rest.
"""

import html
import inspect
import mimetypes
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.folder.json_file import json_object
from playground.page_html import WEB, page_html
from playground.server.mcp_answers import answer_in_json
from playground.server.network import LOCAL, own_address
from playground.server.owner import Owner
from playground.server.proxies import Proxies, checked_root
from playground.server.write import CORE, VISITORS_MAX

BODY_MAX = 2**20  # bytes of a request: a story of 50,000 tokens has a third of that
CLOSED = ("/gradio_api/upload", "/gradio_api/monitoring", "/monitoring")
CALL = re.compile(r"/gradio_api/(call/v2|call|run|api)/(\w+)$")
ON_SPACE = "SPACE_ID" in os.environ

# The browser revalidates each file: a new script never runs on an old page.
FRESH = {"cache-control": "no-cache"}
# Only our own files are loaded and run; wasm-unsafe-eval allows core.wasm.
CONTENT = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; base-uri 'self'; "
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
    """Answers with the page, closes addresses that it does not need, limits the size of requests,
    and adds the headers."""

    def __init__(
        self,
        app: ASGIApp,
        endpoints: Mapping[str, Parameters],
        start: Mapping[str, Any],
        owner: Owner | None,
    ) -> None:
        """`endpoints`: the parameters of each; `start` and `owner`: see `launch`."""
        self.app, self.endpoints, self.start, self.owner = app, endpoints, start, owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        path = path_of(scope).rstrip("/")
        answer: Response
        if not path and scope["method"] in ("GET", "HEAD"):
            request = Request(scope)
            entrance = self.owner and self.owner.entrance(request)
            answer = entrance or index(own_address(request, self.start["public"]))
        elif path.endswith(CLOSED):
            answer = JSONResponse({"detail": "There is no such address here."}, 404)
        elif scope["method"] != "POST":
            await self.app(scope, receive, send_with_headers)
            return
        elif (body := await body_of(scope, receive)) is None:
            answer = JSONResponse({"detail": f"A request has at most {BODY_MAX:,} bytes."}, 413)
        else:
            complaint = self.complaint(path, body)
            if not complaint:
                await self.app(scope, again(body, receive), send_with_headers)
                return
            answer = JSONResponse({"detail": complaint}, 422)
        await answer(scope, receive, send_with_headers)

    def complaint(self, path: str, body: bytes) -> str:
        """Return the message about a wrong call, "" for a valid call. Gradio would print the body
        and a traceback."""
        match = CALL.search(path)
        if match is None or match[2] not in self.endpoints:
            return ""
        name, parameters, values = match[2], self.endpoints[match[2]], json_object(body)
        if match[1] == "call/v2":
            return complaint_by_name(name, parameters, values)
        data = (values or {}).get("data")
        if isinstance(data, list) and len(data) == len(parameters):
            return ""
        return (
            f'{name} takes a JSON object with "data", a list of {len(parameters)} values '
            f"({', '.join(parameters)}); call/v2/{name} takes them by name, and only some."
        )


def complaint_by_name(name: str, parameters: Parameters, values: dict[str, Any] | None) -> str:
    """Return what is wrong with a call of an endpoint by parameter name; empty if it is valid."""
    if values is None:
        return f"{name} takes a JSON object of its parameters: {', '.join(parameters)}."
    # Gradio itself removes oauth_token.
    for unknown in values.keys() - parameters.keys() - {"oauth_token"}:
        return f"{name} has no parameter {unknown[:50]!r}; it has {', '.join(parameters)}."
    for needed, has_default in parameters.items():
        if needed not in values and not has_default:
            return f"{name} needs the parameter {needed!r}."
    return ""


async def body_of(scope: Scope, receive: Receive) -> bytes | None:
    """Return the body of a request, with or without a Content-Length; None beyond BODY_MAX
    bytes."""
    length = Headers(scope=scope).get("content-length", "0")
    if not length.isdigit() or int(length) > BODY_MAX:
        return None
    parts, size = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_MAX:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a request's body once more, after it was read."""
    sent = False

    async def first_the_body() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return first_the_body


def path_of(scope: Scope) -> str:
    """Return the path below the root path, whether a proxy has removed the root path or not."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if path == root or path.startswith(f"{root}/") else path


def parameters_of(page: gr.Blocks) -> dict[str, Parameters]:
    """Return the parameters of each endpoint, in their order."""
    return {
        str(function.api_name): {
            name: parameter.default is not inspect.Parameter.empty
            for name, parameter in inspect.signature(function.fn).parameters.items()
            if name != "request"  # Gradio's own
        }
        for function in page.fns.values()
        if function.fn is not None
    }


def index(base: str) -> HTMLResponse:
    """Return the page at `base`, with the full address of its preview picture."""
    picture = html.escape(f"{base}web/preview.png")
    page = page_html("start_server.js").replace('content="web/preview.png"', f'content="{picture}"')
    return HTMLResponse(page, headers=FRESH)


def launch(
    page: gr.Blocks,
    start: dict[str, Any],
    routes: Sequence[Route] = (),
    *,
    host: str | None = None,
    owner: Owner | None = None,
    trusted: str = "",
    **options: Any,
) -> tuple[str, str | None]:
    """Serve the page and return its address on this machine and its public address, if any.
    `start`: see `write.start`; `routes`: more addresses to answer; `owner`: of the pages among
    them; `trusted`: the trusted proxies (proxies.py); `options`: of Gradio.

    A local page answers only to this machine's names, so that no other site can reach it through
    its own name (DNS rebinding). A trusted proxy may send any name.

    Raises:
        ValueError: GRADIO_ROOT_PATH cannot be used.
    """
    host = host and host.strip("[]")
    is_local = host is None or host in LOCAL
    root = checked_root(os.environ.get("GRADIO_ROOT_PATH", ""))
    is_closed = is_local and not options.get("share") and not trusted
    names = {*LOCAL, urlsplit(root).hostname or "localhost"} if is_closed else None
    mimetypes.add_type("text/javascript", ".js")  # on Windows programs can change the type
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # switches uvicorn's middleware off, for proxies.py

    async def begin(request: Request) -> JSONResponse:
        address = start["address"] or f"{own_address(request, start['public'])}s/"
        is_owner = owner is not None and owner.is_asking(request)
        return JSONResponse({**start, "address": address, "owner": is_owner}, headers=FRESH)

    files, built = StaticFiles(directory=WEB), StaticFiles(directory=CORE.parent)

    async def web(request: Request) -> Response:  # a Mount fails below a proxy's path
        name = request.path_params["name"]
        is_core = name == f"sampling/{CORE.name}"
        answer = await (
            built.get_response(CORE.name, request.scope)
            if is_core
            else files.get_response(name, request.scope)
        )
        answer.headers.update(FRESH)
        return answer

    served = page.launch(
        server_name=f"[{host}]" if host and ":" in host else host,
        favicon_path=str(WEB / "icon-192.png"),
        max_threads=VISITORS_MAX,
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        max_file_size="1kb",  # the page takes no files
        app_kwargs={
            "routes": [Route("/web/start.json", begin), Route("/web/{name:path}", web), *routes],
            "middleware": [
                Middleware(Proxies, trusted=trusted, root=root, names=names),
                Middleware(Guard, endpoints=parameters_of(page), start=start, owner=owner),
            ],
        },
        root_path="",  # proxies.py sets it; Gradio does not check its slashes
        prevent_thread_lock=True,
        quiet=True,
        **options,
    )
    answer_in_json(page)
    return served[1], served[2]
