"""The addresses at which other machines reach a server on this machine."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from starlette.requests import Request

ANYWHERE = ("0.0.0.0", "::")
LOCAL = ("127.0.0.1", "localhost", "::1")
# A "connected" datagram socket knows from which address it would send, and sends nothing. These
# addresses are reserved for documentation (RFC 5737, RFC 3849).
OUTSIDE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def space_page() -> str | None:
    """Return the address of this Space on the Hub; None elsewhere."""
    space = os.environ.get("SPACE_ID")
    return f"https://huggingface.co/spaces/{space}" if space else None


def own_address(request: Request, public: str | None) -> str:
    """Return the page's own address with a slash at its end, for links, codes, files and previews:
    the address of the request (proxies.py), or `public`, where others reach the page, if the
    request names this machine by a local name.
    """
    base = request.base_url
    is_public = public is not None and base.hostname == urlsplit(public).hostname
    return public if public and (is_public or base.hostname in LOCAL) else f"{base}"


def urls(host: str, port: int) -> list[str]:
    """Return the addresses of a server that listens on `host`, the likeliest first; none if only
    this machine reaches it."""
    if host in LOCAL:
        return []
    names = [host] if host not in ANYWHERE else list(dict.fromkeys(own_addresses(host)))
    return [f"http://{f'[{name}]' if ':' in name else name}:{port}/" for name in names]


def own_addresses(host: str) -> Iterator[str]:
    """Yield this machine's addresses, of the families that `host` listens on; first the one from
    which it sends to the Internet."""
    families = (socket.AF_INET,) if host == "0.0.0.0" else (socket.AF_INET, socket.AF_INET6)
    for family, outside in OUTSIDE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((outside, 9))
            if family in families:
                yield probe.getsockname()[0]
    with contextlib.suppress(OSError):
        for family, *_, address in socket.getaddrinfo(socket.gethostname(), None):
            name = str(address[0])
            is_useful = not name.startswith(("127.", "fe80:")) and name != "::1"
            if family in families and is_useful:
                yield name
