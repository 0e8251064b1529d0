"""Tokens per second of training, compared with transformers.Trainer and a plain PyTorch loop.

    python benchmarks/training.py [peers|growth ...] [--stories FILE | --store FOLDER] [--steps 6]

peers    the size of the preset seed (GPT-2 block, 6 x 256 x 4, 50,257 ids), 64 blocks of 128
         tokens per update, AdamW, no dropout: transformers.Trainer in fp32 and bf16, the same
         compiled, a plain compiled PyTorch loop in bf16, and `trainer/train.py`
growth   `trainer/train.py` with context 128, 256 and 512, smaller updates, and two processes

Every contender runs in a process of its own, on the blocks of one token store; the speed is that of
the median update after a warm-up (and compilation). The share is of this machine's bf16 matmul
peak, measured first, by the floating-point operations of the whole model (trainer/model/flops.py),
the head's 50,257 rows included. Inkling computes the head only for the ids that the corpus uses, so
its share includes saved work. Memory is the peak of the process, or of its tensors on a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SHARED = ROOT.parent / "shared" / "data" / "train.jsonl"
BATCH, CONTEXT = 64, 128
WARM_UP = 2  # updates that are not counted
CONTENDERS = {
    "trainer-fp32": "transformers.Trainer, fp32",
    "trainer-bf16": "transformers.Trainer, bf16",
    "trainer-fp32-compiled": "the same, fp32, compiled",
    "trainer-bf16-compiled": "the same, bf16, compiled",
    "loop": "plain PyTorch loop, bf16, compiled",
    "inkling": "Inkling",
}


def new_model() -> Any:
    """Return a GPT-2 of the preset's size."""
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(
        GPT2Config(n_layer=6, n_embd=256, n_head=4, n_positions=CONTEXT, n_inner=1024,
                   resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    )  # fmt: skip


def library(store: Path, steps: int, kind: str) -> list[float]:
    """Return the seconds of each update of transformers.Trainer, set up as in its examples."""
    import numpy as np
    import torch
    import transformers

    tokens = np.memmap(store / "train" / "tokens.bin", dtype="<u2", mode="r")

    class Blocks(torch.utils.data.Dataset[dict[str, Any]]):
        def __len__(self) -> int:
            return len(tokens) // CONTEXT

        def __getitem__(self, index: int) -> dict[str, Any]:
            block = tokens[index * CONTEXT : (index + 1) * CONTEXT].astype(np.int64)
            return {"input_ids": block, "labels": block}

    class Clock(transformers.TrainerCallback):
        def __init__(self) -> None:
            self.ticks = [time.perf_counter()]

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.ticks.append(time.perf_counter())

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            folder, use_cpu=not torch.cuda.is_available(), bf16="bf16" in kind,
            torch_compile="compiled" in kind, per_device_train_batch_size=BATCH,
            max_steps=steps + WARM_UP, learning_rate=5e-4, save_strategy="no", report_to=[],
            disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        transformers.Trainer(
            new_model(), arguments, train_dataset=Blocks(), callbacks=[clock]
        ).train()
    return [end - begin for begin, end in zip(clock.ticks, clock.ticks[1:], strict=False)]


def loop(store: Path, steps: int, kind: str) -> list[float]:
    """Return the seconds of each update of a usual compiled PyTorch loop."""
    import numpy as np
    import torch
    from torch.nn import functional

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokens = np.memmap(store / "train" / "tokens.bin", dtype="<u2", mode="r")
    model = new_model().to(device)
    compiled: Callable[..., Any] = torch.compile(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, fused=True)
    seconds = []
    for _ in range(steps + WARM_UP):
        begin = time.perf_counter()
        starts = np.random.randint(0, len(tokens) - CONTEXT - 1, BATCH)
        rows = np.stack([tokens[start : start + CONTEXT + 1] for start in starts]).astype(np.int64)
        batch = torch.from_numpy(rows).to(device)
        with torch.autocast(device, torch.bfloat16):
            logits = compiled(batch[:, :-1]).logits
        loss = functional.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        seconds.append(time.perf_counter() - begin)
    return seconds


def inkling(
    stories: str, data: Path, steps: int, processes: int = 1, **settings: object
) -> tuple[float, int]:
    """Return tokens per second of `trainer/train.py`, and its peak memory in MiB."""
    changes = {
        "corpus.source": stories, "corpus.folder": data, "optim.steps": steps + 2 * WARM_UP,
        "model.dropout": 0, "runtime.compile": "on", "run.log_every": 1, "run.evaluate_stories": 1,
        "run.validate_every": 10_000, "run.validate_blocks": 1, "run.sample_length": 1,
        "run.snapshots": 0,
    } | {name.replace("__", "."): value for name, value in settings.items()}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        start = [sys.executable]
        if processes > 1:
            start += ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)]
        command = [*start, str(ROOT / "trainer" / "train.py"), "--preset", "seed"]
        for name, value in (changes | {"run.dir": folder}).items():
            command += [f"--{name}", str(value)]
        _, memory = output_and_peak(command)
        if has_gpu():
            printed, _ = output_and_peak([*command, "--run.dry_run", "true"])
            found = re.search(r"^memory +([\d.]+) GiB", printed, re.MULTILINE)
            memory = round(1024 * float(found[1])) if found else 0
        lines = Path(folder, "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    speeds = [line["tokens_per_second"] for line in map(json.loads, lines)
              if "tokens_per_second" in line]  # fmt: skip
    return statistics.median(speeds[2 * WARM_UP :]), memory


