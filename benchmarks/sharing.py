"""Links and their previews: how long, how large, and what others feel of it.

    python benchmarks/sharing.py [--model DIR] [--stories 50] [--pictures 200]

Links: characters for stories of 300 tokens, beside what a page does that puts its whole state into
an address (JSON by LZMA, as KoboldAI Lite) or only the text (deflate). Replay: every story written
again from its link by a fresh engine, alone and among 31 others. Previews: the median of several,
by the running app. Visitors: the time to another visitor's first word while one asks for pictures
without a pause, each of another link, so that none is in the cache.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import lzma
import statistics
import sys
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from serving import OPENINGS, running_app, with_surprise

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playground.engine.engine import Engine  # noqa: E402
from playground.engine.replay import replay  # noqa: E402
from playground.folder.model_folder import ModelFolder  # noqa: E402
from playground.sampling import Settings  # noqa: E402
from playground.stories.permalink import Permalink, Run, decode, encode  # noqa: E402

LENGTH = 300  # tokens of a story
REPEATS = 15


def told(engine: Engine, seed: int) -> tuple[Permalink, str]:
    """Return a story of the model, with its text."""
    settings = Settings(length=LENGTH, seed=seed, stop_at_end=False)
    opening = OPENINGS[seed % len(OPENINGS)]
    with engine.write(opening, settings) as stream:
        found = list(stream)
    ids = engine.encode(opening)
    tokens = [(one, -1) for one in ids] + [(one.token_id, 0) for one in found]
    link = Permalink(
        engine.storyteller.fingerprint, "storyteller", (Run(settings),), tuple(tokens[:LENGTH])
    )
    return link, stream.story.text


def num_characters(data: bytes) -> int:
    """Return the number of characters that bytes take in an address."""
    return len(base64.urlsafe_b64encode(data).rstrip(b"="))


def links_and_replay(model: Path, count: int) -> list[str]:
    """Prints the first two tables; the links."""
    storyteller = ModelFolder.open(model, device="cpu")
    with Engine(storyteller, max_streams=32) as engine, ThreadPoolExecutor(32) as visitors:
        stories = list(visitors.map(lambda seed: told(engine, seed), range(count)))
    links = [encode(link) for link, _ in stories]
    states = [
        json.dumps({"settings": vars(link.runs[0].settings), "prompt": text, "actions": [text]})
        for link, text in stories
    ]
    print(f"\nCharacters of a link, {count} stories of {LENGTH} tokens\n")
    for name, sizes in (
        ("Inkling: text, settings, seed, who wrote what, checksum", [len(one) for one in links]),
        (
            "the text alone, deflate",
            [num_characters(zlib.compress(text.encode(), 9)) for _, text in stories],
        ),
        ("state as JSON, LZMA", [num_characters(lzma.compress(one.encode())) for one in states]),
    ):
        print(f"  {name:<58} median {statistics.median(sizes):6.0f}   most {max(sizes):6,}")
    print("\nStories reproduced exactly from their links\n")
    for name, most in (("alone", 1), ("among 31 others", 32)):
        with Engine(storyteller, max_streams=most) as engine, ThreadPoolExecutor(most) as visitors:
            began = time.perf_counter()
            found = list(visitors.map(lambda link: replay(engine, decode(link)), links))
            seconds = time.perf_counter() - began
        same = sum(one.differs_at is None for one in found)
        print(f"  {name:<20} {same} of {count}, {1000 * seconds / count:6.0f} ms each")
    return links


def seconds_of(ask: Callable[[int], object]) -> float:
    """Return the median of several calls, in seconds, after a first one."""
    ask(0)
    found = []
    for number in range(1, REPEATS + 1):
        began = time.perf_counter()
        ask(number)
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def get(address: str, visitor: int = 1) -> tuple[int, bytes]:
    asked = urllib.request.Request(address, headers={"X-Forwarded-For": f"10.0.0.{visitor}"})
    try:
        with urllib.request.urlopen(asked) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read()


def first_words(url: str, count: int = 12) -> float:
    """Another visitor's time to the first word, in ms: the median."""
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
    """Return a link with another name in it, whose picture is not in the cache."""
    return encode(replace(decode(link), name=f"n{number}"))


def served(model: Path, links: list[str], pictures: int) -> None:
    """Prints the last two tables."""
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
            asked = [greedy.submit(ask_on) for _ in range(4)]
            time.sleep(1)
            beside = first_words(url)
            while sum(answers.values()) < pictures:
                time.sleep(0.1)
            is_over.set()
            for one in asked:
                one.result()
        print("\nAnother visitor's first word, median\n")
        print(f"  alone                                    {alone:6.0f} ms")
        ratio = f"{beside / alone:.2f} times"
        print(f"  while one visitor draws 4 at a time      {beside:6.0f} ms   {ratio}")
        print(f"  ({answers[200]} pictures, {answers[429]} refused)")


def main() -> None:
    parser = argparse.ArgumentParser(description="Links, pictures and files of stories.")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "storyteller")
    parser.add_argument("--stories", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=200)
    options = parser.parse_args()
    served(options.model, links_and_replay(options.model, options.stories), options.pictures)


if __name__ == "__main__":
    main()
