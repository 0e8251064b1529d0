"""Builds the core for every platform with the C compiler that PyPI's `ziglang` brings.

Only who changes the core needs it: what it builds is part of the package (`built/`). Another
version of the compiler gives other bytes, so it is pinned (pyproject.toml, extra `dev`), and a test
compares them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
BUILT = HERE / "built"
WASM = "core.wasm"
LIBRARIES = {  # the name of a library in `built`, and its target
    "core-linux-x86_64.so": "x86_64-linux-gnu.2.17",
    "core-linux-arm64.so": "aarch64-linux-gnu.2.17",
    "core-darwin-x86_64.dylib": "x86_64-macos",
    "core-darwin-arm64.dylib": "aarch64-macos",
    "core-windows-x86_64.dll": "x86_64-windows-gnu",
}
VARIANTS = {"_plain": "x86_64_v2", "_avx2": "x86_64_v3", "_avx512": "x86_64_v4"}  # of x86-64
EXPORTS = (
    "core_check", "core_room", "core_open", "core_step", "core_logits", "core_head", "core_borrow",
    "core_own", "choice_room", "choice_answer", "choice_ranking", "choice_odds", "choice_uniform",
)  # fmt: skip
FLAGS = (
    "-O3", "-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden", "-g0",
    "-Wall", "-Wextra", "-Werror", "-Wno-psabi",
)  # fmt: skip
LINKER = {  # a library without libc
    "linux": ("-shared", "-nostdlib", "-Wl,--strip-all"),
    "macos": ("-dynamiclib", "-Wl,-s", "-Wl,-install_name,core.dylib"),
    "windows": ("-shared", "-nostdlib", "-Wl,--strip-all"),
}


def build_wasm(out: Path) -> None:
    """Compile the core for WebAssembly."""
    compiler = (
        "-target", "wasm32-freestanding", "-mcpu=generic+simd128+bulk_memory", *FLAGS, "-nostdlib",
        "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--export=__heap_base",
        *(f"-Wl,--export={name}" for name in EXPORTS),
        "-Wl,-z,stack-size=65536", "-Wl,--initial-memory=131072",
    )  # fmt: skip
    zig(*compiler, "model.c", "forward.c", "choice.c", "-o", str(out.resolve()))


def build_library(target: str, out: Path) -> None:
    """Compile the core as a library for a target; on x86-64 once for each kind of processor."""
    with tempfile.TemporaryDirectory() as folder:
        objects: list[str] = []

        def compile_one(source: str, *flags: str) -> None:
            objects.append(str(Path(folder) / f"{len(objects)}.o"))
            zig("-target", target, *FLAGS, "-fPIC", *flags, "-c", source, "-o", objects[-1])

        if target.startswith("x86_64"):
            compile_one("model.c", "-mcpu=x86_64_v2")
            compile_one("variants.c", "-mcpu=x86_64_v2")
            for variant, processor in VARIANTS.items():
                for source in ("forward.c", "choice.c"):
                    compile_one(source, f"-mcpu={processor}", f"-DVARIANT={variant}")
        else:
            for source in ("model.c", "forward.c", "choice.c"):
                compile_one(source)
        system = target.split("-")[1]
        if system == "windows":
            compile_one("windows.c", "-fno-builtin")
        made = Path(folder) / out.name  # beside it, the linker for Windows leaves another file
        zig("-target", target, *LINKER[system], *objects, "-o", str(made))
        # Replaced, not written over: a process that has the old one open would crash.
        shutil.copy(made, out.with_suffix(".new"))
        out.with_suffix(".new").replace(out)


def zig(*arguments: str) -> None:
    """Run the compiler in this folder."""
    command = [sys.executable, "-m", "ziglang", "cc", *arguments]
    timeless = os.environ | {"SOURCE_DATE_EPOCH": "0"}  # a library for Windows has a date
    subprocess.run(command, cwd=HERE, env=timeless, check=True)


if __name__ == "__main__":
    BUILT.mkdir(exist_ok=True)
    build_wasm(BUILT / WASM)
    for library, platform in LIBRARIES.items():
        build_library(platform, BUILT / library)
