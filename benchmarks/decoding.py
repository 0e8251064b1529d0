"""Tokens per second of decoding, compared with transformers' generate, llama.cpp and CTranslate2.

    python benchmarks/decoding.py [speed|record|greedy ...] [--model DIR] [--device cpu|cuda]

speed    1, 8 and 32 stories at once (on a GPU also 256), and the first token after a prompt of 50
         tokens
record   the cost of the record of each token
greedy   200 prompts x 200 tokens at temperature 0, compared with generate in fp32 token by token

Every contender runs in a process of its own, on the same export, with the same prompts and lengths:
temperature 0.8, top-k 40, end tokens ignored. A number is the median of `--repeats` runs after a
warm-up. Inkling's speed includes the record of every token; "the core alone" is its C code without
Python's decode loop and records. llama.cpp reads the export as GGUF in fp16, CTranslate2's model
comes from its own converter. `greedy` runs on the CPU.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

STORIES = ROOT.parent / "shared" / "data" / "valid.jsonl"
SAMPLE = ROOT / "trainer" / "corpus" / "sample.jsonl"
CONTENDERS = {
    "inkling": "Inkling, with the record",
    "inkling-page": "Inkling, as the page streams it",
    "inkling-bare": "Inkling, without the record",
    "core": "the core alone",
    "generate-fp32": "generate, fp32",
    "generate-bf16": "generate, bf16",
    "generate-static": "generate, fp32, static cache",
    "llama.cpp": "llama.cpp, GGUF f16",
    "ctranslate2-float32": "CTranslate2, float32",
    "ctranslate2-int8": "CTranslate2, int8",
}
NEEDED = {"ctranslate2": "ctranslate2", "llama.cpp": "xllamacpp"}  # packages of contenders
STREAMS = {"cpu": (1, 8, 32), "cuda": (1, 8, 32, 256)}
PROMPT = 16  # tokens
LONG_PROMPT = 50
Run = Callable[[list[list[int]], int], list[list[int]]]  # prompts, tokens -> the new tokens


def prompts(model: Path, count: int, length: int) -> list[list[int]]:
    """Return the first `length` tokens of `count` stories."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    found = []
    for file in (STORIES, SAMPLE):
        if not file.exists():
            continue
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                text = json.loads(line).get("text") if line.startswith("{") else None
                ids = tokenizer.encode(text, add_special_tokens=False).ids if text else []
                if len(ids) > length:
                    found.append(ids[:length])
                if len(found) == count:
                    return found
    sys.exit(f"error: only {len(found)} of {count} prompts of {length} tokens are in {SAMPLE}")


@contextmanager
def inkling(model: Path, device: str, streams: int, kind: str) -> Iterator[Run]:
    """Yield this project's engine: with the whole record, without alternatives ("page"), or without
    the record ("bare")."""
    from playground.core.library import MAX_ALTERNATIVES
    from playground.engine import sampler
    from playground.engine.engine import Engine
    from playground.folder.model_folder import ModelFolder
    from playground.sampling import Settings
    from playground.stories.story import Token

    if kind == "bare":
        empty = Token(0, "", None, 0.0, 0.0, 0, 0.0, ())
        sampler.Sampler._record = lambda *_: empty  # type: ignore[method-assign, assignment]
    storyteller = ModelFolder.open(model, device=device)

    def run(texts: list[list[int]], length: int) -> list[list[int]]:
        begun = []
        for seed, ids in enumerate(texts):
            settings = Settings(temperature=0.8, top_k=40, length=length, seed=seed,
                                stop_at_end=False)  # fmt: skip
            alternatives = 0 if kind == "page" else MAX_ALTERNATIVES
            begun.append(engine.extend(ids, "", settings, alternatives=alternatives))
        return [[token.token_id for token in stream] for stream in begun]

    with Engine(storyteller, max_streams=streams) as engine:
        yield run


@contextmanager
def core(model: Path, streams: int) -> Iterator[Run]:
    """Yield the core's C code."""
    import numpy as np

    from playground.core.library import QUESTION, Chunk, Core, uniform
    from playground.core.pack import pack
    from playground.folder.model_folder import ModelFolder

    storyteller = ModelFolder.open(model, device="cpu")
    opened = Core(pack(storyteller.weights, storyteller.config).content)
    opened.reserve(streams, 512)

    def run(texts: list[list[int]], length: int) -> list[list[int]]:
        prompts = [[storyteller.bos_id, *text] for text in texts]
        stories, questions = range(len(texts)), np.zeros(len(texts), QUESTION)
        questions["temperature"], questions["top_k"], questions["known"] = 0.8, 40, -1
        questions["top_p"] = questions["repetition_penalty"] = 1
        opened.step([Chunk(k, 0, ids[:-1]) for k, ids in enumerate(prompts)], questions[:0])
        found = [[ids[-1] for ids in prompts]]
        for position in range(length):
            questions["draw"] = [uniform(story, position) for story in stories]
            chunks = [
                Chunk(k, len(prompts[k]) - 1 + position, [found[-1][k]], range(1)) for k in stories
            ]
            found.append(opened.step(chunks, questions)["id"].tolist())
        return [list(ids) for ids in zip(*found[1:], strict=True)]

    yield run


