"""The HTML that loads the page's component, in the app and without a server: web/index.html with
the start script and the modules that it imports."""

import posixpath
import re
from functools import cache
from importlib import resources
from pathlib import Path

WEB = Path(str(resources.files("playground").joinpath("web")))
STATIC_IMPORT = re.compile(r'^(?:import|export)\b[^;(]*?"(\.[^"]+)";', re.MULTILINE)


@cache
def modules_of(start: str) -> list[str]:
    """Return the modules that must load before `start` runs, itself first. Paths are below web/."""
    modules = [start]
    for module in modules:  # the loop also reaches those that it appends
        folder, code = posixpath.dirname(module), (WEB / module).read_text(encoding="utf-8")
        for name in STATIC_IMPORT.findall(code):
            path = posixpath.normpath(posixpath.join(folder, name))
            if path not in modules:
                modules.append(path)
    return modules


def page_html(start: str) -> str:
    """Return the HTML that runs the module `start` (a path below web/), with a preload link for
    each module that it needs.

    Without the links a browser requests a module only after it has parsed the importing one: a
    round trip to the server for each level of imports. With them it requests all at once.
    """
    html = (WEB / "index.html").read_text(encoding="utf-8")
    links = [f'  <link rel="modulepreload" href="web/{name}">\n' for name in modules_of(start)]
    script = f'  <script type="module" src="web/{start}"></script>\n'
    return html.replace("</head>", f"{''.join(links)}{script}</head>")
