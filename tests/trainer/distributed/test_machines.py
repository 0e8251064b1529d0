"""A run on two machines: the same as on one; cut apart, both end with a message, and resume.

The machines are two network namespaces with a cable (a veth pair) between them, so a cut is a real
one: no connection is closed, packets are lost.
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.paths import ROOT
from tests.processes import Program, free_port
from trainer.distributed.launcher_env import check_ranks

# Steps of some milliseconds, and so many that a run is at work for a while after a checkpoint.
SETTINGS = ["--preset", "smoke", "--model.dropout", "0.1", "--model.hidden", "32"]
SETTINGS += ["--model.intermediate", "64", "--model.context", "32", "--optim.global_batch", "4"]
SETTINGS += ["--optim.steps", "120", "--run.save_every", "20", "--run.validate_every", "120"]
SETTINGS += ["--run.validate_blocks", "1", "--run.evaluate_stories", "1", "--run.log_every", "20"]
SETTINGS += ["--run.sample_length", "2", "--run.snapshots", "0", "--run.keep_last", "99"]
CHECKPOINT, EXPORT = "checkpoints/step-00000020", "export/model.safetensors"


def ip(*words: str) -> None:
    """The command `ip`, which sets up networks."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def settings_of(folder: Path) -> list[str]:
    """The settings of a run in `folder`; all runs share a store."""
    return [*SETTINGS, "--run.dir", str(folder), "--corpus.folder", str(folder.parent / "data")]


class Processes:
    """The processes of a run, with what a launcher would tell each; folders may be shared."""

    numbers = itertools.count()  # for the names of their logs

    def __init__(
        self,
        *folders: Path,
        more: list[list[str]],
        address: str = "127.0.0.1",
        networks: tuple[str, str] = ("", ""),
        interface: str = "lo",
    ) -> None:
        """Start a process for each entry of `more`, its settings; two make a run."""
        place = {"MASTER_ADDR": address, "MASTER_PORT": str(free_port())}
        place |= {"GLOO_SOCKET_IFNAME": interface, "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
        self.started = [
            Program(
                ["trainer/train.py", *settings_of(folders[rank]), *settings],
                folders[rank].parent / f"{next(self.numbers)}.txt",
                place | {"RANK": str(rank)},
                networks[rank],
            )
            for rank, settings in enumerate(more)
        ]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all."""
        for process in self.started:
            process.send(number)

    def end(self, code: int) -> list[str]:
        """Return the output of each process, after all ended with `code`."""
        codes = [process.wait(120) for process in self.started]
        outputs = [process.output() for process in self.started]
        assert codes == [code] * len(outputs), outputs
        return outputs


class Machines:
    """Two machines and the cable between them."""

    address = "10.77.0.1"

    def __init__(self) -> None:
        self.names = (f"inkling-{os.getpid()}-0", f"inkling-{os.getpid()}-1")

    def start(self, *folders: Path, more: list[list[str]]) -> Processes:
        """A process on each."""
        return Processes(
            *folders, more=more, address=self.address, networks=self.names, interface="eth0"
        )

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
    Processes(folder, folder, more=[[], []]).end(0)
    return folder


@pytest.mark.process
@pytest.mark.soak
def test_two_machines_of_accelerate_are_the_same_run(machines: Machines, whole: Path) -> None:
    """The suite starts two machines without a launcher, below."""
    folder = whole.with_name("together")
    accelerate = str(Path(sys.executable).with_name("accelerate"))
    started, port = [], free_port()
    for rank, name in enumerate(machines.names):
        launch = f"launch --multi_gpu --num_machines 2 --machine_rank {rank} --num_processes 2"
        first = f"--main_process_ip {machines.address} --main_process_port {port}"
        command = ["ip", "netns", "exec", name, accelerate, *launch.split(), *first.split()]
        started.append(
            subprocess.Popen(
                [*command, "trainer/train.py", *settings_of(folder)],
                cwd=ROOT,
                env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "eth0"},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    errors = [process.communicate(timeout=240)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], errors
    assert (folder / EXPORT).read_bytes() == (whole / EXPORT).read_bytes()


@pytest.mark.process
def test_a_cut_ends_both_machines_and_they_go_on_bit_for_bit(
    machines: Machines, whole: Path
) -> None:
    first, second = whole.with_name("first"), whole.with_name("second")  # no shared disk
    run = machines.start(first, second, more=[["--runtime.timeout", "20"]] * 2)
    run.started[0].wait_for(first / CHECKPOINT)
    run.signal(signal.SIGSTOP)  # not one step more until the cable is cut
    machines.cable("down")
    run.signal(signal.SIGCONT)
    for output in run.end(1):
        assert output.count("\nerror: another process of the run was lost") == 1, output
        assert "the checkpoint of step" in output
        assert "the same command on all of them" in output
        assert "Traceback" not in output
    assert not (first / "export").exists()
    machines.cable("up")
    assert "resuming after step" in machines.start(first, second, more=[[], []]).end(0)[0]
    assert (first / EXPORT).read_bytes() == (whole / EXPORT).read_bytes()


@pytest.mark.process
def test_a_killed_process_ends_the_other_at_once(whole: Path) -> None:
    folder = whole.with_name("killed")
    endless = ["--optim.steps", "1000000", "--runtime.compile", "off"]
    survivor, killed = Processes(folder, folder, more=[endless] * 2).started
    survivor.wait_for(folder / CHECKPOINT)
    killed.kill()
    assert survivor.wait(120) == 1, survivor.output()
    assert survivor.output().count("\nerror: another process of the run was lost (") == 1
    assert "Traceback" not in survivor.output()


@pytest.mark.process
def test_a_machine_that_never_joins_is_named(whole: Path) -> None:
    run = Processes(whole.with_name("lonely"), more=[["--runtime.timeout", "3"]])
    output = run.end(1)[0]
    assert "error: not every process joined the run (no answer for 3 seconds" in output
    assert "Traceback" not in output


@pytest.mark.process
def test_machines_with_other_settings_are_refused_by_name(whole: Path) -> None:
    saves = [["--run.save_every", "10"], ["--run.save_every", "11"]]
    here, there = Processes(whole.with_name("one"), whole.with_name("other"), more=saves).end(2)
    assert "error: a process of the run has other settings or stories than the main one" in here
    assert "run.save_every is 11 and 10 there" in there


def test_processes_without_ranks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What accelerate launch --num_machines 2 leaves without --multi_gpu."""
    monkeypatch.setenv("MASTER_ADDR", "10.77.0.1")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match="gave this process no rank.*--multi_gpu"):
        check_ranks()


@pytest.mark.process
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
    variables = {"JOB_NODELIST": "node[7-8]", "JOB_NUM_NODES": 2, "GPUS_ON_NODE": 8, "JOB_ID": 1}
    done = subprocess.run(
        ["bash", str(ROOT / "docs" / "train.slurm"), "--corpus.source", "my stories.txt"],
        env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "SLURM_SUBMIT_DIR": str(tmp_path)}
        | {f"SLURM_{name}": str(value) for name, value in variables.items()},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        f"launch --multi_gpu --num_machines 2 --machine_rank {rank} --num_processes 16 "
        "--main_process_ip node7 --main_process_port 20001 "
        "trainer/train.py --corpus.source my stories.txt"
        for rank in range(2)
    ], done.stderr