@contextmanager
def llama_cpp(model: Path, streams: int) -> Iterator[Run]:
    """Yield llama.cpp's server, in this process."""
    import xllamacpp as library

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.gguf"
        command = [sys.executable, "-m", "trainer.export", "gguf", str(model), str(file)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        params = library.CommonParams()
        params.model.path = str(file)
        params.n_ctx, params.n_parallel = 512 * streams, streams
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count()
        server = library.Server(params)

        def write(ids: list[int], length: int) -> list[int]:
            answer = server.handle_completions({
                "prompt": [50256, *ids], "n_predict": length, "temperature": 0.8, "top_k": 40,
                "top_p": 1.0, "min_p": 0.0, "ignore_eos": True,
            })  # fmt: skip
            return [0] * int(answer["usage"]["completion_tokens"])

        def run(texts: list[list[int]], length: int) -> list[list[int]]:
            with ThreadPoolExecutor(len(texts)) as visitors:
                return list(visitors.map(lambda ids: write(ids, length), texts))

        yield run


@contextmanager
def generate(model: Path, device: str, kind: str) -> Iterator[Run]:
    """Yield transformers' generate."""
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if kind == "bf16" else torch.float32
    network = AutoModelForCausalLM.from_pretrained(model, dtype=dtype).eval().to(device)
    extra: dict[str, Any] = {"cache_implementation": "static"} if kind == "static" else {}

    def run(texts: list[list[int]], length: int) -> list[list[int]]:
        begin = [[network.config.eos_token_id, *text] for text in texts]
        ids = torch.tensor(begin, device=device)
        with torch.inference_mode():
            found = network.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=0.8,
                top_k=40, min_new_tokens=length, max_new_tokens=length, pad_token_id=0, **extra,
            )  # fmt: skip
        return list(found[:, ids.shape[1] :].tolist())

    yield run


@contextmanager
def ctranslate2(model: Path, device: str, kind: str) -> Iterator[Run]:
    """Yield CTranslate2's generator."""
    import ctranslate2 as library
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    with tempfile.TemporaryDirectory() as folder:
        converter = library.converters.TransformersConverter(str(model))
        converter.convert(f"{folder}/model", quantization=kind)
        threads = os.cpu_count()
        generator = library.Generator(f"{folder}/model", device=device, intra_threads=threads)

        def run(texts: list[list[int]], length: int) -> list[list[int]]:
            begin = [[tokenizer.id_to_token(number) for number in (50256, *ids)] for ids in texts]
            found = generator.generate_batch(
                begin, min_length=length, max_length=length, sampling_temperature=0.8,
                sampling_topk=40, include_prompt_in_result=False, max_batch_size=len(texts),
            )  # fmt: skip
            return [result.sequences_ids[0] for result in found]

        yield run


def contender(name: str, model: Path, device: str, streams: int) -> Any:
    """Return the context manager of the contender of that name."""
    library, _, kind = name.partition("-")
    if library == "inkling":
        return inkling(model, device, streams, kind)
    if library == "core":
        return core(model, streams)
    if library == "llama.cpp":
        return llama_cpp(model, streams)
    peer = generate if library == "generate" else ctranslate2
    return peer(model, device, kind)


def measure(
    name: str, model: Path, device: str, streams: int, tokens: int, repeats: int
) -> dict[str, float]:
    """Return tokens per second of all streams together, and milliseconds to the first token."""
    texts, long = prompts(model, streams, PROMPT), prompts(model, 1, LONG_PROMPT)
    speeds, waits = [], []
    with contender(name, model, device, streams) as run:
        for turn in range(repeats + 1):
            begin = time.perf_counter()
            found = run(texts, tokens)
            seconds = time.perf_counter() - begin
            if not all(len(ids) == tokens for ids in found):
                sys.exit(f"error: {name} wrote {[len(ids) for ids in found]}, not {tokens} each")
            begin = time.perf_counter()
            run(long, 1)
            if turn:
                speeds.append(streams * tokens / seconds)
                waits.append(1000 * (time.perf_counter() - begin))
    return {"speed": statistics.median(speeds), "wait": statistics.median(waits)}


