"""What visitors feel: time to the first words and speed, with several of them writing at once.

    python benchmarks/serving.py [--model DIR] [--visitors 1 8 32 64] [--stories 1000]

Starts `python app.py` and visits it with gradio_client. A visitor comes at a random moment of the
first two seconds, then asks for one story after the other, with a pause of up to a second between
two, until the time is over. First words: from asking to the first text beyond the prompt. Speed:
the tokens of a story over the time from its first words to its end. gradio_client looks for news
every 50 ms only, and the work of all the clients is done on the same processor as the app's: a
browser elsewhere waits less.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from gradio_client import Client
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[1]
OPENINGS = (
    "Once upon a time, there was a little fox who",
    "One day, Lily found a tiny door in the tree.",
    "The moon was lonely, so",
    "Tom and his robot wanted to bake a cake.",
)
LENGTH = 200  # tokens of a story at most
GROUP = 20  # stories asked for at once when memory is watched
MEBIBYTE = 2**20


class Told(NamedTuple):
    """One story, as its visitor saw it."""

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
    app = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert app.stdout is not None
        if "is open" not in app.stdout.readline():
            sys.exit(2)  # the app has said why
        yield f"http://127.0.0.1:{port}", psutil.Process(app.pid)
    finally:
        app.terminate()
        app.wait(10)


def arrive(url: str) -> Client:
    """A visitor. Unless told that it is plain http, it reads every certificate for each request."""
    return Client(url, verbose=False, ssl_verify=False)


def visit(
    visitor: Client, tokenizer: Tokenizer, until: float, dice: random.Random
) -> Iterator[Told]:
    """One visitor's stories."""
    time.sleep(dice.uniform(0, 2))
    while time.perf_counter() < until:
        prompt = dice.choice(OPENINGS)
        asked = time.perf_counter()
        job = visitor.submit(
            prompt, length=LENGTH, seed=dice.randrange(2**32), api_name="/generate"
        )
        while not job.outputs() and not job.done():
            time.sleep(0.01)
        first = time.perf_counter()
        tokens = len(tokenizer.encode(job.result()[len(prompt) :]).ids)
        yield Told(first - asked, tokens, max(time.perf_counter() - first, 1e-3))
        time.sleep(dice.uniform(0, 1))


def crowd(
    url: str, tokenizer: Tokenizer, visitors: int, seconds: float
) -> tuple[list[Told], float]:
    """All stories of so many visitors, and the seconds they took together."""
    clients = [arrive(url) for _ in range(visitors)]
    begun = time.perf_counter()
    stories: list[Told] = []

    def one(number: int) -> None:
        stories.extend(visit(clients[number], tokenizer, begun + seconds, random.Random(number)))

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
    dice = random.Random(0)
    print("\nstories  memory of the app (MiB)")
    for written in range(0, stories + 1, GROUP):
        if written % 200 == 0:
            print(f"{written:7,}  {app.memory_info().rss / MEBIBYTE:6,.0f}", flush=True)
        if written % 100 == 0:
            visitors = [arrive(url) for _ in range(GROUP)]
        jobs = [
            visitor.submit(
                dice.choice(OPENINGS),
                temperature=dice.uniform(0, 2),
                top_k=dice.randrange(201),
                length=dice.randrange(1, 120),
                seed=dice.randrange(2**32),
                api_name="/generate",
            )
            for visitor in visitors
        ]
        for job in jobs:
            if dice.random() < 0.2:
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
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))

    print(f"{options.model.name}, stories of up to {LENGTH} tokens, {os.cpu_count()} cores, which")
    print("the visitors share with the app; gradio_client looks for news every 50 ms.\n")
    print("            first words (ms)     tokens/s of a visitor       tokens/s")
    print("visitors  median  95th pct.    median  5th pct. (slow)        of all  stories")
    with running_app(options.model) as (url, app):
        crowd(url, tokenizer, visitors=1, seconds=3)  # the first story warms everything up
        for visitors in options.visitors:
            stories, seconds = crowd(url, tokenizer, visitors, options.seconds)
            waits = [1000 * story.wait for story in stories]
            speeds = [story.tokens / story.seconds for story in stories]
            total = sum(story.tokens for story in stories) / seconds
            print(
                f"{visitors:8}  {percentile(waits, 50):6.0f}  {percentile(waits, 95):9.0f}"
                f"  {percentile(speeds, 50):8.0f}  {percentile(speeds, 5):15.0f}"
                f"  {total:12,.0f}  {len(stories):7}",
                flush=True,
            )
        if options.stories:
            many_stories(url, app, options.stories)


if __name__ == "__main__":
    main()
