"""A run on two machines: the same as on one; cut apart, both end with a sentence, and go on.

The machines are two network namespaces with a cable (a veth pair) between them, so a cut is a real
one: no connection is closed, packets are lost.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SETTINGS = ["trainer/train.py", "--preset", "smoke", "--model.dropout", "0.1"]
SETTINGS += ["--optim.steps", "60", "--run.save_every", "10", "--run.validate_every", "60"]
SETTINGS += ["--run.validate_blocks", "1", "--run.judge_stories", "1", "--run.log_every", "1"]
SETTINGS += ["--runtime.timeout", "12"]
EXPORT = "export/model.safetensors"


def ip(*words: str) -> None:
    """The command `ip`, which sets up networks."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Machines:
    """Two machines and the cable between them."""

    def __init__(self) -> None:
        self.names = [f"inkling-{os.getpid()}-{rank}" for rank in range(2)]
        self.processes: list[subprocess.Popen[str]] = []

    def connect(self) -> None:
        for name in self.names:
            ip("netns", "add", name)
        one, other = self.names
        ip("link", "add", "eth0", "netns", one, "type", "veth", "peer", "eth0", "netns", other)
        for rank, name in enumerate(self.names):
            ip("-n", name, "address", "add", f"10.77.0.{rank + 1}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "lo", "up")
        self.cable("up")

    def cable(self, state: str) -> None:
        """Plug the cable in (up) or cut it (down)."""
        for name in self.names:
            ip("-n", name, "link", "set", "eth0", state)

    def train(self, folders: list[Path]) -> list[subprocess.Popen[str]]:
        """The same command on both, as docs/scaling.md has it; each has its run folder."""
        started = []
        for rank, (name, folder) in enumerate(zip(self.names, folders, strict=True)):
            launch = f"launch --multi_gpu --num_machines 2 --machine_rank {rank} --num_processes 2"
            where = "--main_process_ip 10.77.0.1 --main_process_port 29500"
            command = [str(BIN / "accelerate"), *launch.split(), *where.split(), *SETTINGS]
            data = folder.parent / "data"
            started.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", name, *command]
                    + ["--run.dir", str(folder), "--corpus.folder", str(data)],
                    cwd=ROOT,
                    env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "eth0"},
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            )
        self.processes += started
        return started

    def remove(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@pytest.fixture
def machines() -> Iterator[Machines]:
    if shutil.which("ip") is None:
        pytest.skip("no network namespaces: there is no command `ip` (Linux has it in iproute2)")
    two = Machines()
    try:
        try:
            two.connect()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces: {' '.join(error.cmd)}: {error.stderr.strip()}")
        yield two
    finally:
        two.remove()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run of two processes on one machine."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    done = subprocess.run(
        [str(BIN / "torchrun"), "--nproc_per_node", "2", *SETTINGS, "--run.dir", str(folder)]
        + ["--corpus.folder", str(folder.parent / "data")],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def said_by(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What each said until it ended."""
    return [process.communicate(timeout=120)[1] for process in processes]


def wait_for(path: Path, processes: list[subprocess.Popen[str]]) -> None:
    """Until the run has made `path`."""
    deadline = time.monotonic() + 100
    while not path.exists():
        assert all(process.poll() is None for process in processes), said_by(processes)
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


def test_two_machines_are_the_same_run(machines: Machines, whole: Path) -> None:
    folder = whole.with_name("together")
    processes = machines.train([folder, folder])
    said = said_by(processes)
    assert [process.returncode for process in processes] == [0, 0], said
    assert (folder / EXPORT).read_bytes() == (whole / EXPORT).read_bytes()


def test_a_cut_ends_both_machines_and_they_go_on_bit_for_bit(
    machines: Machines, whole: Path
) -> None:
    folders = [whole.with_name("first"), whole.with_name("second")]  # no shared disk
    processes = machines.train(folders)
    wait_for(folders[0] / "checkpoints" / "step-00000010", processes)
    machines.cable("down")
    for process, said in zip(processes, said_by(processes), strict=True):
        assert process.returncode not in (0, None)
        assert said.count("\nerror: another process of the run was lost") == 1, said
        assert "the checkpoint of step" in said
        assert "the same command on all of them" in said
        assert f'File "{ROOT / "trainer"}' not in said
    assert not (folders[0] / "export").exists()
    machines.cable("up")
    processes = machines.train(folders)
    said = said_by(processes)
    assert [process.returncode for process in processes] == [0, 0], said
    assert "going on after step" in said[0]
    assert (folders[0] / EXPORT).read_bytes() == (whole / EXPORT).read_bytes()


def alone(folder: Path, rank: int, port: int, *more: str) -> subprocess.Popen[str]:
    """One of two processes, started without a launcher."""
    place = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "MASTER_PORT": port}
    return subprocess.Popen(
        [sys.executable, *SETTINGS, "--run.dir", str(folder / "run"), *more]
        + ["--corpus.folder", str(folder / "data")],
        cwd=ROOT,
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
        | {name: str(value) for name, value in place.items()},
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_machine_that_never_joins_is_told(whole: Path) -> None:
    process = alone(whole.parent, 0, free_port(), "--runtime.timeout", "3")
    said = said_by([process])[0]
    assert process.returncode == 1
    assert "\nerror: not every process joined the run (no answer for 3 seconds" in said
    assert "Traceback" not in said


def test_machines_with_other_settings_are_refused_by_name(whole: Path) -> None:
    port = free_port()
    processes = [
        alone(whole.parent, rank, port, "--run.save_every", str(10 + rank)) for rank in range(2)
    ]
    said = said_by(processes)
    assert [process.returncode for process in processes] == [2, 2], said
    assert "run.save_every is 11 and 10 there" in said[1]
    assert "has other settings or stories than the main one" in said[0]


def test_processes_without_ranks_are_refused(tmp_path: Path) -> None:
    launch = "launch --num_machines 2 --machine_rank 0 --num_processes 2"
    where = "--main_process_ip 127.0.0.1 --main_process_port 29500"
    done = subprocess.run(
        [str(BIN / "accelerate"), *launch.split(), *where.split(), *SETTINGS]
        + ["--corpus.folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1  # the launcher's
    assert "error: the launcher named a main machine but gave this process no rank" in done.stderr
    assert "--multi_gpu" in done.stderr
