"""A call of the served page over plain HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest


def call(url: str, name: str, *values: Any) -> list[tuple[str, Any]]:
    """The events of an endpoint, of the page's own or through Gradio's queue, as curl gets them."""
    if name.startswith("page_"):
        (value,) = values
        return events_of(post(f"{url}call/{name}", value))
    address = f"{url}gradio_api/call/{name}"
    event = json.loads(post(address, {"data": values}))["event_id"]
    return events_of(urllib.request.urlopen(f"{address}/{event}").read())


def post(address: str, values: Any) -> bytes:
    """The answer to a request in JSON."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(values).encode(), headers)
    content: bytes = urllib.request.urlopen(request).read()
    return content


def events_of(content: bytes) -> list[tuple[str, Any]]:
    """The events of an answer, each a name and its data."""
    blocks = [block.split("\n", 1) for block in content.decode().strip().split("\n\n")]
    return [
        (first.removeprefix("event: "), json.loads(second.removeprefix("data: ")))
        for first, second in blocks
    ]


def refusal(address: str, body: Any) -> str:
    """Why a body is refused with 422."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(address, body)
    assert refused.value.code == 422
    detail: str = json.load(refused.value)["detail"]
    return detail
