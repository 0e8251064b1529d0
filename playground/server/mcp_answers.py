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
        texts = [
            json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
            for value in data
        ]
        return content_of(texts, root_url)

    server.postprocess_output_data = in_json  # type: ignore[method-assign]
