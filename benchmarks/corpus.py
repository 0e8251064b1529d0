"""Speed and memory of building a token store, compared with the usual pipeline of `datasets`.

    python benchmarks/corpus.py [compare|growth|whole ...] [--stories FILE]

compare     200 MB through this project, and through load_dataset + map(clean) + map(tokenize,
            batched=True, num_proc=2) + concatenation: the same rules, and the same ids out
growth      50, 100, 200 and 400 MB
whole       the size of all of TinyStories, 1.9 GB

The input is FILE (default: ../shared/data/train.jsonl, else the bundled sample) repeated, so the
rules that drop duplicates are off. Each measurement is a process of its own with empty caches; its
memory is that of all its processes together (PSS), sampled ten times per second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from trainer.corpus import build_store  # noqa: E402
from trainer.corpus.store.token_store import open_store  # noqa: E402
from trainer.corpus.tokenizer.tokenizer import GPT2, gpt2  # noqa: E402
from trainer.settings.corpus import Corpus  # noqa: E402

SHARED = ROOT.parent / "shared" / "data" / "train.jsonl"
WHOLE = 1_924  # MB of text in TinyStories-train.txt
PROCESSES = 2


def settings(source: str = "sample", folder: str = "") -> Corpus:
    """Return the default rules without those that drop repetitions."""
    return Corpus(
        source=source,
        folder=folder,
        duplicates=False,
        decontaminate=False,
        validation_share=0.0,
        workers=PROCESSES,
    )


def ours(source: Path, folder: Path) -> Path:
    """Build a store with this project; return the file of its ids."""
    store = build_store(settings(str(source), str(folder)))
    return store.folder / "train" / "tokens.bin"


def usual(source: Path, folder: Path, clean_processes: int) -> Path:
    """Tokenize with `datasets`, as most training scripts do; return the file of the ids."""
    from collections import Counter

    import datasets
    from transformers import AutoTokenizer

    from trainer.corpus.store.cleaning import Cleaner

    datasets.disable_progress_bars()
    cleaner, tokenizer = Cleaner(settings()), AutoTokenizer.from_pretrained(GPT2)

    def clean(row: dict[str, str]) -> dict[str, str]:
        story = cleaner.clean(row["text"], Counter())
        return {"text": story if isinstance(story, str) else ""}

    def tokenize(rows: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        ids = tokenizer(rows["text"], return_attention_mask=False)["input_ids"]
        return {"ids": [[*story, gpt2().end_of_text] for story in ids if len(story) >= 8]}

    table = datasets.load_dataset(
        "json", data_files=str(source), split="train", cache_dir=str(folder / "cache")
    ).select_columns("text")
    table = table.map(clean, num_proc=clean_processes if clean_processes > 1 else None)
    table = table.map(tokenize, batched=True, num_proc=PROCESSES, remove_columns=["text"])
    file = folder / "tokens.bin"
    with file.open("wb") as stream:
        for batch in table.with_format("arrow").iter(10_000):
            ids = batch["ids"].combine_chunks().flatten()
            stream.write(ids.to_numpy().astype("<u2").tobytes())
    return file


WAYS = {
    "this project": ours,
    "datasets, clean in one process": lambda source, folder: usual(source, folder, 1),
    "datasets, clean in two processes": lambda source, folder: usual(source, folder, PROCESSES),
}


def repeated(stories: Path, megabytes: int, folder: Path) -> Path:
    """Write the stories repeatedly to a file of `megabytes` MB; return the file."""
    lines = stories.read_bytes().splitlines(keepends=True)
    file, size = folder / f"{megabytes}.jsonl", 0
    with file.open("wb") as stream:
        while size < megabytes * 10**6:
            for line in lines:
                stream.write(line)
                size += len(line)
                if size >= megabytes * 10**6:
                    break
    return file


def measure(way: str, source: Path, folder: Path) -> dict[str, float | str]:
    """Run a pipeline in a process of its own; return seconds, MB of memory, and the file of ids."""
    folder.mkdir()
    command = [sys.executable, __file__, "--run", way, str(source), str(folder)]
    environment = os.environ | {"HF_HOME": str(folder / "home"), "TOKENIZERS_PARALLELISM": "false"}
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    peak = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], memory_of(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    output = process.communicate()[0]
    seconds = time.perf_counter() - begun
    done.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{way} failed")
    return {"seconds": seconds, "memory": peak[0] / 1e6, "ids": json.loads(output)["ids"]}


def memory_of(number: int) -> int:
    """Return the bytes of a process and its children; shared memory is counted once."""
    total = 0
    try:
        process = psutil.Process(number)
        for each in [process, *process.children(recursive=True)]:
            total += each.memory_full_info().pss
    except psutil.Error:
        pass  # ended meanwhile
    return total


def row(name: str, megabytes: float, stories: int, result: dict[str, float | str]) -> str:
    """Return a line of a table."""
    seconds, memory = float(result["seconds"]), float(result["memory"])
    return (
        f"| {name} | {seconds:.1f} | {stories / seconds:,.0f} | {megabytes / seconds:.1f} |"
        f" {memory:,.0f} |"
    )


def compare(stories: Path, folder: Path) -> None:
    """Print the table of all pipelines on 200 MB."""
    source = repeated(stories, 200, folder)
    count = sum(1 for _ in source.open("rb"))
    print(f"\n200 MB, {count:,} stories, {PROCESSES} cores\n")
    print("| way | seconds | stories/s | MB/s | peak MB | times as long | ids |")
    print("|---|---:|---:|---:|---:|---:|---|")
    best = 0.0
    reference = np.empty(0)
    for number, way in enumerate(WAYS):
        result = measure(way, source, folder / f"compare-{number}")
        ids = np.fromfile(str(result["ids"]), dtype="<u2")
        best, reference = (float(result["seconds"]), ids) if number == 0 else (best, reference)
        same = "the same" if np.array_equal(ids, reference) else "NOT THE SAME"
        times = float(result["seconds"]) / best
        print(f"{row(way, 200, count, result)} {times:.2f} | {same} |", flush=True)


def grow(stories: Path, folder: Path, sizes: tuple[int, ...]) -> None:
    """Print the table of this project on growing inputs."""
    print("\n| MB | seconds | stories/s | MB/s | peak MB | to open, s |")
    print("|---|---:|---:|---:|---:|---:|")
    for size in sizes:
        source = repeated(stories, size, folder)
        count = sum(1 for _ in source.open("rb"))
        result = measure("this project", source, folder / f"grow-{size}")
        begun = time.perf_counter()
        open_store(Path(str(result["ids"])).parent.parent).split("train")
        opening = time.perf_counter() - begun
        print(f"{row(f'{size:,}', size, count, result)} {opening:.3f} |", flush=True)
        source.unlink()


def main() -> None:
    """Print the chosen tables."""
    if sys.argv[1:2] == ["--run"]:
        way, source, folder = sys.argv[2:]
        print(json.dumps({"ids": str(WAYS[way](Path(source), Path(folder)))}))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="compare|growth|whole")
    sample = ROOT / "trainer" / "corpus" / "sample.jsonl"
    parser.add_argument("--stories", type=Path, default=SHARED if SHARED.is_file() else sample)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for table in options.tables or ["compare", "growth", "whole"]:
            if table == "compare":
                compare(options.stories, Path(name))
            elif table in ("growth", "whole"):
                grow(
                    options.stories,
                    Path(name),
                    (50, 100, 200, 400)[: 4 * (table == "growth")] or (WHOLE,),
                )
            else:
                parser.error(f"there is no table {table!r}: choose compare, growth or whole")


if __name__ == "__main__":
    main()
