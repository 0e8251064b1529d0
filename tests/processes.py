"""Real processes of the trainer that start in a moment: forked from one that has imported PyTorch,
transformers, DeepSpeed and the trainer (multiprocessing's fork server) instead of importing them
for nine seconds each.

What a process does before its imports is not seen in here: tests of launchers and of `HF_HOME`
start Python itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import runpy
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from unittest import mock

from tests.paths import ROOT

PRELOADED = ["trainer.run.run", "matplotlib.backends.backend_agg"]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
if not Path("/dev/nvidia0").exists():  # on a GPU, DeepSpeed must find its accelerator itself
    PRELOADED.append("deepspeed")
    ENVIRONMENT["DS_ACCELERATOR"] = "cpu"
CLONE_NEWNET = 0x40000000


@cache
def fork_server() -> multiprocessing.context.ForkServerContext:
    """The process to fork from, started at the first use: one thread, and nothing of the Hub."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def work(arguments: Sequence[str], env: Mapping[str, str], log: Path, network: str) -> None:
    """In the new process: be the program `arguments[0]`, and write all that it says to `log`."""
    import torch

    os.setsid()  # all that it may start dies with it
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has none
    os.environ.update(env)
    file = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.chdir(ROOT)
    if network:
        enter_network(network)
    torch.set_num_threads(1)
    sys.argv = list(arguments)
    runpy.run_path(arguments[0], run_name="__main__")


def enter_network(name: str) -> None:
    """Move this process to a network namespace, as `ip netns exec` does (os.setns needs Python
    3.12)."""
    with open(f"/run/netns/{name}", "rb") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {name}")


class Program:
    """A Python file at work as a process of its own."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str] | None = None,
        network: str = "",
    ) -> None:
        """Start `arguments[0]` with the others; what it says is added to `log`. `network` is the
        network namespace that it lives in, empty for this process's own."""
        self.log = log
        words = list(map(str, arguments))
        with mock.patch.dict(os.environ, ENVIRONMENT):  # the server's, if it is not there yet
            self.process = fork_server().Process(
                target=work, args=(words, dict(env or {}), log, network), daemon=True
            )
            self.process.start()

    def poll(self) -> int | None:
        """The exit code, or None while it is at work."""
        return self.process.exitcode

    def wait(self, timeout: float = 240) -> int:
        """Until it ends; the exit code. One that takes longer is killed and an error."""
        self.process.join(timeout)
        code = self.process.exitcode
        if code is None:
            self.kill()
            raise TimeoutError(f"no end after {timeout} seconds; it said: {self.output()[-3000:]}")
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        os.kill(self.process.pid or 0, number)

    def kill(self) -> None:
        """Kill it, and all that it started; nothing happens if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid or 0, signal.SIGKILL)

    def wait_for(self, path: Path, timeout: float = 240) -> None:
        """Until it has made `path`, which must stay there."""
        deadline = time.monotonic() + timeout
        while not path.exists():
            assert self.poll() is None, self.output()
            assert time.monotonic() < deadline, f"{path} did not appear: {self.output()[-3000:]}"
            time.sleep(0.01)

    def output(self) -> str:
        """Return the output so far."""
        return self.log.read_text() if self.log.exists() else ""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ranks(count: int) -> list[dict[str, str]]:
    """What a launcher tells each of `count` processes on this machine; the loopback is named, so
    that gloo need not ask for this machine's name."""
    if count == 1:
        return [{}]
    everyone = {
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    return [everyone | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]
