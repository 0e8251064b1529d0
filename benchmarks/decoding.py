"""Words a second and what they cost, against transformers' generate and CTranslate2.

    python benchmarks/decoding.py [speed|record|greedy|heads ...] [--model DIR] [--device cpu|cuda]

speed    1, 8 and 32 stories at once (on a GPU also 256), and the first token after a prompt of 50
         tokens
record   what the record of each token costs
greedy   200 prompts x 200 tokens at temperature 0, token for token against generate in fp32
heads    how long each form of the head takes and what its rounding costs on real stories

Every contender runs in a process of its own, on the same export, with the same prompts and lengths:
temperature 0.8, top-k 40, ends ignored. A figure is the median of `--repeats` runs after one that
warms up. Inkling's include the record of every token. CTranslate2's model comes from its own
converter. The last two parts are judged on the processor.
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
    "inkling-bare": "Inkling, without the record",
    "generate-fp32": "generate, fp32",
    "generate-bf16": "generate, bf16",
    "generate-static": "generate, fp32, static cache",
    "ctranslate2-float32": "CTranslate2, float32",
    "ctranslate2-int8": "CTranslate2, int8",
}
STREAMS = {"cpu": (1, 8, 32), "cuda": (1, 8, 32, 256)}
PROMPT = 16  # tokens
LONG_PROMPT = 50
Run = Callable[[list[list[int]], int], list[list[int]]]  # prompts, tokens -> the new tokens


def prompts(model: Path, count: int, length: int) -> list[list[int]]:
    """The first tokens of `count` stories that are long enough."""
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
def inkling(model: Path, device: str, streams: int, bare: bool = False) -> Iterator[Run]:
    """This project's loop."""
    from playground.engine import sampler
    from playground.engine.engine import Engine
    from playground.model.folder import ModelFolder
    from playground.sampling import Settings
    from playground.stories.story import Story, Token

    if bare:
        empty = Token(0, "", None, 0.0, 0.0, 0, 0.0, ())
        sampler.Sampler._record = lambda *_: empty  # type: ignore[method-assign, assignment]
    storyteller = ModelFolder.open(model, device=device)

    def run(texts: list[list[int]], length: int) -> list[list[int]]:
        begun = []
        for seed, ids in enumerate(texts):
            settings = Settings(temperature=0.8, top_k=40, length=length, seed=seed,
                                stop_at_end=False)  # fmt: skip
            prompt = storyteller.decode(ids)
            story = Story(storyteller.fingerprint, settings, prompt, tuple(ids), (), ended=False)
            begun.append(engine.write("", settings, after=story))
        return [[token.token_id for token in stream] for stream in begun]

    with Engine(storyteller, max_streams=streams) as engine:
        yield run


@contextmanager
def generate(model: Path, device: str, kind: str) -> Iterator[Run]:
    """transformers' own loop."""
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
    """CTranslate2's loop."""
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
    """The contender of that name, to be entered."""
    library, _, kind = name.partition("-")
    if library == "inkling":
        return inkling(model, device, streams, bare=kind == "bare")
    peer = generate if library == "generate" else ctranslate2
    return peer(model, device, kind)


def measure(
    name: str, model: Path, device: str, streams: int, tokens: int, repeats: int
) -> dict[str, float]:
    """Tokens per second of all streams together, and milliseconds to the first token."""
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
    """`measure` in a process of its own; `numbers` are streams, tokens and repeats."""
    order = [name, str(model), device, *map(str, numbers)]
    done = subprocess.run(
        [sys.executable, __file__, "--contender", *order], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"error: {name}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def speed(model: Path, device: str, tokens: int, repeats: int) -> None:
    """The table of all contenders."""
    print(
        f"tokens/s, stories of {PROMPT} + {tokens} tokens; in brackets the ratio to generate, fp32"
    )
    counts = STREAMS[device]
    print(f"{'':32}" + "".join(f"{count:>10} at once" for count in counts) + "   first token")
    rows: dict[str, list[dict[str, float]]] = {}
    base = "generate-fp32"
    for name in [base, *(name for name in CONTENDERS if name not in (base, "inkling-bare"))]:
        if name.startswith("ctranslate2") and not importlib.util.find_spec("ctranslate2"):
            print(f"{CONTENDERS[name]:32}  not measured: it is not installed")
            continue
        rows[name] = [apart(name, model, device, count, tokens, repeats) for count in counts]
        cells = [
            f"{row['speed']:>10,.0f} ({row['speed'] / first['speed']:.1f}x)"
            for row, first in zip(rows[name], rows[base], strict=True)
        ]
        print(f"{CONTENDERS[name]:32}" + "".join(cells) + f"{rows[name][0]['wait']:>10.1f} ms",
              flush=True)  # fmt: skip


def record(model: Path, device: str, tokens: int, repeats: int) -> None:
    """What the record costs, in turns so that the machine's mood is shared."""
    for streams in (1, 32):
        pairs = [
            [
                apart(name, model, device, streams, tokens, 3)["speed"]
                for name in ("inkling", "inkling-bare")
            ]
            for _ in range(repeats)
        ]
        share = statistics.median(1 - told / bare for told, bare in pairs)
        told, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"record, {streams:>2} at once: {told:,.0f} tokens/s with it, {bare:,.0f} without: "
              f"{share:.1%} of the speed")  # fmt: skip


