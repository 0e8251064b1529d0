"""`app.py --mcp`: the endpoints as tools of the Model Context Protocol, asked by its own client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from playground.engine.engine import Engine
from playground.server import site, write


async def ask(url: str) -> tuple[list[str], str, str]:
    """The tools of the server, a story, and what `branch` makes of what `score` answers."""
    async with (
        streamable_http_client(f"{url}gradio_api/mcp/") as (reader, writer, _),
        ClientSession(reader, writer) as session,
    ):
        await session.initialize()
        tools: Any = (await session.list_tools()).tools
        assert all(tool.description for tool in tools)
        story = await session.call_tool(
            "generate", {"prompt": "Once upon a time", "seed": 7, "length": 9}
        )
        part: Any = story.content[0]
        scored: Any = (await session.call_tool("score", {"text": "The fox ran."})).content[0]
        turned: Any = (await session.call_tool("branch", branch_of(scored.text))).content[0]
        json.loads(scored.text)
        return [tool.name for tool in tools], part.text, turned.text


def branch_of(story: str) -> dict[str, Any]:
    """A branch of a story's JSON text at its second token."""
    return {"story": story, "position": 1, "token_id": 5, "length": 2}


def test_an_assistant_finds_the_tools_and_gets_a_story(engine: Engine) -> None:
    engines = {"tiny": engine}
    page, _ = write.build(engines)
    url, _ = site.launch(page, write.start(engines), mcp_server=True)
    try:
        names, story, turned = asyncio.run(ask(url))
    finally:
        page.close(verbose=False)
    assert names == ["generate", "stories", "score", "candidates", "branch", "trace"]
    assert story.startswith("Once upon a time")
    assert len(story) > len("Once upon a time")
    assert json.loads(turned)["tokens"][1]["token_id"] == 5
