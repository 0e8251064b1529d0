"""Damaged model files, and sanitizers: a message, never a crash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from playground.core import library
from playground.core.library import HEADER, Chunk, Core, columns_of
from tests.paths import ROOT
from tests.playground.core.models import CONTEXT, core_of, machine, packed, questions_of

SOURCES = ["model.c", "forward.c", "choice.c"]
SANITIZED = (
    "-g", "-O1", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi",
    "-fno-sanitize-recover=all",
)  # fmt: skip
SHAPES = [("gpt2", "fp16"), ("llama", "int8"), ("qwen3-grouped", "fp32")]


def compiled(out: Path, *arguments: str, sanitizers: str = "address,undefined") -> Path:
    """The core with sanitizers; zig's clang has no address sanitizer, GCC does."""
    if shutil.which("gcc") is None:
        assert os.environ.get("CI") != "true", "CI needs gcc"
        pytest.skip("no gcc on this machine")
    command = ["gcc", *SANITIZED, f"-fsanitize={sanitizers}", *arguments, *SOURCES, "-I."]
    command += ["-o", str(out), "-lm", "-pthread"]
    subprocess.run(command, cwd=ROOT / "playground" / "core", check=True)
    return out


@pytest.fixture(scope="module")
def damaging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("damaged") / "damaged"
    return compiled(out, str(Path(__file__).with_name("damaged.c")))


