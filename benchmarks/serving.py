"""What visitors feel: time to the first words and speed, with several of them writing at once.

    python benchmarks/serving.py [--model DIR] [--visitors 1 8 32 64] [--stories 1000]

Starts `python app.py` and visits it as the page does, over plain HTTP. A visitor comes at a random
moment of the first two seconds, then asks for one story after the other, with a pause of up to a
second between two, until the time is over. First words: from asking to the first token. Speed: the
tokens of a story over the time from its first token to its end. The last row asks for bare text
instead of tokens with their surprise, which the page colours: what the colours cost. All visitors
are one asyncio program on the same processor as the app, and the last column is its share of that:
browsers elsewhere wait less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

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
Send = Callable[..., AsyncIterator[bytes]]
Ask = Callable[[str, int, str, int], AsyncIterator[int]]  # address, visitor, prompt, seed
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


@asynccontextmanager
async def visiting(url: str, visitor: int) -> AsyncIterator[Send]:
    """A connection of a visitor, who has an address of its own, as behind a proxy: nobody may fill
    all places. It sends a request, with a body as POST, and gives the answer's body in parts."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)

    def send(path: str, body: str = "") -> AsyncIterator[bytes]:
        writer.write(
            f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"X-Forwarded-For: 10.0.0.{visitor}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        return parts(reader)

    try:
        yield send
    finally:
        writer.close()


async def messages(answer: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    """Yield the messages of server-sent events, each of which is a part of the answer."""
    async for part in answer:
        kind, _, data = part.decode().partition("\ndata: ")
        if kind == "event: error":
            raise RuntimeError(data)
        if kind != "event: complete":
            yield json.loads(data)


async def parts(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The body of an answer in the parts in which it was sent."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if " 200 " not in head:
        raise RuntimeError(head)
    if length := re.search(r"content-length: (\d+)", head):
        yield await reader.readexactly(int(length[1]))
        return
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readline()
    await reader.readline()


async def with_surprise(url: str, visitor: int, prompt: str, seed: int) -> AsyncIterator[int]:
    """A story as the page asks for it: the number of new tokens in each message."""
    wish = {
        "model": None, "ids": [], "text": prompt, "token_id": None, "opening": -1,
        "settings": {"length": LENGTH}, "seeds": [seed],
    }  # fmt: skip
    typed = received = told = 0
    async with visiting(url, visitor) as send:
        async for message in messages(send("/call/page_write", json.dumps(wish))):
            typed = message.get("typed", typed)  # more, once the last typed word is found finished
            received += sum(len(ids) for _, _, _, ids in message["new"])
            before, told = told, max(0, received - typed)
            yield told - before


async def bare_text(url: str, visitor: int, prompt: str, seed: int) -> AsyncIterator[int]:
    """A story as text: about four letters are a token."""
    length = len(prompt)
    asked = {"prompt": prompt, "length": LENGTH, "seed": seed}
    values = [asked.get(name, default) for name, default in parameters(url, "generate")]
    path = "/gradio_api/call/generate"
    async with visiting(url, visitor) as send:
        body = json.dumps({"data": values})
        event = json.loads(b"".join([part async for part in send(path, body)]))["event_id"]
        async for (text,) in messages(send(f"{path}/{event}")):
            yield (len(text) - length) // 4
            length += (len(text) - length) // 4 * 4


@cache
def parameters(url: str, endpoint: str) -> list[tuple[str, Any]]:
    """An endpoint's parameters in order, with their defaults, or None without a default."""
    with urllib.request.urlopen(f"{url}/gradio_api/info") as answer:
        rows = json.load(answer)["named_endpoints"][f"/{endpoint}"]["parameters"]
    return [(row["parameter_name"], row.get("parameter_default")) for row in rows]


async def visit(url: str, visitor: int, ask: Ask, until: float) -> list[Told]:
    """Return the stories of one visitor."""
    rng, stories = random.Random(visitor), []
    await asyncio.sleep(rng.uniform(0, 2))
    while time.perf_counter() < until:
        asked = time.perf_counter()
        first, tokens = 0.0, 0
        async for count in ask(url, visitor, rng.choice(OPENINGS), rng.randrange(2**32)):
            if count and not first:
                first = time.perf_counter()
            tokens += count
        if tokens:
            stories.append(Told(first - asked, tokens, max(time.perf_counter() - first, 1e-3)))
        await asyncio.sleep(rng.uniform(0, 1))
    return stories


class Crowd(NamedTuple):
    """What several visitors at once were told."""

    stories: list[Told]
    seconds: float
    busy: float  # seconds of processor time that the visitors themselves took


def crowd(url: str, ask: Ask, visitors: int, seconds: float) -> Crowd:
    """Return what `visitors` visitors at once were told."""
    begun, busy = time.perf_counter(), time.process_time()

    async def together() -> list[list[Told]]:
        until = begun + seconds
        return await asyncio.gather(*(visit(url, one, ask, until) for one in range(visitors)))

    stories = [story for its in asyncio.run(together()) for story in its]
    return Crowd(stories, time.perf_counter() - begun, time.process_time() - busy)


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
    print(
        "            first words (ms)     tokens/s of a visitor       tokens/s           visitors"
    )
    print(
        "visitors  median  95th pct.    median  5th pct. (slow)        of all  stories  themselves"
    )
    cores = os.cpu_count() or 1
    with running_app(options.model) as (url, app):
        crowd(url, with_surprise, visitors=1, seconds=3)  # the first story warms everything up
        parameters(url, "generate")
        rows: list[tuple[Ask, int]] = [(with_surprise, count) for count in options.visitors]
        for ask, visitors in [*rows, (bare_text, options.visitors[-1])]:
            stories, seconds, busy = crowd(url, ask, visitors, options.seconds)
            waits = [1000 * story.wait for story in stories]
            speeds = [story.tokens / story.seconds for story in stories]
            total = sum(story.tokens for story in stories) / seconds
            print(
                f"{visitors:8}  {percentile(waits, 50):6.0f}  {percentile(waits, 95):9.0f}"
                f"  {percentile(speeds, 50):8.0f}  {percentile(speeds, 5):15.0f}"
                f"  {total:12,.0f}  {len(stories):7}  {busy / seconds / cores:10.0%}"
                f"{'  bare text' if ask is bare_text else ''}",
                flush=True,
            )
        if options.stories:
            many_stories(url, app, options.stories)


if __name__ == "__main__":
    main()
