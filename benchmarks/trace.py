"""The index of the training stories, and looking stories up in it.

    python benchmarks/trace.py [--stories FILE ...] [--large TOKENS]

Prints how long the index takes and how much memory, its bytes per token, the filter's time and
size, the time for each story of 300 tokens, alone and with its sources, and how much of a story
both find. `--large` repeats the training tokens to so many (470,000,000, say), and says the same of
their index. The input is FILE (default: ../shared/data/train.jsonl and train_more.jsonl, else the
bundled sample); the stories that are looked up are its validation stories. Each index is built in a
process of its own, whose highest memory (maximum resident set) is printed.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playground.trace.copied import Tracer  # noqa: E402
from playground.trace.index import Index  # noqa: E402
from playground.trace.run_filter import RunFilter  # noqa: E402
from trainer.corpus.store.build import build_store  # noqa: E402
from trainer.corpus.store.run_filter import build_filter  # noqa: E402
from trainer.corpus.store.suffix_array import build_index  # noqa: E402
from trainer.corpus.store.token_store import TokenStore, open_store  # noqa: E402
from trainer.settings.corpus import Corpus  # noqa: E402
from trainer.storage import checksummed_json  # noqa: E402

SHARED = ROOT.parent / "shared" / "data"
STORIES, TOKENS = 200, 300  # that are looked up


def measured(store: Path) -> dict[str, float]:
    """Build an index in a process of its own: seconds, and MB of memory at most."""
    done = subprocess.run(
        [sys.executable, __file__, "--index", str(store)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def index(store: str) -> None:
    """Build an index and print what it took, for `measured`."""
    opened, start = open_store(store), time.perf_counter()
    build_index(opened)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"seconds": seconds, "memory": memory}))


def enlarged(store: TokenStore, folder: Path, tokens: int) -> TokenStore:
    """Return a store with the training tokens of another, repeated, from which an index is made."""
    shutil.copytree(store.folder, folder, ignore=shutil.ignore_patterns("index"))
    ids = np.array(store.split("train"))
    times = -(-tokens // len(ids))
    with (folder / "train" / "tokens.bin").open("wb") as stream:
        for _ in range(times):
            stream.write(ids.tobytes())
    (store.id_counts("train") * times).astype("<i8").tofile(folder / "train" / "id_counts.bin")
    info = copy.deepcopy(store.info)
    split = info["splits"]["train"]
    split |= {"tokens": len(ids) * times, "stories": split["stories"] * times}
    for name in split["files"]:
        size = (folder / "train" / name).stat().st_size
        split["files"][name] = [{"bytes": size, "sha256": ""}]
    (folder / "store.json").write_text(checksummed_json.dumps(info), encoding="utf-8")
    return open_store(folder)


def texts_of(store: TokenStore) -> list[str]:
    """Held-out stories, put together and cut to 300 tokens each."""
    ids = np.array(store.split("validation"))
    ids = ids[ids != store.tokenizer.end_of_text]
    count = min(STORIES, len(ids) // TOKENS)
    return [store.tokenizer.decode(row) for row in ids[: count * TOKENS].reshape(count, TOKENS)]


def per_story(tracer: Tracer, texts: list[str], sources: int) -> str:
    """Milliseconds for a story: median, and the slowest of a hundred."""
    took = []
    for text in texts:
        start = time.perf_counter()
        tracer.trace(text, sources)
        took.append(1000 * (time.perf_counter() - start))
    return f"{statistics.median(took):.1f} ms (99 %: {np.percentile(took, 99):.1f})"


def report(store: TokenStore, texts: list[str]) -> None:
    """Print the table of one store's index."""
    took = measured(store.folder)
    tokens = store.num_tokens("train")
    size = sum(file.stat().st_size for file in (store.folder / "index").iterdir())
    start = time.perf_counter()
    opened = Index(store.folder)
    opening = time.perf_counter() - start
    opened.trace(texts[0], 0)  # `held_out` is computed once
    rows = {
        "training tokens": f"{tokens:,}",
        "parts": f"{len(opened.starts)}",
        "index": f"{took['seconds']:.1f} s, {took['memory']:.0f} MB of memory",
        "bytes per token": f"{size / tokens:.2f}, and 2 of the store's own",
        "opening": f"{opening:.2f} s",
        "a story of 300 tokens": per_story(opened, texts, 0),
        "with 5 sources a run": per_story(opened, texts, 5),
    }
    for name, value in rows.items():
        print(f"{name:24}{value}")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stories", nargs="+", default=[])
    parser.add_argument("--large", type=int, default=0, metavar="TOKENS")
    parser.add_argument("--index", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.index:
        index(options.index)
        return
    shared = [str(SHARED / name) for name in ("train.jsonl", "train_more.jsonl")]
    source = ",".join(options.stories or (shared if SHARED.is_dir() else ["sample"]))
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        settings = Corpus(source=source, folder=folder, validation_share=0.05, typography=False)
        store = build_store(settings)
        texts = texts_of(store)
        report(store, texts)
        start = time.perf_counter()
        file = Path(folder, "training_runs.filter")
        about = build_filter(store, file)
        print(
            f"{'filter':24}{time.perf_counter() - start:.1f} s, {file.stat().st_size:,} bytes,"
            f" {about['hashes']:,} of every {about['stride']}th run,"
            f" {about['false_positives']:.3%} false positives"
        )
        print(f"{'a story of 300 tokens':24}{per_story(RunFilter(file), texts, 0)}")
        for name, tracer in (("index", Index(store.folder)), ("filter", RunFilter(file))):
            share = statistics.mean(tracer.trace(text, 0).share for text in texts)
            print(f"{'copied, by the ' + name:24}{share:.1%} of the words of stories never read")
        if options.large:
            print()
            report(enlarged(store, Path(folder, "large"), options.large), texts)


if __name__ == "__main__":
    main()
