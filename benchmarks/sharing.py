"""Size and speed of links and their previews, and their effect on other visitors.

    python benchmarks/sharing.py [--model DIR] [--stories 50] [--pictures 200]

Links: characters for stories of 300 tokens, compared with the whole state as JSON and LZMA (as in
KoboldAI Lite), and with the compressed text alone. Replay: every story is written again from its
link by a fresh engine, alone and batched with 31 others. Previews: median time in the running app.
Visitors: the time to another visitor's first word while one requests pictures without a pause, each
of another link, so that none is cached.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import lzma
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from serving import OPENINGS, running_app, with_surprise

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playground.engine.engine import Engine  # noqa: E402
from playground.engine.replay import replay  # noqa: E402
from playground.folder.model_folder import ModelFolder  # noqa: E402
from playground.sampling import Settings  # noqa: E402
from playground.stories.permalink import Permalink, Run, data_of, decode  # noqa: E402

LENGTH = 300  # tokens of a story
REPEATS = 15


def story(engine: Engine, seed: int) -> tuple[Permalink, str]:
    """Return a story of the model as a link's content, and its text."""
    settings = Settings(length=LENGTH, seed=seed, stop_at_end=False)
    opening = OPENINGS[seed % len(OPENINGS)]
    with engine.write(opening, settings) as stream:
        written = list(stream)
    ids = engine.encode(opening)
    tokens = [(token_id, -1) for token_id in ids] + [(token.token_id, 0) for token in written]
    link = Permalink(
        engine.storyteller.fingerprint, "storyteller", (Run(settings),), tuple(tokens[:LENGTH])
    )
    return link, stream.story.text


def encoded(stories: list[Permalink]) -> list[str]:
    """Return the links that the page makes of stories."""
    command = [Path(sys.executable).with_name("node"), ROOT / "tests" / "web" / "links.js"]
    request = json.dumps([asdict(story) for story in stories])
    return json.loads(subprocess.check_output(command, input=request, encoding="utf-8"))


def num_characters(data: bytes) -> int:
    """Return the number of base64 characters of bytes in an address."""
    return len(base64.urlsafe_b64encode(data).rstrip(b"="))


def links_and_replay(model: Path, count: int) -> list[str]:
    """Print the first two tables; return the links."""
    storyteller = ModelFolder.open(model, device="cpu")
    with Engine(storyteller, max_streams=32) as engine, ThreadPoolExecutor(32) as visitors:
        stories = list(visitors.map(lambda seed: story(engine, seed), range(count)))
    links = encoded([link for link, _ in stories])
    states = [
        json.dumps({"settings": vars(link.runs[0].settings), "prompt": text, "actions": [text]})
        for link, text in stories
    ]
    print(f"\nCharacters of a link, {count} stories of {LENGTH} tokens\n")
    for name, sizes in (
        ("Inkling: text, settings, seed, who wrote what, checksum", [len(text) for text in links]),
        (
            "the text alone, deflate",
            [num_characters(zlib.compress(text.encode(), 9)) for _, text in stories],
        ),
        ("state as JSON, LZMA", [num_characters(lzma.compress(text.encode())) for text in states]),
    ):
        print(f"  {name:<58} median {statistics.median(sizes):6.0f}   most {max(sizes):6,}")
    print("\nStories reproduced exactly from their links\n")
    for name, size in (("alone", 1), ("batched with 31", 32)):
        with Engine(storyteller, max_streams=size) as engine, ThreadPoolExecutor(size) as visitors:
            began = time.perf_counter()
            replays = list(visitors.map(lambda link: replay(engine, decode(link)), links))
            seconds = time.perf_counter() - began
        same = sum(replayed.differs_at is None for replayed in replays)
        print(f"  {name:<20} {same} of {count}, {1000 * seconds / count:6.0f} ms each")
    return links


def seconds_of(ask: Callable[[int], object]) -> float:
    """Return the median of several calls, in seconds, after a first one."""
    ask(0)
    times = []
    for number in range(1, REPEATS + 1):
        began = time.perf_counter()
        ask(number)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def get(address: str, visitor: int = 1) -> tuple[int, bytes]:
    """Return the status and the content of a GET request, with a visitor's address."""
    request = urllib.request.Request(address, headers={"X-Forwarded-For": f"10.0.0.{visitor}"})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as response:
        return response.code, response.read()


def first_words(url: str, count: int = 12) -> float:
    """Return the median of another visitor's time to the first word, in ms."""
    waits = []
    for seed in range(count):
        began = time.perf_counter()
        for tokens in with_surprise(url, 2, OPENINGS[seed % len(OPENINGS)], seed):
            if tokens:
                waits.append(time.perf_counter() - began)
                break
        time.sleep(0.2)
    return 1000 * statistics.median(waits)


def another(link: str, number: int) -> str:
    """Return a link with another model's fingerprint, whose picture is not in the cache."""
    data = data_of(link) or b""
    data = data[:1] + number.to_bytes(4, "big") + data[5:]
    return base64.urlsafe_b64encode(data + zlib.crc32(data).to_bytes(4, "big")).decode().strip("=")


def served(model: Path, links: list[str], pictures: int) -> None:
    """Print the last two tables."""
    with running_app(model) as (url, _):
        print("\nPreview of a link, median\n")
        for name, address in (
            ("picture", lambda k: f"{url}/s/{another(links[0], k)}/picture.png"),
            ("the same picture again", lambda _: f"{url}/s/{links[0]}/picture.png"),
        ):
            size = len(get(address(0))[1])
            seconds = seconds_of(lambda k, address=address: get(address(k)))
            print(f"  {name:<30} {1000 * seconds:7.0f} ms {size / 1000:8.0f} kB")
        alone = first_words(url)
        answers: Counter[int] = Counter()
        numbers = itertools.count()
        is_over = threading.Event()

        def ask_on() -> None:
            while not is_over.is_set():
                number = next(numbers)
                link = another(links[number % len(links)], number)
                answers[get(f"{url}/s/{link}/picture.png")[0]] += 1

        with ThreadPoolExecutor(4) as greedy:
            requests = [greedy.submit(ask_on) for _ in range(4)]
            time.sleep(1)
            beside = first_words(url)
            while sum(answers.values()) < pictures:
                time.sleep(0.1)
            is_over.set()
            for request in requests:
                request.result()
        print("\nAnother visitor's first word, median\n")
        print(f"  alone                                    {alone:6.0f} ms")
        ratio = f"{beside / alone:.2f} times"
        print(f"  while one visitor draws 4 at a time      {beside:6.0f} ms   {ratio}")
        print(f"  ({answers[200]} pictures, {answers[429]} refused)")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "storyteller")
    parser.add_argument("--stories", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=200)
    options = parser.parse_args()
    served(options.model, links_and_replay(options.model, options.stories), options.pictures)


if __name__ == "__main__":
    main()