def apart(name: str, model: Path, device: str, *numbers: int) -> dict[str, float]:
    """Return `measure` of a process of its own; `numbers`: streams, tokens and repeats."""
    arguments = [name, str(model), device, *map(str, numbers)]
    done = subprocess.run(
        [sys.executable, __file__, "--contender", *arguments], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"error: {name}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def speed(model: Path, device: str, tokens: int, repeats: int) -> None:
    """Print the table of all contenders."""
    print(
        f"tokens/s, stories of {PROMPT} + {tokens} tokens; in brackets the ratio to generate, fp32"
    )
    counts = STREAMS[device]
    print(f"{'':32}" + "".join(f"{count:>10} at once" for count in counts) + "   first token")
    rows: dict[str, list[dict[str, float]]] = {}
    base = "generate-fp32"
    for name in [base, *(name for name in CONTENDERS if name not in (base, "inkling-bare"))]:
        if name in ("core", "llama.cpp") and device != "cpu":
            continue
        package = NEEDED.get(name.split("-")[0])
        if package and not importlib.util.find_spec(package):
            print(f"{CONTENDERS[name]:32}  not measured: {package} is not installed")
            continue
        rows[name] = [apart(name, model, device, count, tokens, repeats) for count in counts]
        cells = [
            f"{row['speed']:>10,.0f} ({row['speed'] / first['speed']:.1f}x)"
            for row, first in zip(rows[name], rows[base], strict=True)
        ]
        print(f"{CONTENDERS[name]:32}" + "".join(cells) + f"{rows[name][0]['wait']:>10.1f} ms",
              flush=True)  # fmt: skip


def record(model: Path, device: str, tokens: int, repeats: int) -> None:
    """Print the cost of the record; the variants take turns, so that noise affects all of them."""
    names = ("inkling", "inkling-page", "inkling-bare")
    for streams in (1, 32):
        rows = [
            [apart(name, model, device, streams, tokens, 3)["speed"] for name in names]
            for _ in range(repeats)
        ]
        whole, page, bare = (statistics.median(column) for column in zip(*rows, strict=True))
        costs = [statistics.median(1 - row[k] / row[-1] for row in rows) for k in range(2)]
        print(f"record, {streams:>2} at once: {whole:,.0f} tokens/s with all of it, {page:,.0f} "
              f"without alternatives, {bare:,.0f} with nothing: {costs[0]:.1%} and {costs[1]:.1%} "
              "of the speed")  # fmt: skip


def greedy(model: Path, count: int = 200, length: int = 200) -> None:
    """Compare Inkling's greedy tokens with those of generate in fp32."""
    import torch
    from transformers import AutoModelForCausalLM

    from playground.engine.engine import Engine
    from playground.folder.model_folder import ModelFolder
    from playground.sampling import Settings

    texts = prompts(model, count, PROMPT)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    storyteller = ModelFolder.open(model, device="cpu")
    settings = Settings(temperature=0, top_k=0, length=length)
    same, ties = 0, []
    with Engine(storyteller, max_streams=32, max_waiting=count) as engine:
        streams = [engine.write(storyteller.tokenizer.decode(ids), settings) for ids in texts]
        ours = [(stream, [token.token_id for token in stream]) for stream in streams]
    (end,) = storyteller.eos_ids
    for start in range(0, count, 40):
        ids = torch.tensor([[storyteller.bos_id, *text] for text in texts[start : start + 40]])
        with torch.inference_mode():
            found = network.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=length,
                pad_token_id=end,
            )[:, ids.shape[1] :].tolist()  # fmt: skip
        for (stream, mine), theirs in zip(ours[start : start + 40], found, strict=True):
            if end in theirs:
                theirs = theirs[: theirs.index(end)]
            first = next(
                (place for place, pair in enumerate(zip(mine, theirs, strict=False))
                 if pair[0] != pair[1]), None)  # fmt: skip
            if first is None and len(mine) == len(theirs):
                same += 1
                continue
            place = min(len(mine), len(theirs)) if first is None else first
            if place < len(mine):
                ties.append(
                    [other.probability for other in stream.story.tokens[place].alternatives[:2]]
                )
            else:
                ties.append([float("nan")] * 2)
    print(f"greedy: {same} of {count} stories of {length} tokens are generate's, token for token")
    for first_share, second_share in ties:
        print(
            "  first difference between two tokens of probability "
            f"{first_share:.7f} and {second_share:.7f}"
        )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", default=["speed", "record", "greedy"])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "storyteller")
    parser.add_argument("--tokens", type=int, default=128, help="tokens of a story")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", choices=list(STREAMS), default="cpu")
    parser.add_argument("--contender", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        name, model, device, *numbers = options.contender
        found = measure(name, Path(model), device, *map(int, numbers))
        print(json.dumps(found))
        return
    for part in options.parts:
        if part == "speed":
            speed(options.model, options.device, options.tokens, options.repeats)
        elif part == "record":
            record(options.model, options.device, options.tokens, options.repeats)
        elif part == "greedy":
            greedy(options.model)
        else:
            sys.exit(f"error: there is no part {part!r}: speed, record or greedy")


if __name__ == "__main__":
    main()
