"""The client and the address of a request, behind a proxy too.

A proxy sends them in headers that any visitor can write as well. So only the headers of trusted
proxies (`--forwarded-allow-ips`) are used; all others are removed, since Gradio would trust them.
After this layer a request's client, scheme, Host and root path are those that the visitor sees, and
`request.base_url` is the page's own address."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from playground.server.network import LOCAL

# The headers of a proxy that some library reads.
ADDED = (
    "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix",
    "x-forwarded-port", "x-forwarded-server", "x-real-ip", "forwarded", "via",
)  # fmt: skip
HOST = re.compile(r"(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.ASCII | re.IGNORECASE)
PREFIX = re.compile(r"(?:/[\w.~-]+)*", re.ASCII)


class Proxies:
    """Sets a request's address from the headers of trusted proxies, and refuses wrong names."""

    def __init__(
        self, app: ASGIApp, trusted: str, root: str, names: Collection[str] | None
    ) -> None:
        """`trusted`: addresses and networks as uvicorn takes them, "" for none; `root`: as
        `checked_root` returns it; `names`: hosts that a request may name, None for any."""
        self.app, self.names = app, names
        # It reads client and scheme; uvicorn's own middleware is switched off (site.launch).
        self.proxy_headers = ProxyHeadersMiddleware(self.behind, trusted_hosts=trusted)  # type: ignore[arg-type]
        self.root = urlsplit(root)
        self.has_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        refusal = ""
        if not HOST.fullmatch(host) and (host or self.names is not None):
            refusal = "The Host header names no host."
        elif self.names is not None and name_of(host) not in self.names:
            refusal = NOT_HERE.format(name_of(host))
        if refusal:
            await JSONResponse({"detail": refusal}, 400)(scope, receive, send)
            return
        scope = {**scope, "headers": list(scope["headers"]), "state": {**scope.get("state", {})}}
        added = [name for name in ADDED if name in headers]
        # A browser with the page from another address came through a proxy that hides itself.
        elsewhere = urlsplit(headers.get("origin", f"//{host}")).netloc != host
        scope["state"]["passed_on"] = bool(added) or elsewhere or name_of(host) not in LOCAL
        peer = (scope.get("client") or ("",))[0]
        if peer in self.proxy_headers.trusted_hosts:
            self.believe(scope, headers)
        elif added:
            self.warn(peer, added)
        if self.root.netloc:
            MutableHeaders(scope=scope)["host"] = self.root.netloc
        await self.proxy_headers(scope, receive, send)  # type: ignore[arg-type]

    def believe(self, scope: Scope, headers: Headers) -> None:
        """Take Host and root path from a trusted proxy's headers; uvicorn does not read them."""
        host = headers.get("x-forwarded-host", "").split(",")[0].strip()
        if HOST.fullmatch(host):
            MutableHeaders(scope=scope)["host"] = host
        prefix = headers.get("x-forwarded-prefix", "").rstrip("/")
        if prefix and PREFIX.fullmatch(prefix):
            scope["root_path"] = prefix

    async def behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on without the proxies' headers."""
        headers = MutableHeaders(scope=scope)
        for name in ADDED:
            del headers[name]
        if self.root.scheme:
            scope["scheme"] = self.root.scheme
        if self.root.path:
            scope["root_path"] = self.root.path
        await self.app(scope, receive, send)

    def warn(self, peer: str, added: list[str]) -> None:
        """Warn once about a proxy that is not trusted."""
        if self.has_warned:
            return
        self.has_warned = True
        print(
            f"A proxy at {peer} passes requests on (it sends {', '.join(added)}) and is not named: "
            "links may lead to a wrong address. If it is yours, start with "
            f"--forwarded-allow-ips {peer} (docs/proxy.md).",
            file=sys.stderr,
            flush=True,
        )


NOT_HERE = (
    "This page is for this machine only and does not answer as {!r}. "
    "If a proxy passes requests on, name it with --forwarded-allow-ips."
)


def checked_root(text: str) -> str:
    """Return the page's root path, "" or with a slash before it and none after it, or the whole
    address. `text` is "inkling", "/inkling/" or "https://example.org/inkling".

    Raises:
        ValueError: it is neither a path nor an address.
    """
    where = urlsplit(text.strip())
    path = where.path.strip("/")
    path = path and f"/{path}"
    is_address = where.scheme in ("http", "https") and HOST.fullmatch(where.netloc)
    is_path = not where.scheme and not where.netloc
    rest = where.query or where.fragment
    if rest or not PREFIX.fullmatch(path) or not (is_address or is_path):
        raise ValueError(
            "GRADIO_ROOT_PATH is a path such as /inkling or an address such as "
            f"https://example.org/inkling, not {text!r}."
        )
    return f"{where.scheme}://{where.netloc}{path}" if is_address else path


def name_of(host: str) -> str:
    """Return the name or address in a Host header, without the port."""
    return host[1:].split("]")[0] if host.startswith("[") else host.split(":")[0].lower()
