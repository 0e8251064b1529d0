"""What visitors feel: time to the first words and speed, with several of them writing at once.

    python benchmarks/serving.py [--model DIR] [--visitors 1 8 32 64] [--stories 1000]

Starts `python app.py` and visits it as the page does, over plain HTTP. A visitor comes at a random
moment of the first two seconds, then asks for one story after the other, with a pause of up to a
second between two, until the time is over. First words: from asking to the first token. Speed: the
tokens of a story over the time from its first token to its end. The last row asks for bare text
instead of tokens with their surprise, which the page colours: what the colours cost. The work of
all the visitors is done on the same processor as the app's: a browser elsewhere waits less.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from gradio_client import Client

ROOT = Path(__file__).resolve().parents[1]
OPENINGS = (
    "Once upon a time, there was a little fox who",
    "One day, Lily found a tiny door in the tree.",
    "The moon was lonely, so",
    "Tom and his robot wanted to bake a cake.",
)
LENGTH = 200  # tokens of a story at most
Ask = Callable[[str, int, str, int], Iterator[int]]  # address, visitor, prompt, seed
GROUP = 20  # stories asked for at once when memory is watched
MEBIBYTE = 2**20


class Told(NamedTuple):
    """One story and when its parts arrived at its visitor."""

    wait: float  # seconds from asking to the first words
    tokens: int
    seconds: float  # from the first words to the end


@contextmanager
def running_app(model: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The app on a free port: its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "app.py", "--no-browser", "--port", str(port), "--model", str(model)]
    command += ["--forwarded-allow-ips", "127.0.0.1"]  # a header tells the visitors apart
    app = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert app.stdout is not None
        if "is open" not in app.stdout.readline():
            sys.exit(2)  # the app has said why
        yield f"http://127.0.0.1:{port}", psutil.Process(app.pid)
    finally:
        app.terminate()
        app.wait(10)


def events(url: str, visitor: int, endpoint: str, *values: Any) -> Iterator[Any]:
    """What an endpoint answers, message by message, each as soon as it is there. A visitor has an
    address of its own, as behind a proxy: nobody may fill all places."""
    address = f"{url}/gradio_api/call/{endpoint}"
    headers = {"Content-Type": "application/json", "X-Forwarded-For": f"10.0.0.{visitor}"}
    asked = urllib.request.Request(address, json.dumps({"data": values}).encode(), headers)
    with urllib.request.urlopen(asked) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}/{event}") as answer:
        kind = ""
        for line in answer:
            if line.startswith(b"event: "):
                kind = line[7:].strip().decode()
            elif line.startswith(b"data: ") and kind == "generating":
                yield json.loads(line[6:])[0]
            elif kind == "error":
                raise RuntimeError(line.decode())


def with_surprise(url: str, visitor: int, prompt: str, seed: int) -> Iterator[int]:
    """A story as the page asks for it: the number of new tokens in each message."""
    wish = {
        "model": None, "ids": [], "text": prompt, "token_id": None, "opening": -1,
        "settings": {"length": LENGTH}, "seeds": [seed],
    }  # fmt: skip
    typed = 0
    for message in events(url, visitor, "page_write", wish):
        typed += message.get("typed", 0)
        count = sum(len(ids) for _, _, _, ids in message["new"])
        yield max(0, count - typed)
        typed = max(0, typed - count)


def bare_text(url: str, visitor: int, prompt: str, seed: int) -> Iterator[int]:
    """A story as text: about four letters are a token."""
    length = len(prompt)
    asked = {"prompt": prompt, "length": LENGTH, "seed": seed}
    values = [asked.get(name, default) for name, default in parameters(url, "generate")]
    for text in events(url, visitor, "generate", *values):
        yield (len(text) - length) // 4
        length += (len(text) - length) // 4 * 4


@cache
def parameters(url: str, endpoint: str) -> list[tuple[str, Any]]:
    """An endpoint's parameters in order, with their defaults, or None without a default."""
    with urllib.request.urlopen(f"{url}/gradio_api/info") as answer:
        rows = json.load(answer)["named_endpoints"][f"/{endpoint}"]["parameters"]
    return [(row["parameter_name"], row.get("parameter_default")) for row in rows]


