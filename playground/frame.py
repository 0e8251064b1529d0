"""The HTML around the page's component: web/index.html for the app and for the page without a
server."""

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
    for module in modules:  # grows
        folder, code = posixpath.dirname(module), (WEB / module).read_text(encoding="utf-8")
        for name in STATIC_IMPORT.findall(code):
            path = posixpath.normpath(posixpath.join(folder, name))
            if path not in modules:
                modules.append(path)
    return modules


def frame_of(start: str) -> str:
    """Return the HTML that runs the module `start`, with a preload link for each of its modules.

    Without the links a browser finds a module when it has parsed the importing module: a round
    trip to the server for each of four levels. With them it requests all at once.
    """
    html = (WEB / "index.html").read_text(encoding="utf-8")
    links = [f'  <link rel="modulepreload" href="web/{name}">\n' for name in modules_of(start)]
    script = f'  <script type="module" src="web/{start}"></script>\n'
    return html.replace("</head>", f"{''.join(links)}{script}</head>")