def greedy(model: Path, count: int = 200, length: int = 200) -> None:
    """Inkling's greedy tokens against generate's in fp32."""
    import torch
    from transformers import AutoModelForCausalLM

    from playground.engine.engine import Engine
    from playground.model.folder import ModelFolder
    from playground.sampling import Settings

    texts = prompts(model, count, PROMPT)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    storyteller = ModelFolder.open(model, device="cpu")
    settings = Settings(temperature=0, top_k=0, length=length)
    same, ties = 0, []
    with Engine(storyteller, max_streams=32, max_waiting=count) as engine:
        streams = [engine.write(storyteller.decode(ids), settings) for ids in texts]
        ours = [(stream, [token.token_id for token in stream]) for stream in streams]
    (end,) = storyteller.ends
    for start in range(0, count, 40):
        ids = torch.tensor([[storyteller.start, *text] for text in texts[start : start + 40]])
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
    for one, two in ties:
        print(f"  first difference between two tokens of probability {one:.7f} and {two:.7f}")


def heads(model: Path, count: int = 400) -> None:
    """What each form of the head takes, and what it costs on real stories beside fp32."""
    import torch

    from playground.model.attention import Chunk
    from playground.model.batched_decoder import BatchedDecoder
    from playground.model.candidates import FEW, likeliest_rows
    from playground.model.folder import ModelFolder
    from playground.model.head import Head

    storyteller = ModelFolder.open(model, device="cpu")
    network = BatchedDecoder(storyteller)
    network.reserve(1, network.context)
    exact, rough = (Head(network.table, kind) for kind in (torch.float32, torch.bfloat16))
    table, counts = exact._table, exact.counts
    scale = table.abs().amax(1).clamp_min(1e-12) / 127  # int8 weights, a scale a row
    small, scale_bf16 = (table / scale[:, None]).round().to(torch.int8), scale.to(torch.bfloat16)

    def int8(states: torch.Tensor) -> torch.Tensor:
        return torch._weight_int8pack_mm(states.to(torch.bfloat16), small, scale_bf16).float()

    def log_total(logits: torch.Tensor) -> torch.Tensor:
        return (logits.double() + counts.double().log()).logsumexp(-1)

    def own(logits: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        return logits.double().gather(1, after)[:, 0]

    # Each form: states and the unique rows that follow to surprise; states to what a choice needs.
    def plain(logits_of: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        def surprise(states: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
            logits = logits_of(states)
            return log_total(logits) - own(logits, after)

        return surprise, logits_of

    def again(states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return likeliest_rows(rough, states, rough.logits(states), FEW)

    def surprise_again(states: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        return again(states)[2] - rough.exact(states, after)[:, 0].double()

    forms = {
        "fp32": plain(exact.logits),
        "bf16": plain(rough.logits),
        "int8 weights, bf16 states": plain(int8),
        "bf16, the candidates again in fp32": (surprise_again, again),
    }
    lost, tokens = dict.fromkeys(forms, 0.0), 0
    with torch.inference_mode():
        for text in prompts(model, count, 100):
            ids = [storyteller.start, *text]
            states = network.feed([Chunk(0, 0, ids[:-1])])
            after = torch.from_numpy(exact.unique_of[ids[1:]])[:, None]
            true = forms["fp32"][0](states, after)
            for name, (surprise, _) in forms.items():
                lost[name] += float((surprise(states, after) - true).sum())
            tokens += len(text)
        print(f"forms of the head; cost in nats per token beside fp32, on {tokens:,} tokens")
        print(f"{'':36}{'1 row':>10}{'32 rows':>11}{'cost':>12}")
        for name, (_, function) in forms.items():
            times = [milliseconds(function, states[:rows]) for rows in (1, 32)]
            print(f"{name:36}{times[0]:>7.3f} ms{times[1]:>8.3f} ms{lost[name] / tokens:>+12.6f}")
    print("the last one's time includes the choice of the candidates and the sums over all ids")


def milliseconds(function: Callable[..., Any], *inputs: Any, calls: int = 200) -> float:
    """Of one call, the median."""
    seconds = []
    for _ in range(calls):
        begin = time.perf_counter()
        function(*inputs)
        seconds.append(time.perf_counter() - begin)
    return 1000 * statistics.median(seconds[calls // 10 :])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", default=["speed", "record", "greedy", "heads"])
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
        elif part == "heads":
            heads(options.model)
        else:
            sys.exit(f"error: there is no part {part!r}: speed, record, greedy or heads")


if __name__ == "__main__":
    main()
