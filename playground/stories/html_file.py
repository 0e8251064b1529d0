"""A story as one HTML file that opens from a disk and shows the odds of every word.

The page's own modules (web/reader.js and what it imports), styles and typefaces are put into the
file, and the story's record as JSON, so nothing is fetched and no word of the story is markup.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from functools import lru_cache
from importlib import resources

from playground.stories.shared_story import SharedStory
from playground.stories.story import Story

IMPORT = re.compile(r'(\bfrom |\bimport )"\./([\w-]+\.js)"')
FONT = re.compile(r'url\("(fonts/[\w-]+\.woff2)"\)')
ROOM = "inkling/"  # before a module's name in the import map
DIGITS = 6  # of the probabilities
START = """\
import "inkling/reader.js";
const read = (name) => JSON.parse(document.getElementById(name).textContent);
const reader = document.createElement("inkling-reader");
document.querySelector("main").replaceChildren(reader);
reader.start({ record: read("record"), texts: read("texts") });
"""


def html_file(story: SharedStory, record: Story) -> str:
    """The file's text.

    Args:
        story: for its title, author, settings and link.
        record: the same story with what each token could have been.
    """
    modules = json.dumps({"imports": import_map()})
    scripts = [modules, START]
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; "
        f"script-src data: {' '.join(map(allowed, scripts))}"
    )
    title, link = html.escape(story.title), html.escape(story.link)
    open_it = f'<p><a href="{link}" rel="noreferrer">Open it where it was written</a></p>'
    paragraphs = "\n".join(f"<p>{html.escape(part)}</p>" for part in story.paragraphs)
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="generator" content="Inkling">
<title>{title}</title>
<style>{style()}</style>
<script type="importmap">{modules}</script>
</head>
<body class="shared">
<header><h1>{title}</h1><p>{html.escape(story.byline)}</p></header>
<main>{paragraphs}</main>
<footer><p>{html.escape(f"{story.model}: {story.settings}")}</p>{open_it if link else ""}</footer>
<script type="application/json" id="record">{as_data(shorter(record))}</script>
<script type="application/json" id="texts">{as_data(json.loads(web("text.json")))}</script>
<script type="module">{START}</script>
</body>
</html>
"""


def web(name: str) -> str:
    """A file of the page."""
    return resources.files("playground").joinpath("web", name).read_text(encoding="utf-8")


@lru_cache(1)
def import_map() -> dict[str, str]:
    """The reader's module and all that it imports, as addresses that hold the whole text."""
    found: dict[str, str] = {}
    waiting = ["reader.js"]
    while waiting:
        name = waiting.pop()
        if ROOM + name in found:
            continue
        text = web(name)
        waiting += [imported for _, imported in IMPORT.findall(text)]
        text = IMPORT.sub(rf'\1"{ROOM}\2"', text)
        found[ROOM + name] = f"data:text/javascript;base64,{encoded(text.encode())}"
    return found


@lru_cache(1)
def style() -> str:
    """The page's style with its typefaces."""

    def font(match: re.Match[str]) -> str:
        data = resources.files("playground").joinpath("web", match[1]).read_bytes()
        return f'url("data:font/woff2;base64,{encoded(data)}")'

    return FONT.sub(font, web("style.css"))


def shorter(record: Story) -> dict[str, object]:
    """A record's values with numbers of six digits after the point."""

    def rounded(value: object) -> object:
        if isinstance(value, float):
            return round(value, DIGITS)
        if isinstance(value, dict):
            return {name: rounded(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [rounded(one) for one in value]
        return value

    return {name: rounded(value) for name, value in record.to_values().items()}


def as_data(value: object) -> str:
    """JSON that no HTML parser takes for anything else."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def allowed(script: str) -> str:
    """A script's text as the policy names it."""
    return f"'sha256-{encoded(hashlib.sha256(script.encode()).digest())}'"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