def has_gpu() -> bool:
    """Return whether the contenders run on a GPU."""
    import torch

    return torch.cuda.is_available()


def num_gpus() -> int:
    """Return the number of visible GPUs."""
    import torch

    return torch.cuda.device_count()


def output_and_peak(command: list[str]) -> tuple[str, int]:
    """Run a command; return its output and its peak memory in MiB."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors, text=True)
        _, status, usage = os.wait4(process.pid, 0)
        output.seek(0)
        errors.seek(0)
        if status:
            sys.exit(f"error: {' '.join(command[-6:])}: {errors.read().strip()[-500:]}")
        return output.read(), usage.ru_maxrss // 1024


def peers(stories: str, data: Path, store: Path, steps: int) -> None:
    """Print the table of all contenders."""
    import torch

    from trainer.model.flops import flops_per_token, matmul_peak

    limit = matmul_peak(torch.device("cuda" if has_gpu() else "cpu"), torch.bfloat16)
    work = flops_per_token(new_model())
    print(f"bf16 matrix peak of this machine: {limit / 1e12:.2f} TFLOP/s")
    print(f"{'':36}{'tokens/s':>10}{'ratio':>8}{'share':>8}{'memory':>12}")
    base = 0.0
    for name, title in CONTENDERS.items():
        if name == "inkling":
            speed, memory = inkling(stories, data, steps)
        else:
            command = [sys.executable, __file__, "--contender", name, str(store), str(steps)]
            output, memory = output_and_peak(command)
            seconds, on_gpu = json.loads(output.splitlines()[-1])
            memory = on_gpu or memory
            speed = BATCH * CONTEXT / statistics.median(seconds[WARM_UP:])
        base = base or speed
        share = work * speed / limit
        print(f"{title:36}{speed:>10,.0f}{speed / base:>7.1f}x{share:>8.0%}{memory:>8,} MiB",
              flush=True)  # fmt: skip


def growth(stories: str, data: Path, steps: int) -> None:
    """Print how Inkling's speed and memory grow."""
    print(f"{'Inkling':36}{'tokens/s':>10}{'memory':>12}")
    rows: list[tuple[str, int, dict[str, object]]] = [
        (f"context {context}, {8192 // context} blocks", 1,
         {"model__context": context, "optim__global_batch": 8192 // context})
        for context in (128, 256, 512)
    ]  # fmt: skip
    rows += [
        (f"context 128, {batch} blocks", 1, {"optim__global_batch": batch}) for batch in (16, 32)
    ]
    if not has_gpu() or num_gpus() > 1:  # two processes cannot share a GPU
        rows += [("context 128, 64 blocks, 2 processes", 2, {})]
    for title, processes, settings in rows:
        speed, memory = inkling(stories, data, steps, processes, **settings)
        print(f"{title:36}{speed:>10,.0f}{memory:>8,} MiB", flush=True)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", default=["peers", "growth"])
    parser.add_argument("--stories", default=str(SHARED) if SHARED.exists() else "sample")
    parser.add_argument("--store", type=Path, help="a finished token store to read instead")
    parser.add_argument("--steps", type=int, default=6, help="updates that are counted")
    parser.add_argument("--contender", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        name, folder, steps = options.contender
        kind = name.partition("-")[2]
        found = (library if kind else loop)(Path(folder), int(steps), kind)
        import torch

        on_gpu = torch.cuda.max_memory_allocated() // 2**20 if has_gpu() else 0
        print(json.dumps([found, on_gpu]))
        return
    for part in options.parts:
        if part not in ("peers", "growth"):
            sys.exit(f"error: there is no part {part!r}: peers or growth")
    with tempfile.TemporaryDirectory() as folder:
        store = options.store or build(options.stories, folder)
        for part in options.parts:
            if part == "peers":
                peers(str(options.store or options.stories), Path(folder), store, options.steps)
            else:
                growth(str(options.store or options.stories), Path(folder), options.steps)


def build(stories: str, folder: str) -> Path:
    """Return the token store that the contenders read."""
    from trainer.corpus import build_store
    from trainer.settings.corpus import Corpus

    corpus = Corpus(source=stories, folder=folder, special="strip", lower_case=True,
                    max_tokens=128)  # fmt: skip
    return build_store(corpus).folder


if __name__ == "__main__":
    main()
