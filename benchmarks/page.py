"""Latencies of the page in Chromium: its start, a word's popover, the first word of a branch, the
bars while a slider moves, a key in a story of 5,000 tokens.

    python benchmarks/page.py [--model DIR] [--repeat 15]

The browser runs on the same processor as the app. Needs Chromium, the package playwright, and an
idle machine. The app's start is compared with importing Gradio alone.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PORT = 7899

# Each returns milliseconds from an event to its visible result.
CARD = """async (k) => {
  const start = performance.now();
  writer.card.open(k, false);
  const card = document.querySelector('.card');
  while (card.hidden) await new Promise(requestAnimationFrame);
  const took = performance.now() - start;
  writer.card.close();
  return took;
}"""
BRANCH = """async (k) => {
  await writer.card.open(k, false);
  while (document.querySelector('.card').hidden) await new Promise(requestAnimationFrame);
  const rows = [...document.querySelectorAll('.card .bars button')];
  const row = rows.find((one) => !one.parentNode.classList.contains('chosen')).row;
  const start = performance.now();
  const done = writer.generation.branch(k, row);
  while (writer.tokens.length < k + 2) await new Promise(requestAnimationFrame);
  const took = performance.now() - start;
  writer.stop();
  await done;
  writer.undo();
  await new Promise((resolve) => setTimeout(resolve, 300));
  return took;
}"""
BARS = """(k) => {
  const slider = document.querySelector('#ink-temperature');
  writer.settings.top_k = 0;
  const start = performance.now();
  slider.value = 0.1 + k / 10;
  slider.dispatchEvent(new Event('input', { bubbles: true }));
  document.body.offsetHeight;
  return performance.now() - start;
}"""
TREE = """async () => {
  const tree = await import(new URL("web/story/tree.js", document.baseURI));
  const word = (_, k) => ({ t: ` word${k}`, s: k % 7, i: k, r: 0 });
  const words = (length) => Array.from({ length }, word);
  let doc = tree.emptyDocument();
  doc.runs.push({ settings: writer.settings, seed: 1 });
  doc = tree.withTokens(doc, words(300));
  for (let k = 1; k < 500; k += 1) {
    doc = tree.selected(doc, 1 + (k * 7) % k);
    doc = tree.branched(doc, [...tree.current(doc).tokens.slice(0, 150), ...words(150)]);
  }
  writer.act(doc);
  const times = [];
  for (let k = 0; k < 30; k += 1) {
    const start = performance.now();
    writer.act(tree.selected(writer.doc, 1 + (k * 37) % 500));
    document.body.offsetHeight;
    times.push(performance.now() - start);
    await new Promise(requestAnimationFrame);
  }
  return times;
}"""
# A story of 5,000 tokens, with a paragraph break after every `breaks` of them; 0 means none.
LONG = """async (breaks) => {
  const tree = await import(new URL("web/story/tree.js", document.baseURI));
  const words = ["Once", " upon", " a", " time", " he", " was", " red", " fox", "."];
  const text = (k) => (breaks && k % breaks === breaks - 1 ? "\\n" : words[k % 9]);
  const token = (_, k) => ({ t: text(k), s: k % 7, i: 10 + k % 9, r: 0 });
  const doc = tree.emptyDocument();
  doc.runs.push({ settings: writer.settings, seed: 1 });
  writer.act(tree.withTokens(doc, Array.from({ length: 5000 }, token)));
  writer.setOdds(false);
  writer.editAt(0);
}"""
# From a key to the frame that shows it; each key comes after the last one's scores.
PAINTED = """(place) => {
  writer.editor.setCaret(Math.round(place * writer.editor.text.length));
  window.painted = new Promise((resolve) => {
    writer.editor.element.addEventListener("beforeinput", () => {
      const start = performance.now(), { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve(performance.now() - start);
      requestAnimationFrame(() => port2.postMessage(null)); // arrives after the frame
    }, { once: true, capture: true });
  });
}"""


def key_times(page: Page, breaks: int, place: float, repeat: int) -> list[float]:
    """Return milliseconds from a key to its paint, at a place from 0 (beginning) to 1."""
    page.evaluate(LONG, breaks)
    times = []
    for _ in range(repeat):
        page.evaluate(PAINTED, place)
        page.keyboard.press("x")
        times.append(page.evaluate("painted"))
        page.wait_for_timeout(100)
    return times


def seconds_of(command: list[str]) -> float:
    """Return the seconds that a command takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    return time.perf_counter() - start


def start_app(model: Path) -> tuple[subprocess.Popen[bytes], float]:
    """Start the app; return its process and the seconds until its page answers."""
    start = time.perf_counter()
    app = subprocess.Popen(
        [sys.executable, "app.py", "--no-browser", "--port", str(PORT), "--model", str(model)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=5).close()
            return app, time.perf_counter() - start
        except OSError:
            if app.poll() is not None:
                sys.exit("the app did not start: run it by itself to see why")
            time.sleep(0.01)


def line(name: str, values: list[float], unit: str, limit: str) -> None:
    worst = sorted(values)[int(0.95 * (len(values) - 1))]
    print(f"{name:34}{statistics.median(values):8.1f}{worst:10.1f} {unit:4}{limit}", flush=True)


def visit(page: Page, repeat: int) -> None:
    """Print the latencies of the page with its first story."""
    ready = []
    for _ in range(repeat):
        start = time.perf_counter()
        page.goto(f"http://127.0.0.1:{PORT}/")
        page.locator("inkling-writer[ready]").wait_for()
        ready.append(1000 * (time.perf_counter() - start))
    line("page ready, with its first story", ready, "ms", "")
    page.evaluate("window.writer = document.querySelector('inkling-writer')")
    page.evaluate("writer.settings.length = 40")
    places = range(20, 20 + 5 * repeat, 5)
    page.evaluate(CARD, 10)
    line("a word's popover", [page.evaluate(CARD, k) for k in places], "ms", "100")
    page.evaluate(BRANCH, 12)
    line("first word of a branch", [page.evaluate(BRANCH, k + 1) for k in places], "ms", "200")
    line(
        "bars of 200 after a slider moved", [page.evaluate(BARS, k) for k in range(19)], "ms", "16"
    )
    line("another of 500 branches", page.evaluate(TREE), "ms", "33")
    for name, breaks in (("in paragraphs", 60), ("in one paragraph", 0)):
        for where, place in (("end", 1), ("beginning", 0)):
            times = key_times(page, breaks, place, repeat)
            line(f"a key at the {where}, {name}", times, "ms", "50")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "storyteller")
    parser.add_argument("--repeat", type=int, default=15)
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        sys.exit("No Chromium on this machine: install one (Debian: apt-get install chromium).")
    print(f"{'':34}{'median':>8}{'95 %':>10}     at most")
    imports = [sys.executable, "-c", "import gradio"]
    seconds_of(imports)
    alone, started = [], []
    for _ in range(5):
        alone.append(seconds_of(imports))
        app, took = start_app(options.model)
        started.append(took)
        app.terminate()
        app.wait()
    line("import gradio", alone, "s", "")
    line("the app's page answers", started, "s", f"{statistics.median(alone) + 0.5:.1f}")
    app, _ = start_app(options.model)
    try:
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-gpu"]
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            visit(browser.new_page(), options.repeat)
            browser.close()
    finally:
        app.terminate()
        app.wait()


if __name__ == "__main__":
    main()
