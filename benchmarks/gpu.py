"""All GPU measurements of README.md and docs/speed.md, in one visit of at most ten minutes.

    python benchmarks/gpu.py --store FOLDER [--out gpu.jsonl] [--minutes 9.5] [--updates 200]

Needs torch, transformers, accelerate and a finished token store (`python -m trainer.corpus build`);
no network, datasets, deepspeed or gradio. All models are compiled first, in parallel; then every
contender runs alone, in a process of its own. Each result is appended to FILE as a line of JSON at
once, so an interrupted visit keeps its results; at the end the tables are printed as Markdown.
Speeds are measured over many updates between two synchronizations.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

TRAIN = {  # row: settings of the run
    "seed": ["--preset", "seed", "--model.dropout", "0"],
    "storyteller": ["--preset", "storyteller"],
    "storyteller, attention over the block": ["--model.attention", "block"],
    "storyteller, not deterministic": ["--runtime.deterministic", "false"],
    "storyteller, fp32": ["--runtime.precision", "fp32"],
    "storyteller, not compiled": ["--runtime.compile", "off"],
    "storyteller, all 50,257 ids": ["--model.compact_vocabulary", "false"],
    "storyteller, AdamW": ["--optim.optimizer", "adamw"],
    "storyteller, a quarter of the batch": ["--optim.global_batch", "16"],
}
DECODE = ["inkling", "inkling-bare", "generate-fp32", "generate-bf16", "generate-static"]
COUNTS = [1, 8, 32, 64, 256]  # stories at once
WARM_UP = 20  # updates before the clock starts


def train(store: str, row: str, updates: int) -> dict[str, Any]:
    """Return speed, memory and MFU of a run over `updates` updates."""
    import torch

    from trainer.corpus.store.token_store import open_store
    from trainer.distributed.runtime import seed_noise
    from trainer.model.flops import matmul_peak
    from trainer.run.loop import Trainer
    from trainer.settings.command_line import parse

    settings = ["--runtime.compile", "on", *TRAIN[row], "--run.dir", tempfile.mkdtemp()]
    trainer = Trainer(parse(["--corpus.source", store, *settings]), open_store(Path(store)))
    runtime, tokens = trainer.runtime, trainer.global_batch * trainer.context
    trainer.model.train()

    def go(first: int, count: int) -> tuple[float, float]:
        """Return the seconds until the device has finished, and until the host has."""
        torch.cuda.synchronize()
        start = time.perf_counter()
        for step in range(first, first + count):
            seed_noise(1, step, runtime.rank)
            trainer.engine.update(trainer.batches.of(step), 1e-4)
        sent = time.perf_counter() - start
        torch.cuda.synchronize()
        return time.perf_counter() - start, sent

    go(0, min(WARM_UP, updates))
    torch.cuda.reset_peak_memory_stats()
    seconds, sent = go(WARM_UP, updates)
    speed = updates * tokens / seconds
    peak = matmul_peak(runtime.device, runtime.dtype)
    return {
        "tokens/s": round(speed),
        "ms per update": round(1000 * seconds / updates, 2),
        "host ms per update": round(1000 * sent / updates, 2),
        "MFU": round(speed * trainer.flops_per_token / peak, 4),
        "matmul peak, TFLOP/s": round(peak / 1e12, 1),
        "allocated MiB": torch.cuda.max_memory_allocated() >> 20,
        "reserved MiB": torch.cuda.max_memory_reserved() >> 20,
    }


def decode(name: str) -> dict[str, Any]:
    """Return tokens per second by number of parallel stories, and ms to the first token."""
    import decoding

    found: dict[str, Any] = {}
    for count in COUNTS:
        got = decoding.measure(name, ROOT / "models" / "storyteller", "cuda", count, 128, 3)
        found[f"{count} at once"] = round(got["speed"])
        found.setdefault("first token, ms", round(got["wait"], 2))
    return found


def resume(store: str) -> dict[str, Any]:
    """Compare the bits after 12 updates: of two runs, and of one that was stopped after 7."""
    import hashlib
    import shutil

    def run(folder: str, *more: str) -> str:
        command = [
            *(sys.executable, str(ROOT / "trainer" / "train.py"), "--corpus.source", store),
            *("--optim.steps", "12", "--run.validate_blocks", "1", "--run.sample_length", "1"),
            *("--run.snapshots", "0", "--run.evaluate_stories", "1", "--runtime.compile", "on"),
            *("--run.keep_last", "9", "--run.dir", folder, *more),
        ]
        subprocess.run(command, capture_output=True, check=True)
        newest = sorted(Path(folder, "checkpoints").glob("step-*"))[-1]
        return hashlib.sha256((newest / "weights.safetensors").read_bytes()).hexdigest()

    one, other, cut = (tempfile.mkdtemp() for _ in range(3))
    first, second = run(one), run(other)
    run(cut, "--run.save_every", "7")
    shutil.rmtree(Path(cut, "export"))
    for late in sorted(Path(cut, "checkpoints").glob("step-*"))[1:]:
        shutil.rmtree(late)
    return {"the same twice": first == second, "the same resumed": run(cut) == first}


def child(job: list[Any], seconds: float) -> dict[str, Any]:
    """Run a job in a process of its own; return its result, or the last line of its error."""
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--child", json.dumps(job)],
            capture_output=True, text=True, timeout=max(5.0, seconds),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {seconds:.0f} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1][:200]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(title: str, rows: dict[str, dict[str, Any]]) -> str:
    """Return a Markdown table."""
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    lines = [f"| {title} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(str(row.get(key, '')) for key in columns)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--store", help="folder of a finished token store")
    parser.add_argument("--out", type=Path, default=Path("gpu.jsonl"))
    parser.add_argument("--minutes", type=float, default=9.5)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, *rest = json.loads(options.child)
        print(json.dumps({"train": train, "decode": decode, "resume": resume}[name](*rest)))
        return
    import torch
    import transformers

    if not torch.cuda.is_available():
        sys.exit("error: there is no GPU that PyTorch can reach: nothing to measure")
    if not options.store:
        sys.exit("error: --store is missing: name the folder of a finished token store")
    end = time.perf_counter() + 60 * options.minutes
    results: dict[str, dict[str, dict[str, Any]]] = {}

    def note(part: str, row: str, found: dict[str, Any]) -> None:
        results.setdefault(part, {})[row] = found
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"part": part, "row": row, **found}) + "\n")
        print(part, row, json.dumps(found), flush=True)

    gpu = torch.cuda.get_device_properties(0)
    note("machine", gpu.name, {"capability": f"{gpu.major}.{gpu.minor}",
                               "MiB": gpu.total_memory >> 20, "CUDA": torch.version.cuda,
                               "torch": torch.__version__,
                               "transformers": transformers.__version__})  # fmt: skip
    jobs: list[tuple[str, list[Any], float]] = [
        *((row, ["train", options.store, row, options.updates], 90.0) for row in TRAIN),
        *((name, ["decode", name], 90.0) for name in DECODE),
        ("12 updates", ["resume", options.store], 150.0),
    ]
    warm = [  # brief runs side by side: the timed ones find their kernels in the compiler's cache
        subprocess.Popen(
            [sys.executable, __file__, "--child", json.dumps([*job[:-1], 2])],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for row, job, _ in jobs if job[0] == "train" and row != "storyteller, not compiled"
    ]  # fmt: skip
    for process in warm:
        try:
            process.wait(max(1.0, min(180.0, end - time.perf_counter() - 240)))
        except subprocess.TimeoutExpired:
            process.kill()
    for row, job, seconds in jobs:
        left = end - time.perf_counter()
        note(
            job[0], row, child(job, min(seconds, left)) if left > 15 else {"error": "no time left"}
        )
    for part, rows in results.items():
        print(f"\n{table(part, rows)}")


if __name__ == "__main__":
    main()
