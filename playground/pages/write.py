"""The page on which stories are written: one component, and the endpoints that it asks.

Everything that a visitor sees and does is in web/writer.js, which holds the story itself and runs
without Gradio too. Gradio brings the server: the queue, the API, the frame of a Space.
"""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import gradio as gr

from playground.engine.engine import Engine
from playground.pages.api import Api
from playground.pages.model_info import rows

VISITORS_MAX = 128  # stories under way at once; the engine's own bound refuses before this one does
WEB = Path(str(resources.files("playground").joinpath("web")))

TEMPLATE = '<inkling-writer aria-busy="true"></inkling-writer>'
# `import` in here would be relative to Gradio's own scripts.
LOAD = """
const writer = element.querySelector("inkling-writer");
const root = new URL("./", document.baseURI).href;
const { texts, record, models } = props.value;
import(`${root}web/writer.js`)
  .then(() => import(`${root}web/server.js`))
  .then(({ Server }) => writer.start({ source: new Server(root), models, texts, record }))
  .then(() => writer.removeAttribute("aria-busy"));
"""


def texts() -> dict[str, dict[str, str]]:
    """All words of the page, by language."""
    found: dict[str, dict[str, str]] = json.loads((WEB / "text.json").read_text(encoding="utf-8"))
    return found


def first_story(engines: Mapping[str, Engine]) -> dict[str, Any] | None:
    """The story that is there before anything is written, if one of the models told it."""
    record: dict[str, Any] = json.loads((WEB / "first_story.json").read_text(encoding="utf-8"))
    first = next(iter(engines.values()))
    return record if record["model"] == first.storyteller.fingerprint else None


def build(engines: Mapping[str, Engine]) -> gr.Blocks:
    """The page, for `launch()`. `engines`: models by the name they go by; the first is open."""
    api = Api(engines)
    models = [
        {
            "name": name,
            "context": engine.storyteller.facts.context,
            "facts": rows(engine.storyteller.facts),
        }
        for name, engine in engines.items()
    ]
    with gr.Blocks(title=texts()["en"]["title"], analytics_enabled=False) as page:
        gr.HTML(
            {"models": models, "texts": texts(), "record": first_story(engines)},
            html_template=TEMPLATE,
            js_on_load=LOAD,
            apply_default_css=False,
            elem_id="write",
        )
        named: list[Any] = [api.generate, api.score, api.candidates, api.branch]
        private: list[Any] = [api.page_write, api.page_score, api.page_candidates]
        for endpoint in [*named, *private]:
            gr.api(
                endpoint,
                api_name=endpoint.__name__,
                api_visibility="public" if endpoint in named else "undocumented",
                concurrency_limit=VISITORS_MAX,
                concurrency_id=endpoint.__name__,
            )
    return page.queue(max_size=VISITORS_MAX, status_update_rate=5)
