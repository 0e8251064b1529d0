"""At which addresses other machines reach a server on this one."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from starlette.requests import Request

ANYWHERE = ("0.0.0.0", "::")
LOCAL = ("127.0.0.1", "localhost", "::1")
# A datagram socket that is "connected" says from which address it would send, and sends nothing.
# These are set aside for documents (RFC 5737, RFC 3849), so they are nobody's.
OUTSIDE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def space_page() -> str | None:
    """The address of this Space on the Hub; None elsewhere."""
    space = os.environ.get("SPACE_ID")
    return f"https://huggingface.co/spaces/{space}" if space else None


def own_address(request: Request, public: str | None) -> str:
    """The page's own address with a slash at its end: the one source for links, codes, files and
    previews. It is the address that was asked for (proxies.py), or `public`, where others reach the
    page, for somebody who asked by a name that only this machine knows.
    """
    base = request.base_url
    is_public = public is not None and base.hostname == urlsplit(public).hostname
    return public if public and (is_public or base.hostname in LOCAL) else f"{base}"


def urls(host: str, port: int) -> list[str]:
    """The addresses of a server that listens on `host`, the likeliest first; none for one that
    only this machine reaches."""
    if host in LOCAL:
        return []
    found = [host] if host not in ANYWHERE else list(dict.fromkeys(own_addresses(host)))
    return [f"http://{f'[{one}]' if ':' in one else one}:{port}/" for one in found]


def own_addresses(host: str) -> Iterator[str]:
    """This machine's addresses, of the kind that `host` listens on; first that of its way out."""
    families = (socket.AF_INET,) if host == "0.0.0.0" else (socket.AF_INET, socket.AF_INET6)
    for family, outside in OUTSIDE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((outside, 9))
            if family in families:
                yield probe.getsockname()[0]
    with contextlib.suppress(OSError):
        for family, *_, address in socket.getaddrinfo(socket.gethostname(), None):
            one = str(address[0])
            is_useful = not one.startswith(("127.", "fe80:")) and one != "::1"
            if family in families and is_useful:
                yield one
