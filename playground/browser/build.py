"""The folder of a page without a server: what any static server shows, and what opens offline.

index.html  sw.js  start.json  README.md  .nojekyll
model-CHECKSUM.inkling          the packed weights (pack.py)
runs-CHECKSUM.filter            which 8-word runs the training stories have, if the export says so
web/                            the page as the app has it, core.wasm, and in web/sources/local/
                                what computes in the browser: worker, tokenizer, scheduler
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
from playground.trace.run_filter import FILE as FILTER

SIGN = "inkling-page.json"  # in a folder that we made, and may make again
STREAMS = 8  # stories that the page writes at once
# What only the app with its server needs, or tsc.
APP_ONLY = {
    "api.html", "api.js", "first_story.json", "index.html", "key.html", "key.js", "preview.png",
    "sources/server.js", "start_server.js", "trouble.js", "types.d.ts",
}  # fmt: skip
OWN_MACHINE = ("models/", "studio/", "train/", "vendor/uplot/")  # what trains
HUB = "https://huggingface.co"


class Page(NamedTuple):
    """A page, ready to be written.

    Attributes:
        files: content by path, the weights too if they lie beside the page.
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
            browser/FILE; None where it lies beside the page.
        address: what a link's text follows; None for the page's own address.

    Raises:
        ValueError: the page cannot compute the model; one sentence.
    """
    packed = pack(model, weights)
    checksum = checksum_of(packed.content)
    name = f"model-{hashlib.sha256(packed.content).hexdigest()[:12]}.inkling"
    location = name if weights_from is None else f"{HUB}/{weights_from}/resolve/main/browser/{name}"
    runs = filter_of(model)
    start = begin(model, packed, next(iter(runs), None)) | {
        "address": address,
        "model": {"weights": location, "bytes": len(packed.content), "checksum": checksum},
    }
    own = resources.files("playground")
    files = {
        f"web/{path}": content
        for path, content in read(own / "web")
        if path not in APP_ONLY and not path.startswith(OWN_MACHINE)
    }
    files["web/sampling/core.wasm"] = (own / "core" / "built" / "core.wasm").read_bytes()
    files["start.json"] = json.dumps(start, ensure_ascii=False).encode()
    frame, trouble = (
        (own / "web" / name).read_text(encoding="utf-8") for name in ("index.html", "trouble.js")
    )
    files["index.html"] = index(frame, trouble).encode()
    files["sw.js"] = service_worker(files.pop("web/sources/local/sw.js").decode(), files).encode()
    files |= runs  # after the list of what is kept offline: few visitors need it
    files[".nojekyll"] = b""  # GitHub Pages takes the folder as it is
    files[SIGN] = json.dumps({"model": model.facts.name, "weights": weights}).encode()
    if weights_from is None:
        files[name] = packed.content
    return Page(files, name, packed)


def read(folder: Any, before: str = "") -> list[tuple[str, bytes]]:
    """(path, content) of a package's files, in order."""
    found = []
    for one in sorted(folder.iterdir(), key=lambda one: one.name):
        if one.is_dir():
            found += read(one, f"{before}{one.name}/")
        elif not one.name.startswith("."):
            found.append((before + one.name, one.read_bytes()))
    return found


def filter_of(model: ModelFolder) -> dict[str, bytes]:
    """Name and content of the filter of the training stories' runs; empty without one."""
    file = model.folder / FILTER
    if not file.is_file():
        return {}
    content = file.read_bytes()
    return {f"runs-{hashlib.sha256(content).hexdigest()[:12]}.filter": content}


def begin(model: ModelFolder, packed: Packed, runs: str | None) -> dict[str, Any]:
    """Return the data that the component starts with (server/write.py makes it for the app).
    `runs`: the name of the filter."""
    web = resources.files("playground").joinpath("web")
    record = json.loads((web / "first_story.json").read_text(encoding="utf-8"))
    is_its = record["model"] == model.fingerprint
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
    return {"models": models, "record": record if is_its else None}


def index(html: str, trouble: str) -> str:
    """Return the app's frame with this page's start, and without what names a server's address. The
    script that says why a page does not begin is inside: it works where no other script is let in.
    """
    html = html.replace('<script src="web/trouble.js"></script>', f"<script>\n{trouble}</script>")
    html = re.sub(r'\s*<meta property="og:image"[^>]*>', "", html)
    html = html.replace("web/start_server.js", "web/start_static.js")
    style = '<link rel="stylesheet" href="web/style/base.css">'
    own = '<link rel="stylesheet" href="web/style/loading.css">'
    return html.replace(style, f"{style}\n  {own}")


def service_worker(template: str, files: Mapping[str, bytes]) -> str:
    """sw.js with the names of the files and a version that changes with any of them."""
    digest = hashlib.sha256(template.encode())
    for name in sorted(files):
        digest.update(f"{name} {len(files[name])}\n".encode() + files[name])
    names = ["./", *sorted(name for name in files if name != "index.html")]
    return template.replace("{{VERSION}}", digest.hexdigest()[:12]).replace(
        '["{{FILES}}"]', json.dumps(names)
    )


def checksum_of(content: bytes) -> str:
    """Two sums over the 32-bit words, plain and weighted by position, modulo 2^32: what
    fetch_model.js checks."""
    words = np.frombuffer(content[: len(content) // 4 * 4], "<u4").astype(np.uint64)
    positions = np.arange(1, len(words) + 1, dtype=np.uint64)
    mask = np.uint64(2**32 - 1)
    weighted = (words * positions) & mask
    return f"{int(words.sum() & mask)}-{int(weighted.sum() & mask)}"


def write(page: Page, out: Path) -> None:
    """Write a page into a folder that is empty, new, or a page that was made before.

    Raises:
        ValueError: the folder holds something else, or cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: name a folder for the page.")
    if out.is_dir() and any(out.iterdir()) and not (out / SIGN).is_file():
        raise ValueError(f"{out} holds other files: name a new folder, or an empty one.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as made:
            for name, content in page.files.items():
                file = Path(made, "page", name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            if out.is_dir():
                out.rename(Path(made, "before"))
            Path(made, "page").rename(out)
    except OSError as error:
        raise ValueError(f"{out} cannot be written: {error.strerror}.") from None


def write_weights(page: Page, folder: Path) -> Path:
    """Write the weights' file alone, for a repository on the Hub; where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / page.weights
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as made:
        made.write(page.packed.content)
    shutil.move(made.name, file)
    return file
