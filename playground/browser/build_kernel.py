"""Builds kernel.wasm from kernel.c with the C compiler that PyPI's `ziglang` brings.

Only who changes the kernel needs it: the built file is part of the package. Another version of the
compiler gives other bytes, so it is pinned (pyproject.toml, extra `dev`), and a test compares them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FLAGS = (
    "-target", "wasm32-freestanding", "-mcpu=generic+simd128+bulk_memory", "-O3", "-std=c11",
    "-nostdlib", "-Wall", "-Wextra", "-Werror", "-Wl,--no-entry", "-Wl,--strip-all",
    "-Wl,--export=__heap_base",
    "-Wl,-z,stack-size=65536", "-Wl,--initial-memory=131072",
)  # fmt: skip


def build(out: Path) -> None:
    """Compile kernel.c to `out`."""
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "kernel.c", "-o", str(out.resolve())]
    subprocess.run(command, cwd=HERE, check=True)


if __name__ == "__main__":
    build(HERE / "kernel.wasm")
