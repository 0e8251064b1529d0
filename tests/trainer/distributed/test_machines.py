"""A run on two machines: the same as on one; cut apart, both end with a sentence, and go on.

The machines are two network namespaces with a cable (a veth pair) between them, so a cut is a real
one: no connection is closed, packets are lost.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.paths import ROOT
from tests.processes import free_port
from trainer.distributed.launcher_env import check_ranks

SETTINGS = ["trainer/train.py", "--preset", "smoke", "--model.dropout", "0.1"]
SETTINGS += ["--optim.steps", "30", "--run.save_every", "10", "--run.validate_every", "30"]
SETTINGS += ["--run.validate_blocks", "1", "--run.evaluate_stories", "1"]
SETTINGS += ["--run.sample_length", "4"]
EXPORT = "export/model.safetensors"


def ip(*words: str) -> None:
    """The command `ip`, which sets up networks."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Processes:
    """Two trainers, started together; folders may be shared."""

    def __init__(self, *folders: Path) -> None:
        self.folders = folders
        self.started: list[subprocess.Popen[str]] = []

    def start(self, command: list[str], *more: str, **environment: object) -> None:
        """The trainer in the next folder; `command` is all before its name."""
        folder = self.folders[len(self.started)]
        where = ["--run.dir", str(folder), "--corpus.folder", str(folder.parent / "data")]
        values = {name: str(value) for name, value in environment.items()}
        self.started.append(
            subprocess.Popen(
                [*command, *SETTINGS, *where, *more],
                cwd=ROOT,
                env=os.environ | {"OMP_NUM_THREADS": "1"} | values,
                stderr=subprocess.PIPE,
                text=True,
            )
        )

    def start_ranked(
        self, inside: list[list[str]], address: str, port: int, *, more: list[list[str]]
    ) -> None:
        """A process in each place, with what a launcher would tell it; those that `more` has
        no settings for do not start."""
        for rank, settings in enumerate(more):
            self.start(
                [*inside[rank], sys.executable],
                *settings,
                RANK=rank,
                WORLD_SIZE=len(inside),
                LOCAL_RANK=0,
                MASTER_ADDR=address,
                MASTER_PORT=port,
            )

    def wait_for(self, path: Path) -> None:
        """Until the run has made `path`."""
        deadline = time.monotonic() + 100
        while not path.exists():
            assert all(process.poll() is None for process in self.started), self.end(0)
            assert time.monotonic() < deadline, f"{path} did not appear"
            time.sleep(0.01)

    def end(self, code: int) -> list[str]:
        """What each said until it ended, all with `code`."""
        said = [process.communicate(timeout=120)[1] for process in self.started]
        assert [process.returncode for process in self.started] == [code] * len(said), said
        return said


class Machines:
    """Two machines and the cable between them."""

    address, port = "10.77.0.1", 29500

    def __init__(self) -> None:
        self.names = [f"inkling-{os.getpid()}-{rank}" for rank in range(2)]
        self.inside = [
            ["ip", "netns", "exec", name, "env", "GLOO_SOCKET_IFNAME=eth0"] for name in self.names
        ]

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

    def remove(self) -> None:
        """End what still runs there and drop both."""
        for name in self.names:
            inside = subprocess.run(
                ["ip", "netns", "pids", name], capture_output=True, text=True
            ).stdout.split()
            subprocess.run(["kill", "-9", *inside], capture_output=True)
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@pytest.fixture
def machines() -> Iterator[Machines]:
    if shutil.which("ip") is None:
        lacking("there is no command `ip` (Linux has it in iproute2)")
    two = Machines()
    try:
        try:
            two.connect()
        except subprocess.CalledProcessError as error:
            lacking(f"{' '.join(error.cmd)}: {error.stderr.strip()}")
        yield two
    finally:
        two.remove()


