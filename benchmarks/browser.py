"""The page without a server beside other ways to run the same model in a browser.

    python benchmarks/browser.py [--model DIR] [--rounds 5] [--npm FOLDER]

200 greedy tokens after a prompt of 8, one thread, in a real Chromium: our worker with the odds of
every word, and from the npm registry (installed into a temporary folder, or taken from --npm)
onnxruntime-web and transformers.js on graphs made here, wllama on our GGUF export. The contestants
take turns; the median of the rounds after a warm-up, and what a visitor loads. Wants Chromium,
playwright, npm, onnx, onnxscript (extra `bench`), and nothing else running.
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
from playground.browser.pack import unique_rows  # noqa: E402
from playground.model.folder import ModelFolder  # noqa: E402

PACKAGES = (
    "onnxruntime-web@1.30.0", "@huggingface/transformers@4.3.1", "@wllama/wllama@3.13.0",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LENGTH = 200
OURS = """
import { WorkerSource } from "./browser/source.js";
const { model, models } = await (await fetch("start.json")).json();
const source = new WorkerSource(model, () => {});
const settings = { temperature: 0, top_k: 40, top_p: 1, min_p: 0, repetition_penalty: 1,
  length: LENGTH, banned_words: [], stop_at_end: false };
window.run = async () => {
  const request = { model: models[0].name, ids: IDS, text: "", token_id: null, settings, seeds: [1], opening: -1 };
  let first = 0, last = 0, count = 0;
  for await (const { new: found } of source.write(request)) {
    if (!found.length) continue;
    last = performance.now();
    first ||= last;
    count += found[0][3].length;
  }
  return (count - 1) / (last - first) * 1000;
};"""
ORT = """
import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL("./node_modules/onnxruntime-web/dist/", location.href).href;
const session = await ort.InferenceSession.create("own.onnx");
window.run = async () => {
  const size = LAYERS * 2 * HIDDEN, cache = new Float32Array(512 * size);
  let ids = IDS.map(BigInt), known = 0, first = 0;
  for (let k = 0; k < LENGTH; k += 1) {
    const past = new ort.Tensor("float32", cache.subarray(0, known * size), [known, LAYERS, 2, HEADS, HIDDEN / HEADS]);
    const found = await session.run({ ids: new ort.Tensor("int64", BigInt64Array.from(ids), [ids.length]), past });
    cache.set(found.new.data, known * size);
    known += ids.length;
    let best = 0;
    found.logits.data.forEach((one, row) => { if (one > found.logits.data[best]) best = row; });
    ids = [BigInt(FIRST_ID[best])];
    if (!k) first = performance.now();
  }
  return (LENGTH - 1) / (performance.now() - first) * 1000;
};"""
TRANSFORMERS = """
import { AutoModelForCausalLM, Tensor, env } from "./node_modules/@huggingface/transformers/dist/transformers.min.js";
env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = "models/";
env.backends.onnx.wasm.numThreads = 1;
env.backends.onnx.wasm.wasmPaths = new URL("./node_modules/@huggingface/transformers/node_modules/onnxruntime-web/dist/", location.href).href;
const model = await AutoModelForCausalLM.from_pretrained("storyteller", { dtype: "fp32", device: "wasm" });
window.run = async () => {
  const ids = BigInt64Array.from(IDS.map(BigInt));
  const inputs = {
    input_ids: new Tensor("int64", ids, [1, ids.length]),
    attention_mask: new Tensor("int64", ids.map(() => 1n), [1, ids.length]),
  };
  let first = 0, count = 0;
  const streamer = { put() { count += 1; if (count === 2) first = performance.now(); }, end() {} };
  await model.generate({ ...inputs, max_new_tokens: LENGTH, min_new_tokens: LENGTH, do_sample: false, streamer });
  return (LENGTH - 1) / (performance.now() - first) * 1000;
};"""
WLLAMA = """
import { Wllama } from "./node_modules/@wllama/wllama/esm/index.js";
const wllama = new Wllama({ default: "./node_modules/@wllama/wllama/esm/wasm/wllama.wasm" });
await wllama.loadModelFromUrl(new URL("model.gguf", location.href).href, { n_threads: 1, n_ctx: 512 });
window.run = async () => {
  let first = 0, count = 0;
  const chunks = await wllama.createCompletion({ prompt: PROMPT, max_tokens: LENGTH, temperature: 0, ignore_eos: true, stream: true });
  for await (const chunk of chunks) { count += 1; if (count === 1) first = performance.now(); }
  return (count - 1) / (performance.now() - first) * 1000;
};"""
PAGE = "<!doctype html><title>{name}</title><script type=module>{known}\n{script}\nwindow.ready = true;</script>"


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
    """The contestants' pages and files in one folder: address by name."""
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
    rows, row_of = unique_rows(stock.model.embed_tokens.weight.detach())
    mapped = torch.from_numpy(row_of)
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
        "Inkling, fp16": ("ours/run.html", OURS), "Inkling, int8": ("ours-int8/run.html", OURS),
        "onnxruntime-web, fp32": ("ort.html", ORT),
        "transformers.js, fp32": ("transformers.html", TRANSFORMERS),
        "wllama, GGUF fp16": ("wllama.html", WLLAMA),
    }  # fmt: skip
    for name, (path, script) in pages.items():
        (out / path).write_text(PAGE.format(name=name, known=known, script=script))
    return {name: path for name, (path, _) in pages.items()}


def measure(browser: Browser, address: str, pages: dict[str, str], rounds: int) -> dict[str, Any]:
    """Tokens per second of each round, and bytes that were loaded, by contestant."""
    found = {}
    opened = {}
    for name, path in pages.items():
        page = browser.new_context(service_workers="block").new_page()
        page.set_default_timeout(240_000)
        sizes: list[int] = []
        page.on("response", lambda one, sizes=sizes: sizes.append(size_of(one)))
        page.on("pageerror", lambda error, name=name: print(f"{name}: {error}", file=sys.stderr))
        page.goto(address + path)
        page.wait_for_function("window.ready")
        page.evaluate("run()")  # the warm-up
        opened[name] = page
        found[name] = {"speeds": [], "bytes": sum(sizes)}
    for _ in range(rounds):
        for name, page in opened.items():
            found[name]["speeds"].append(page.evaluate("run()"))
    return found


def size_of(response: Any) -> int:
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
            found = measure(browser, address, pages, options.rounds)
        browser.close()
    best = max(
        statistics.median(one["speeds"])
        for name, one in found.items()
        if not name.startswith("Inkling")
    )
    print(f"{'':24} {'tokens/s':>9} {'range':>13} {'to the best peer':>17} {'to load':>9}")
    for name, one in found.items():
        speeds = one["speeds"]
        middle = statistics.median(speeds)
        spread = f"{min(speeds):,.0f}-{max(speeds):,.0f}"
        print(
            f"{name:24} {middle:9,.0f} {spread:>13} {middle / best:16.2f}x "
            f"{one['bytes'] / 1e6:6.1f} MB"
        )


if __name__ == "__main__":
    main()