@pytest.mark.process
@pytest.mark.parametrize(
    ("first", "count"), [(0, 100), pytest.param(100, 10_000, marks=pytest.mark.soak)]
)
@pytest.mark.parametrize(("shape", "weights"), SHAPES)
def test_damaged_files_touch_no_foreign_memory(
    shape: str, weights: str, first: int, count: int, damaging: Path, tmp_path: Path
) -> None:
    file = tmp_path / "model"
    file.write_bytes(packed(shape, weights).content)
    done = subprocess.run(
        [damaging, file, str(first), str(count)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert count // 2 < int(done.stdout) < count  # some are still good, with other numbers


@pytest.mark.process
def test_threads_of_a_step_race_for_nothing(tmp_path: Path) -> None:
    file, program = tmp_path / "model", tmp_path / "threads"
    file.write_bytes(packed("qwen3-grouped", "int8").content)
    compiled(program, str(Path(__file__).with_name("threads.c")), sanitizers="thread")
    done = subprocess.run([program, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.process
@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_the_cores_tests_pass_with_sanitizers(tmp_path: Path) -> None:
    """In a process whose library is the sanitized one."""
    built = compiled(tmp_path / "core.so", "-shared", "-fPIC")
    (tmp_path / "sanitized_core.py").write_text(
        "from pathlib import Path\n"
        "from playground.core import library\n"
        f"library.library_file = lambda: Path({str(built)!r})\n",
        encoding="utf-8",
    )
    runtime = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    environment = os.environ | {
        "LD_PRELOAD": runtime.stdout.strip(),
        # The interpreter leaks; NumPy answers a too large size with MemoryError, as a test expects.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "sanitized_core"]
    chosen = ["-m", "not process", "-k", "not library"]  # those that look for the library's file
    done = subprocess.run(
        [*command, *chosen, str(Path(__file__).parent)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


def changed(content: bytes, **numbers: int | float) -> bytes:
    """A file with other numbers in its header."""
    header = np.frombuffer(content[: HEADER.itemsize], HEADER).copy()
    for name, value in numbers.items():
        header[name] = value
    return header.tobytes() + content[HEADER.itemsize :]


@pytest.mark.parametrize(
    "numbers",
    [
        {"magic": b"INKLING1"}, {"size": 0}, {"size": 2**32 - 1}, {"block": 3}, {"block": -1},
        {"weights": 9}, {"hidden": 0}, {"heads": 3}, {"kv_heads": 0}, {"width": 13}, {"mlp": -5},
        {"layers": 3}, {"context": 0}, {"ids": 2}, {"table_rows": 2**30}, {"head_rows": -1},
        {"epsilon": np.nan}, {"epsilon": -1}, {"reserved": 1}, {"layers": 2**31 - 1},
    ],
)  # fmt: skip
def test_a_damaged_header_is_refused(numbers: dict[str, int | float]) -> None:
    content = changed(packed("qwen3-grouped").content, **numbers)
    for name in ("native", "wasm"):
        with pytest.MonkeyPatch.context() as patch:
            if name == "wasm":
                patch.setattr(library, "native_functions", lambda: None)
            with pytest.raises(ValueError, match="damaged|sizes that the core does not compute"):
                Core(content)


def test_sizes_beyond_the_core_are_refused_by_name() -> None:
    content = packed("qwen3-grouped").content
    with pytest.raises(ValueError, match="sizes that the core does not compute"):
        Core(changed(content, hidden=2**21))


@pytest.mark.parametrize("weights", ["fp16", "fp32", "int8"])
def test_what_is_cut_off_or_not_finite_is_refused(weights: str) -> None:
    content = packed("gpt2", weights).content
    for size in (0, 7, 127, 128, len(content) // 2, len(content) - 1):
        with pytest.raises(ValueError, match="damaged"):
            Core(content[:size])
    header = HEADER.itemsize
    for place in (header, len(content) - 64):  # a row of the table; a bias
        with pytest.raises(ValueError, match="damaged"):
            Core(content[:place] + b"\xff" * 64 + content[place + 64 :])


def test_columns_out_of_their_ranges_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    core = core_of(packed("qwen3").content, 2, threads=2)
    wrongs = {
        "id": (-1, int(core.header["ids"])), "slot": (-1, 2), "position": (-1, CONTEXT),
        "question": (-2, 1),
    }  # fmt: skip
    for name, values in wrongs.items():
        for value in values:
            columns = columns_of([Chunk(0, 0, [1, 2, 3])])
            columns[name][1] = value
            with monkeypatch.context() as patch:
                patch.setattr(library, "columns_of", lambda _, columns=columns: columns)
                with pytest.raises(ValueError, match="column 1 is out of its range"):
                    core.step([], questions_of(1))
    for source, slot, positions in ((0, 0, 1), (0, 2, 1), (-1, 0, 1), (0, 1, CONTEXT + 1)):
        with pytest.raises(ValueError, match="borrow"):
            core.borrow(source, slot, positions)
    with pytest.raises(ValueError, match="no slot 2"):
        core.own(2)
    assert len(core.step([], questions_of(0))) == 0


def test_too_much_memory_is_refused() -> None:
    content = packed("qwen3").content
    core = Core(content, 1)
    assert core.room(2, CONTEXT) > core.room(1, CONTEXT) > 0
    for slots, context, threads in ((0, CONTEXT, 1), (1, CONTEXT + 1, 1), (1, 0, 1), (1, 1, 0)):
        with pytest.raises(ValueError, match="cannot be opened"):
            core_of(content, slots, context, threads)
    with pytest.raises(MemoryError):
        core.reserve(2**31 - 1, CONTEXT)
    with machine("wasm"), pytest.raises((MemoryError, ValueError)):
        core_of(content, 2**24)


def test_a_machine_without_a_library_needs_wasmtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "native_functions", lambda: None)
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    library.compiled_wasm.cache_clear()
    with pytest.raises(ValueError, match="install wasmtime"):
        Core(packed("qwen3").content)


@pytest.mark.parametrize(
    ("system", "processor", "name"),
    [
        ("linux", "x86_64", "core-linux-x86_64.so"), ("linux", "aarch64", "core-linux-arm64.so"),
        ("darwin", "arm64", "core-darwin-arm64.dylib"),
        ("darwin", "x86_64", "core-darwin-x86_64.dylib"),
        ("win32", "AMD64", "core-windows-x86_64.dll"),
    ],
)  # fmt: skip
def test_each_platform_has_its_library(
    system: str, processor: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library.sys, "platform", system)
    monkeypatch.setattr(library.platform, "machine", lambda: processor)
    assert library.library_file().name == name
    assert library.library_file().is_file()


def test_a_platform_without_a_library_has_no_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library.platform, "machine", lambda: "riscv64")
    assert library.native_functions.__wrapped__() is None