def lacking(reason: str) -> NoReturn:
    """This machine has no network namespaces: a failure in CI, elsewhere a skip."""
    tell = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    tell(f"no network namespaces: {reason}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run of two processes on one machine."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run = Processes(folder, folder)
    run.start_ranked([[], []], "127.0.0.1", free_port(), more=[[], []])
    run.end(0)
    return folder


def test_two_machines_are_the_same_run(machines: Machines, whole: Path) -> None:
    folder = whole.with_name("together")
    run = Processes(folder, folder)
    for rank, inside in enumerate(machines.inside):
        launch = f"launch --multi_gpu --num_machines 2 --machine_rank {rank} --num_processes 2"
        first = f"--main_process_ip {machines.address} --main_process_port {machines.port}"
        accelerate = str(Path(sys.executable).with_name("accelerate"))
        run.start([*inside, accelerate, *launch.split(), *first.split()])
    run.end(0)
    assert (folder / EXPORT).read_bytes() == (whole / EXPORT).read_bytes()


def test_a_cut_ends_both_machines_and_they_go_on_bit_for_bit(
    machines: Machines, whole: Path
) -> None:
    first, second = whole.with_name("first"), whole.with_name("second")  # no shared disk
    limit = [["--runtime.timeout", "12"]] * 2
    run = Processes(first, second)
    run.start_ranked(machines.inside, machines.address, machines.port, more=limit)
    run.wait_for(first / "checkpoints" / "step-00000010")
    machines.cable("down")
    for said in run.end(1):
        assert said.count("\nerror: another process of the run was lost") == 1, said
        assert "the checkpoint of step" in said
        assert "the same command on all of them" in said
        assert "Traceback" not in said
    assert not (first / "export").exists()
    machines.cable("up")
    run = Processes(first, second)
    run.start_ranked(machines.inside, machines.address, machines.port, more=limit)
    assert "going on after step" in run.end(0)[0]
    assert (first / EXPORT).read_bytes() == (whole / EXPORT).read_bytes()


def test_a_killed_process_ends_the_other_at_once(whole: Path) -> None:
    folder = whole.with_name("killed")
    run = Processes(folder, folder)
    run.start_ranked([[], []], "127.0.0.1", free_port(), more=[[], []])
    run.wait_for(folder / "checkpoints" / "step-00000010")
    run.started[1].kill()
    said = run.started[0].communicate(timeout=120)[1]
    assert run.started[0].returncode == 1
    assert said.count("\nerror: another process of the run was lost (") == 1, said
    assert "Traceback" not in said


def test_a_machine_that_never_joins_is_told(whole: Path) -> None:
    run = Processes(whole.with_name("lonely"))
    limit = [["--runtime.timeout", "3"]]
    run.start_ranked([[], []], "127.0.0.1", free_port(), more=limit)
    said = run.end(1)[0]
    assert "\nerror: not every process joined the run (no answer for 3 seconds" in said
    assert "Traceback" not in said


def test_machines_with_other_settings_are_refused_by_name(whole: Path) -> None:
    run = Processes(whole.with_name("one"), whole.with_name("other"))
    saves = [["--run.save_every", "10"], ["--run.save_every", "11"]]
    run.start_ranked([[], []], "127.0.0.1", free_port(), more=saves)
    here, there = run.end(2)
    assert "error: a process of the run has other settings or stories than the main one" in here
    assert "run.save_every is 11 and 10 there" in there


def test_processes_without_ranks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What accelerate launch --num_machines 2 leaves without --multi_gpu."""
    monkeypatch.setenv("MASTER_ADDR", "10.77.0.1")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match="gave this process no rank.*--multi_gpu"):
        check_ranks()


def test_the_slurm_script_gives_each_machine_its_own_number(tmp_path: Path) -> None:
    """With stand-ins for SLURM's commands and for the launcher, which says what it was told."""
    stands = {
        "bin/scontrol": "printf 'node7\\nnode8\\n'",
        "bin/srun": 'shift; for id in 0 1; do SLURM_NODEID=$id "$@"; done',
        ".venv/bin/accelerate": 'echo "$@"',
    }
    for name, script in stands.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/bash\n{script}\n")
        file.chmod(0o755)
    told = {"JOB_NODELIST": "node[7-8]", "JOB_NUM_NODES": 2, "GPUS_ON_NODE": 8, "JOB_ID": 1}
    done = subprocess.run(
        ["bash", str(ROOT / "docs" / "train.slurm"), "--corpus.source", "my stories.txt"],
        env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "SLURM_SUBMIT_DIR": str(tmp_path)}
        | {f"SLURM_{name}": str(value) for name, value in told.items()},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        f"launch --multi_gpu --num_machines 2 --machine_rank {rank} --num_processes 16 "
        "--main_process_ip node7 --main_process_port 20001 "
        "trainer/train.py --corpus.source my stories.txt"
        for rank in range(2)
    ], done.stderr
