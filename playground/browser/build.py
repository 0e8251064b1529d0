"""Build the page without a server: a folder for any static server, which also opens offline.

index.html  sw.js  start.json  README.md  .nojekyll
model-CHECKSUM.inkling      the packed weights (pack.py)
runs-CHECKSUM.filter        filter of the training stories' 8-word runs, if the export has one
web/                        the app's page and core.wasm; web/sources/local/ has what computes
                            in the browser: worker, tokenizer, scheduler
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from playground.browser.pack import Packed, pack
from playground.folder.model_folder import ModelFolder
from playground.folder.model_info import described
from playground.page_html import page_html
from playground.trace.run_filter import FILE as FILTER

MARKER = "inkling-page.json"  # marks a folder that this module wrote and may replace
STREAMS = 8  # stories that the page writes in parallel
# Files that only the app's server or the type checker needs.
APP_ONLY = {
    "api.html", "api.js", "first_story.json", "index.html", "key.html", "key.js", "preview.png",
    "sources/server.js", "start_server.js", "start_failure.js", "types.d.ts",
}  # fmt: skip
TRAINING = ("models/", "studio/", "train/", "vendor/uplot/")  # the pages that manage runs
HUB = "https://huggingface.co"


class Page(NamedTuple):
    """A built page.

    Attributes:
        files: content by path, with the weights if they are in the page's folder.
        weights: name of the weights' file.
        packed: the weights.
    """

    files: dict[str, bytes]
    weights: str
    packed: Packed


def page_of(
    model: ModelFolder,
    *,
    weights: str = "fp16",
    weights_from: str | None = None,
    address: str | None = None,
) -> Page:
    """Return the page of an export.

    Args:
        model: the export.
        weights: "fp16" or "int8".
        weights_from: the repository USER/NAME on the Hub that holds the weights' file as
            browser/FILE; None if it is in the page's folder.
        address: the address before a link's text; None for the page's own.

    Raises:
        ValueError: the page cannot compute the model.
    """
    packed = pack(model, weights)
    checksum = checksum_of(packed.content)
    name = f"model-{hashlib.sha256(packed.content).hexdigest()[:12]}.inkling"
    location = name if weights_from is None else f"{HUB}/{weights_from}/resolve/main/browser/{name}"
    runs = filter_of(model)
    start = start_of(model, packed, next(iter(runs), None)) | {
        "address": address,
        "model": {"weights": location, "bytes": len(packed.content), "checksum": checksum},
    }
    own = resources.files("playground")
    files = {
        f"web/{path}": content
        for path, content in read(own / "web")
        if path not in APP_ONLY and not path.startswith(TRAINING)
    }
    files["web/sampling/core.wasm"] = (own / "core" / "built" / "core.wasm").read_bytes()
    files["start.json"] = json.dumps(start, ensure_ascii=False).encode()
    start_failure = (own / "web" / "start_failure.js").read_text(encoding="utf-8")
    files["index.html"] = index(page_html("start_static.js"), start_failure).encode()
    files["sw.js"] = service_worker(files.pop("web/sources/local/sw.js").decode(), files).encode()
    files |= runs  # after the service worker's list: few visitors need the filter offline
    files[".nojekyll"] = b""  # GitHub Pages must serve the folder unchanged
    files[MARKER] = json.dumps({"model": model.facts.name, "weights": weights}).encode()
    if weights_from is None:
        files[name] = packed.content
    return Page(files, name, packed)


def read(folder: Any, before: str = "") -> list[tuple[str, bytes]]:
    """Return (path, content) of the files in a package's folder, sorted."""
    files = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            files += read(entry, f"{before}{entry.name}/")
        elif not entry.name.startswith("."):
            files.append((before + entry.name, entry.read_bytes()))
    return files


def filter_of(model: ModelFolder) -> dict[str, bytes]:
    """Return name and content of the filter of the training stories' runs; {} without one."""
    file = model.folder / FILTER
    if not file.is_file():
        return {}
    content = file.read_bytes()
    return {f"runs-{hashlib.sha256(content).hexdigest()[:12]}.filter": content}


def start_of(model: ModelFolder, packed: Packed, runs: str | None) -> dict[str, Any]:
    """Return the start data of the page's component, which server/write.py makes for the app.
    `runs`: the name of the filter."""
    web = resources.files("playground").joinpath("web")
    record = json.loads((web / "first_story.json").read_text(encoding="utf-8"))
    is_by_model = record["model"] == model.fingerprint
    models = [
        described(
            model.facts,
            packed.fingerprint,
            model.tokenizer_fingerprint,
            model.facts.context,
            STREAMS,
        )
        | {"trace": runs}
    ]
    return {"models": models, "record": record if is_by_model else None}


def index(html: str, start_failure: str) -> str:
    """Return the page's HTML without the server's address. The script that reports a failed start
    is inlined, so that it runs even if no file loads."""
    html = html.replace(
        '<script src="web/start_failure.js"></script>', f"<script>\n{start_failure}</script>"
    )
    html = re.sub(r'\s*<meta property="og:image"[^>]*>', "", html)
    style = '<link rel="stylesheet" href="web/style/base.css">'
    own = '<link rel="stylesheet" href="web/style/loading.css">'
    return html.replace(style, f"{style}\n  {own}")


def service_worker(template: str, files: Mapping[str, bytes]) -> str:
    """Return sw.js with the names of the files, and a version that changes with any of them."""
    digest = hashlib.sha256(template.encode())
    for name in sorted(files):
        digest.update(f"{name} {len(files[name])}\n".encode() + files[name])
    names = ["./", *sorted(name for name in files if name != "index.html")]
    return template.replace("{{VERSION}}", digest.hexdigest()[:12]).replace(
        '["{{FILES}}"]', json.dumps(names)
    )


def checksum_of(content: bytes) -> str:
    """Return the checksum that fetch_model.js verifies: two sums over the 32-bit words modulo 2^32,
    plain and weighted by position."""
    words = np.frombuffer(content[: len(content) // 4 * 4], "<u4").astype(np.uint64)
    positions = np.arange(1, len(words) + 1, dtype=np.uint64)
    mask = np.uint64(2**32 - 1)
    weighted = (words * positions) & mask
    return f"{int(words.sum() & mask)}-{int(weighted.sum() & mask)}"


def write(page: Page, out: Path) -> None:
    """Write a page to a folder, which must be new, empty, or an older page.

    Raises:
        ValueError: the folder has other files, or cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: name a folder for the page.")
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise ValueError(f"{out} holds other files: name a new folder, or an empty one.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # In the same parent folder, so that renaming is atomic.
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
            for name, content in page.files.items():
                file = Path(temporary, "page", name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            if out.is_dir():
                out.rename(Path(temporary, "before"))
            Path(temporary, "page").rename(out)
    except OSError as error:
        raise ValueError(f"{out} cannot be written: {error.strerror}.") from None


def write_weights(page: Page, folder: Path) -> Path:
    """Write only the weights' file, for a repository on the Hub, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / page.weights
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as partial:
        partial.write(page.packed.content)
    shutil.move(partial.name, file)
    return file