def visit(url: str, visitor: int, ask: Ask, until: float, rng: random.Random) -> Iterator[Told]:
    """Return the stories of one visitor."""
    time.sleep(rng.uniform(0, 2))
    while time.perf_counter() < until:
        asked = time.perf_counter()
        first, tokens = 0.0, 0
        for count in ask(url, visitor, rng.choice(OPENINGS), rng.randrange(2**32)):
            if count and not first:
                first = time.perf_counter()
            tokens += count
        if tokens:
            yield Told(first - asked, tokens, max(time.perf_counter() - first, 1e-3))
        time.sleep(rng.uniform(0, 1))


def crowd(url: str, ask: Ask, visitors: int, seconds: float) -> tuple[list[Told], float]:
    """Return all stories of `visitors` visitors at once, and the seconds that they took
    together."""
    begun = time.perf_counter()
    stories: list[Told] = []

    def one(number: int) -> None:
        stories.extend(visit(url, number, ask, begun + seconds, random.Random(number)))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(visitors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return stories, time.perf_counter() - begun


def percentile(values: list[float], percent: float) -> float:
    """Linear interpolation between the two nearest values."""
    values = sorted(values)
    place = (len(values) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def many_stories(url: str, app: psutil.Process, stories: int) -> None:
    """Prints the app's memory as stories go by: random settings, one in five left in the middle."""
    rng = random.Random(0)
    print("\nstories  memory of the app (MiB)")
    for written in range(0, stories + 1, GROUP):
        if written % 200 == 0:
            print(f"{written:7,}  {app.memory_info().rss / MEBIBYTE:6,.0f}", flush=True)
        if written % 100 == 0:  # unless told that it is plain http, it reads every certificate
            visitors = [Client(url, verbose=False, ssl_verify=False) for _ in range(GROUP)]
        jobs = [
            visitor.submit(
                rng.choice(OPENINGS),
                temperature=rng.uniform(0, 2),
                top_k=rng.randrange(201),
                length=rng.randrange(1, 120),
                seed=rng.randrange(2**32),
                api_name="/generate",
            )
            for visitor in visitors
        ]
        for job in jobs:
            if rng.random() < 0.2:
                job.cancel()
            else:
                job.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "storyteller")
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--seconds", type=float, default=15, help="for each number of visitors")
    parser.add_argument("--stories", type=int, default=1000, help="for the memory; 0 leaves it out")
    options = parser.parse_args()

    print(f"{options.model.name}, stories of up to {LENGTH} tokens, {os.cpu_count()} cores, which")
    print("the visitors share with the app.\n")
    print("            first words (ms)     tokens/s of a visitor       tokens/s")
    print("visitors  median  95th pct.    median  5th pct. (slow)        of all  stories")
    with running_app(options.model) as (url, app):
        crowd(url, with_surprise, visitors=1, seconds=3)  # the first story warms everything up
        rows: list[tuple[Ask, int]] = [(with_surprise, count) for count in options.visitors]
        for ask, visitors in [*rows, (bare_text, options.visitors[-1])]:
            stories, seconds = crowd(url, ask, visitors, options.seconds)
            waits = [1000 * story.wait for story in stories]
            speeds = [story.tokens / story.seconds for story in stories]
            total = sum(story.tokens for story in stories) / seconds
            print(
                f"{visitors:8}  {percentile(waits, 50):6.0f}  {percentile(waits, 95):9.0f}"
                f"  {percentile(speeds, 50):8.0f}  {percentile(speeds, 5):15.0f}"
                f"  {total:12,.0f}  {len(stories):7}"
                f"{'  bare text' if ask is bare_text else ''}",
                flush=True,
            )
        if options.stories:
            many_stories(url, app, options.stories)


if __name__ == "__main__":
    main()
