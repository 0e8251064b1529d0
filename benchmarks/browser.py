"""Speed of the page without a server, compared with other libraries that run models in a browser.

    python benchmarks/browser.py [--model DIR] [--rounds 5] [--npm FOLDER]

200 greedy tokens after a prompt of 8, one thread, in a real Chromium: our worker with the odds of
every word; onnxruntime-web and transformers.js on graphs of peers/onnx_graph.py; wllama on our GGUF
export. The libraries come from the npm registry (in a temporary folder, or --npm). The contestants
take turns; printed are the median of the rounds after a warm-up and the bytes loaded. Needs
Chromium, playwright, npm, onnx, onnxscript (extra `bench`), and an idle machine.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peers.onnx_graph import Hub, Own, export
from playwright.sync_api import Browser, sync_playwright
from transformers import AutoModelForCausalLM

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playground.browser.build import page_of, write  # noqa: E402
from playground.core.pack import unique_rows  # noqa: E402
from playground.folder.model_folder import ModelFolder  # noqa: E402

PACKAGES = (
    "onnxruntime-web@1.30.0", "@huggingface/transformers@4.3.1", "@wllama/wllama@3.13.0",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PEERS = Path(__file__).parent / "peers"
LENGTH = 200
PAGE = """<!doctype html><title>{name}</title>
<script type="module">{known}
{script}
window.ready = true;</script>
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()


def prepare(out: Path, model: Path, npm: Path | None) -> dict[str, str]:
    """Write the contestants' pages and files to a folder; return their addresses by name."""
    opened = ModelFolder.open(model, device="cpu")
    folders = {"fp16": out / "ours", "int8": out / "ours-int8"}
    for weights, folder in folders.items():
        write(page_of(opened, weights=weights), folder)
    if npm is None:
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run([*command, "--prefix", str(out), *PACKAGES], check=True)
    else:
        (out / "node_modules").symlink_to(npm.resolve() / "node_modules")
    stock = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    config = stock.config
    distinct, row_of = unique_rows(stock.model.embed_tokens.weight.detach().numpy())
    rows, mapped = torch.from_numpy(distinct), torch.from_numpy(row_of)
    export(Own(stock, rows, mapped), out / "own.onnx", config.num_hidden_layers)
    hub = out / "models" / "storyteller"
    export(Hub(stock, rows, mapped), hub / "onnx" / "model.onnx", config.num_hidden_layers)
    for name in ("config.json", "generation_config.json"):
        shutil.copy(model / name, hub)
    gguf = [sys.executable, "-m", "trainer.export", "gguf", str(model), str(out / "model.gguf")]
    subprocess.run(gguf, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    prompt = "Once upon a time there was a"
    ids = opened.encode(prompt)
    first_id = [int((row_of == row).argmax()) for row in range(len(rows))]
    values = {
        "IDS": ids, "PROMPT": prompt, "LENGTH": LENGTH, "LAYERS": config.num_hidden_layers,
        "HIDDEN": config.num_attention_heads * config.head_dim,
        "HEADS": config.num_attention_heads, "FIRST_ID": first_id,
    }  # fmt: skip
    known = "".join(f"const {name} = {json.dumps(value)};" for name, value in values.items())
    pages = {
        "Inkling, fp16": ("ours/run.html", "ours"), "Inkling, int8": ("ours-int8/run.html", "ours"),
        "onnxruntime-web, fp32": ("ort.html", "ort"),
        "transformers.js, fp32": ("transformers.html", "transformers"),
        "wllama, GGUF fp16": ("wllama.html", "wllama"),
    }  # fmt: skip
    for name, (path, script) in pages.items():
        code = (PEERS / f"{script}.js").read_text(encoding="utf-8")
        (out / path).write_text(PAGE.format(name=name, known=known, script=code))
    return {name: path for name, (path, _) in pages.items()}


def measure(browser: Browser, address: str, pages: dict[str, str], rounds: int) -> dict[str, Any]:
    """Return tokens per second of each round, and the bytes loaded, by contestant."""
    results = {}
    opened = {}
    for name, path in pages.items():
        page = browser.new_context(service_workers="block").new_page()
        page.set_default_timeout(240_000)
        sizes: list[int] = []
        page.on("response", lambda response, sizes=sizes: sizes.append(size_of(response)))
        page.on("pageerror", lambda error, name=name: print(f"{name}: {error}", file=sys.stderr))
        page.goto(address + path)
        page.wait_for_function("window.ready")
        page.evaluate("run()")  # the warm-up
        opened[name] = page
        results[name] = {"speeds": [], "bytes": sum(sizes)}
    for _ in range(rounds):
        for name, page in opened.items():
            results[name]["speeds"].append(page.evaluate("run()"))
    return results


def size_of(response: Any) -> int:
    """Return the bytes of a response to GET."""
    if response.request.method != "GET":
        return 0
    return int(response.headers.get("content-length", 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "storyteller")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--npm", type=Path, help="a folder with node_modules of the peers")
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, NAMES)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        pages = prepare(Path(folder), options.model, options.npm)
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        with served(Path(folder)) as address:
            results = measure(browser, address, pages, options.rounds)
        browser.close()
    best = max(
        statistics.median(result["speeds"])
        for name, result in results.items()
        if not name.startswith("Inkling")
    )
    print(f"{'':24} {'tokens/s':>9} {'range':>13} {'to the best peer':>17} {'to load':>9}")
    for name, result in results.items():
        speeds = result["speeds"]
        median = statistics.median(speeds)
        spread = f"{min(speeds):,.0f}-{max(speeds):,.0f}"
        print(
            f"{name:24} {median:9,.0f} {spread:>13} {median / best:16.2f}x "
            f"{result['bytes'] / 1e6:6.1f} MB"
        )


if __name__ == "__main__":
    main()
