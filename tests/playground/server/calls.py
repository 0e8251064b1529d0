"""A call of the page's queue over plain HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any


def call(url: str, name: str, *values: Any) -> list[tuple[str, Any]]:
    """The events of an endpoint, as curl gets them."""
    body = json.dumps({"data": values}).encode()
    address = f"{url}gradio_api/call/{name}"
    ask = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    event = json.load(urllib.request.urlopen(ask))["event_id"]
    answer = urllib.request.urlopen(f"{address}/{event}").read().decode()
    blocks = [block.split("\n", 1) for block in answer.strip().split("\n\n")]
    return [
        (first.removeprefix("event: "), json.loads(second.removeprefix("data: ")))
        for first, second in blocks
    ]
