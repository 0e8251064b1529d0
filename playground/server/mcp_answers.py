"""Answers over the Model Context Protocol in JSON, which the next tool can read.

Gradio writes Python's notation, with single quotes and None.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr


def answer_in_json(page: gr.Blocks) -> None:
    """Make the tools of a launched page answer objects and lists as JSON."""
    server = page.mcp_server_obj
    if server is None:
        return
    content_of = server.postprocess_output_data

    def in_json(data: Any, root_url: str) -> Any:
        return content_of([json_text(value) for value in data], root_url)

    server.postprocess_output_data = in_json  # type: ignore[method-assign]


def json_text(value: Any) -> Any:
    """Return an object or a list as JSON, anything else as it is."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
