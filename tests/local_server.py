"""A server on this machine for as long as a test needs it: what stands for the Hub and its like."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with bytes or JSON, and writes no log. A subclass answers `do_GET` and its like."""

    protocol_version = "HTTP/1.1"
    wbufsize = 2**16  # head and body in one packet, or each answer waits 40 ms for the other side

    def log_message(self, format: str, *arguments: object) -> None:
        """Write nothing."""

    def send(self, code: int, content: Any = b"", **headers: str) -> None:
        """Answer with bytes, or with anything else as JSON; `X_Name` is the header X-Name."""
        is_raw = isinstance(content, bytes)
        body = content if is_raw else json.dumps(content).encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if not is_raw:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve with a handler on a free port; yields the address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
