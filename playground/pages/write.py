"""The page on which a story is written: a beginning, the settings, the story as its words come.

Notable decisions. A story is shown by a component whose template is constant (web/story.js),
never by markup made of its words. Generate and Stop share one place, and the browser turns one
into the other at once, before the server has answered. The seed of a new story is drawn in the
browser too: it is shown while the story is written, and no update of the story has to carry it.
"""

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import gradio as gr

from playground.engine.engine import Engine
from playground.pages.model_info import rows
from playground.pages.write_events import EMPTY, PROMPT_MAX, WriteEvents
from playground.sampling import LENGTH_MAX, SEED_END, TOP_K_MAX

VISITORS_MAX = 128  # stories under way at once; the engine's own bound refuses before this one does
SESSIONS_MAX = 512  # visitors whose story is kept for Continue; the oldest goes first
SESSION_SECONDS = 3600

OPENINGS = (
    "Once upon a time, there was a little fox who",
    "One day, Lily found a tiny door in the tree.",
    "The moon was lonely, so",
    "Tom and his robot wanted to bake a cake.",
)

TITLE = """
<h1>Inkling</h1>
<p>A small language model that tells stories. You begin; it goes on.</p>
"""
KEYS = "<kbd>Ctrl</kbd> <kbd>Enter</kbd> generate · <kbd>Esc</kbd> stop"
SHEET = """
<article class="sheet" aria-label="The story">
  <p class="blank">The page is empty.<br>Begin a story above, or let the model begin one.</p>
  <div class="text" aria-live="polite"><span class="prompt"></span><span class="words"></span><span
    class="end" aria-hidden="true"></span></div>
  <p class="note"></p>
</article>
"""
FACTS = '<section aria-label="About this model"><h2>About this model</h2><dl></dl></section>'

# What the browser does by itself when a button is pressed, before the server has answered.
BEGIN = """(fresh, seed, sheet) => [
  fresh ? crypto.getRandomValues(new Uint32Array(1))[0] : seed,
  { ...sheet, note: "", writing: true },
]"""
CARRY_ON = '(sheet) => ({ ...sheet, note: "", writing: true })'
STOP = "(sheet) => ({ ...sheet, writing: false })"


def web(name: str) -> str:
    """The text of a file in playground/web."""
    return resources.files("playground").joinpath("web", name).read_text(encoding="utf-8")


def build(engines: Mapping[str, Engine]) -> gr.Blocks:
    """The page, for `launch()`. `engines`: models by the name they go by; the first is open."""
    desk = WriteEvents(engines)
    names = list(engines)
    with gr.Blocks(title="Inkling", analytics_enabled=False) as page:
        stream = gr.State(time_to_live=SESSION_SECONDS)
        gr.HTML(TITLE, elem_id="title")
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=320):
                prompt = gr.Textbox(
                    label="The beginning",
                    placeholder="Once upon a time…",
                    lines=2,
                    max_lines=10,
                    max_length=PROMPT_MAX,
                    elem_id="prompt",
                )
                with gr.Row(elem_id="openings"):
                    examples = [(gr.Button(opening, size="sm"), opening) for opening in OPENINGS]
                with gr.Row(elem_id="actions"):
                    generate = gr.Button("Generate", variant="primary", elem_id="generate")
                    stop = gr.Button("Stop", variant="stop", elem_id="stop")
                    go_on = gr.Button("Continue", elem_id="continue")
                    gr.HTML(KEYS, elem_id="keys")
                sheet = gr.HTML(
                    EMPTY,
                    html_template=SHEET,
                    js_on_load=web("story.js"),
                    apply_default_css=False,
                    elem_id="story",
                )
            with gr.Column(scale=4, min_width=300):
                model = gr.Dropdown(names, value=names[0], label="Model", visible=len(names) > 1)
                with gr.Group():
                    temperature = gr.Slider(
                        0,
                        2,
                        0.8,
                        step=0.05,
                        label="Temperature",
                        info="0 is sure of itself, 2 is wild",
                    )
                    top_k = gr.Slider(
                        0,
                        TOP_K_MAX,
                        40,
                        step=1,
                        label="Top-k",
                        info="Draw from the k likeliest; 0 is all",
                    )
                    length = gr.Slider(
                        16,
                        LENGTH_MAX,
                        200,
                        step=1,
                        label="Length",
                        info="Tokens: about 4 letters each",
                    )
                    seed = gr.Number(
                        0,
                        label="Seed",
                        precision=0,
                        minimum=0,
                        maximum=SEED_END - 1,
                        info="The same seed and settings tell the same story",
                        elem_id="seed",
                    )
                    fresh = gr.Checkbox(True, label="New seed each time")
                facts = gr.HTML(
                    rows(engines[names[0]].storyteller.facts),
                    html_template=FACTS,
                    js_on_load=web("facts.js"),
                    apply_default_css=False,
                    elem_id="facts",
                )

        stories: Any = {
            "concurrency_limit": VISITORS_MAX,
            "concurrency_id": "stories",
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        small: Any = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        settings = [temperature, top_k, length, seed, sheet, stream]
        new = generate.click(None, [fresh, seed, sheet], [seed, sheet], js=BEGIN, **small).then(
            desk.write, [model, prompt, *settings], [sheet, stream], **stories
        )
        more = go_on.click(None, sheet, sheet, js=CARRY_ON, **small).then(
            desk.go_on, [model, *settings], [sheet, stream], **stories
        )
        stop.click(None, sheet, sheet, js=STOP, cancels=[new, more], **small).then(
            desk.stop, [sheet, stream], sheet, **small
        )
        model.change(desk.about, model, facts, **small)
        for button, opening in examples:
            button.click(None, None, prompt, js=f"() => {json.dumps(opening)}", **small)
        gr.api(
            desk.generate,
            api_name="generate",
            concurrency_limit=VISITORS_MAX,
            concurrency_id="stories",
        )
    return page.queue(max_size=VISITORS_MAX, status_update_rate=5)
