"""One cache of compiled code for all processes of the tests, kept between runs.

Compiling is what costs most: Inductor's kernels half a minute a model, DeepSpeed's part for the CPU
another. The cache is a folder of the user's, `~/.cache/inkling-tests/KEY`, where the key stands for
all that the compiled code depends on. `use_caches` names it in the environment, which workers,
fork servers and commands inherit. Remove the folder to compile anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from filelock import FileLock

from tests.paths import ROOT
from tests.processes import Program

WORKER = ROOT / "tests" / "trainer" / "distributed" / "compile_deepspeed.py"
NAME = "deepspeed_shm_comm"  # DeepSpeed's only part that a run on the CPU needs
PATIENCE = 3600  # seconds for a minute's work, on a machine that has much other work
STALE = 120  # seconds; who has compiled nothing holds PyTorch's lock for less than one


def use_caches() -> None:
    """Let this process, and all that it starts, keep compiled code in one place."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder / "inductor"))
    os.environ.setdefault("TORCH_EXTENSIONS_DIR", str(folder / "extensions"))
    # A pool of compiling processes would import PyTorch in each of them.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    # Inductor compiles a program for each instruction set, and every process loads all of them in
    # processes of their own, whose 60 seconds a busy machine may exceed.
    os.environ.setdefault("TORCHINDUCTOR_VEC_ISA_OK", "1")
    if "PYTEST_XDIST_WORKER" not in os.environ:  # no test compiles yet
        remove_torn_libraries(folder / "inductor")


def remove_torn_libraries(folder: Path) -> None:
    """Remove what a killed linker left: Inductor would load it in every later run, and fail. What
    the linker of another run is writing now looks the same, and stays."""
    if sys.platform != "linux":
        return
    for library in folder.glob("*/*.so"):
        if not is_whole(library) and not is_open(library):
            library.unlink(missing_ok=True)


def is_open(file: Path) -> bool:
    """Whether a process of this user has a file open."""
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if handle.samefile(file):
                return True
    return False


def is_whole(library: Path) -> bool:
    """Whether an ELF file (64 bit) has its header, which is written last, and ends behind its
    section headers, which are its end."""
    with library.open("rb") as file:
        header = file.read(64)
    fields = (header[40:48], header[58:60], header[60:62])
    offset, size, count = (int.from_bytes(field, "little") for field in fields)
    return header[:4] == b"\x7fELF" and 64 < offset + size * count <= library.stat().st_size


def cache_folder() -> Path:
    """Return the folder of this Python, PyTorch, DeepSpeed, compiler and processor."""
    parts = [platform.python_version(), platform.machine(), cpu_flags(), compiler()]
    parts += [version(name) for name in ("torch", "deepspeed")]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "inkling-tests" / key


def version(package: str) -> str:
    """Return the version of a package, empty where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def cpu_flags() -> str:
    """Return what the processor can do; compilers are told to use all of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def compiler() -> str:
    """Return the path and version of the C++ compiler; empty if there is no compiler."""
    path = shutil.which(os.environ.get("CXX", "g++"))
    if path is None:
        return ""
    done = subprocess.run([path, "-dumpfullversion"], capture_output=True, text=True)
    return f"{path} {done.stdout.strip()}"


def compile_deepspeed() -> None:
    """Compile DeepSpeed's part for the CPU, if it is not in the cache and there is a compiler.

    It is compiled in a folder beside the cache's and moved there when it is whole, so a build that
    was killed leaves nothing that a later run would wait for.
    """
    extensions = Path(os.environ["TORCH_EXTENSIONS_DIR"])
    extensions.mkdir(parents=True, exist_ok=True)
    with FileLock(extensions / ".building"):
        remove_stale_lock(extensions / NAME / "lock")
        if (extensions / NAME / f"{NAME}.so").is_file():
            return
        with tempfile.TemporaryDirectory(dir=extensions, prefix=".partial-") as place:
            build = Program([WORKER], Path(place, "output.txt"), {"TORCH_EXTENSIONS_DIR": place})
            assert build.wait(PATIENCE) == 0, build.output()
            if Path(place, NAME).is_dir():
                shutil.rmtree(extensions / NAME, ignore_errors=True)
                Path(place, NAME).rename(extensions / NAME)


def remove_stale_lock(lock: Path) -> None:
    """Remove the lock of a process that was killed while PyTorch looked for something to compile:
    the next would wait for it for ever."""
    try:
        age = time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return
    if age > STALE:
        lock.unlink(missing_ok=True)
