"""The page on which stories are written: its data at the start, and its endpoints.

The page's own code begins in web/editor/writer.js; it holds the story and runs without a server
too. Gradio brings the server, the queue, the API, and a Space's frame.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.routing import Route

from playground.engine.engine import Engine
from playground.folder.model_info import described
from playground.page_html import WEB
from playground.server import page_calls
from playground.server.api import Api
from playground.server.network import space_page
from playground.server.snapshots import Snapshots
from playground.server.trace import TraceApi

VISITORS_MAX = 128  # stories under way at once; the engine's own bound is lower
# Seconds between two looks at Gradio's queue. Its own millisecond takes 8 % of a core while idle.
QUEUE_POLL = 0.01
CORE = WEB.parent / "core" / "built" / "core.wasm"


def texts() -> dict[str, dict[str, str]]:
    """Return all texts of the page, by language."""
    by_language: dict[str, dict[str, str]] = json.loads((WEB / "text.json").read_text("utf-8"))
    return by_language


def start(engines: Mapping[str, Engine]) -> dict[str, Any]:
    """Return the component's data at the start: the models, and the first story, if the first
    model wrote it."""
    record = json.loads((WEB / "first_story.json").read_text(encoding="utf-8"))
    first = next(iter(engines.values()))
    space = space_page()  # on the Hub links lead to the Space, not to its frame
    return {
        "address": f"{space}?story=" if space else None,
        "owner": False,  # whether the visitor may open Train, Models and Publish
        "public": None,  # where others reach the page, if the app finds that out
        "models": [listed(name, engine) for name, engine in engines.items()],
        "record": record if record["model"] == first.storyteller.fingerprint else None,
    }


def listed(name: str, engine: Engine) -> dict[str, Any]:
    """Return one model's data for the component."""
    about = described(
        engine.storyteller.facts,
        engine.storyteller.fingerprint,
        engine.storyteller.tokenizer_fingerprint,
        engine.context,
        engine.max_streams,
    )
    return about | {"name": name, "snapshots": engine.storyteller.snapshots is not None}


def build(engines: Mapping[str, Engine], trace: Path | None = None) -> tuple[gr.Blocks, Route]:
    """Return the endpoints of programs and the route to those of the page, for `site.launch`.
    `engines`: models by name; the first answers requests without a name. `trace`: see
    `TraceApi`."""
    calls = page_calls.PageCalls(engines)
    api, tracing, snapshots = Api(calls), TraceApi(calls, trace), Snapshots(calls)
    page: gr.Blocks
    with gr.Blocks(title=texts()["en"]["title"], analytics_enabled=False) as page:
        for endpoint in (
            api.generate,
            api.stories,
            api.score,
            api.candidates,
            api.branch,
            tracing.trace,
        ):
            gr.api(
                endpoint,
                api_name=endpoint.__name__,
                concurrency_limit=VISITORS_MAX,
                concurrency_id=endpoint.__name__,
            )
    page.queue(max_size=VISITORS_MAX, status_update_rate=5)
    page._queue.sleep_when_free = QUEUE_POLL
    route = page_calls.route(
        calls.page_write,
        calls.page_score,
        calls.page_record,
        calls.page_candidates,
        calls.page_inside,
        snapshots.page_snapshots,
        snapshots.page_snapshot_story,
        snapshots.page_snapshot_score,
        tracing.page_trace,
    )
    return page, route
