"""A run that is killed at random moments ends bit for bit as one that nothing disturbed.

The moments are drawn by a seed: a step and a pause after it, so that some kills (SIGKILL: nothing
can be tidied up) fall into an update, some into the writing of a checkpoint, and the last of each
kind into what comes after the last step. Each time the same command is given again. The suite
kills two kinds of run twice; `make soak` kills five kinds twenty times.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.processes import Program, ranks
from trainer.export.complete import is_complete
from trainer.metrics import log as metrics

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("compiled_deepspeed")]

LONGEST_PAUSE = 0.15  # seconds between a step and the kill: several updates and a checkpoint
SMALL = [
    *("--preset", "smoke", "--model.hidden", "32", "--model.intermediate", "64"),
    *("--model.context", "32", "--optim.global_batch", "8"),
    *("--run.save_every", "3", "--run.log_every", "1", "--run.validate_every", "8"),
    *("--run.validate_blocks", "1", "--run.sample_length", "2", "--run.evaluate_stories", "1"),
]


@dataclass(frozen=True)
class Kind:
    """A kind of run: how many processes, how often a soak kills it, what differs from SMALL."""

    processes: int
    kills: int
    settings: str


KINDS = {
    "fp32, dropout": Kind(1, 5, "--runtime.precision fp32 --model.dropout 0.1"),
    "auto precision, accumulation": Kind(1, 4, "--runtime.precision auto --runtime.micro_batch 2"),
    "GPT-2 block, Muon": Kind(
        1, 4, "--model.block gpt2 --model.dropout 0.1 --optim.optimizer muon"
    ),
    "two processes": Kind(
        2, 4, "--runtime.precision fp32 --model.dropout 0.1 --runtime.micro_batch 2"
    ),
    "two processes under ZeRO-2": Kind(
        2,
        3,
        "--runtime.precision auto --model.dropout 0.1 --runtime.micro_batch 2"
        " --runtime.deepspeed on",
    ),
}

IN_THE_SUITE = ("fp32, dropout", "two processes under ZeRO-2")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """So few stories that a run reads them more than once; one of them is for validation."""
    folder = tmp_path_factory.mktemp("corpus")
    with (ROOT / "trainer" / "corpus" / "sample.jsonl").open(encoding="utf-8") as sample:
        (folder / "stories.jsonl").write_text("".join(islice(sample, 300, 320)), encoding="utf-8")
    return ["--corpus.source", str(folder / "stories.jsonl"), "--corpus.folder", str(folder)]


class Run:
    """The processes of a run at work in `folder`. They are started without a launcher, so that no
    process is left that could outlive a kill."""

    def __init__(self, kind: Kind, settings: list[str], folder: Path) -> None:
        self.metrics = folder / metrics.METRICS
        self.before = self.inode()
        words = ["trainer/train.py", *SMALL, *kind.settings.split(), *settings]
        self.processes = [
            Program([*words, "--run.dir", folder], folder.with_suffix(".log"), env)
            for env in ranks(kind.processes)
        ]

    def inode(self) -> int:
        return self.metrics.stat().st_ino if self.metrics.exists() else 0

    def has_reached(self, step: int) -> bool:
        """Whether this run has begun its metrics anew and `step` is in them."""
        lines = metrics.read(self.metrics.parent) if self.inode() != self.before else []
        return any(line["step"] >= step for line in lines)

    def wait_for(self, step: int) -> None:
        deadline = time.monotonic() + 200
        while not self.has_reached(step):
            if any(process.poll() is not None for process in self.processes):
                assert self.has_reached(step), self.processes[0].output()[-3000:]
            assert time.monotonic() < deadline, f"step {step} was not reached"
            time.sleep(0.002)

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait(60)

    def finish(self) -> None:
        for process in self.processes:
            assert process.wait(400) == 0, process.output()[-3000:]


def metrics_of(folder: Path) -> list[dict[str, object]]:
    """The run's metrics but for its speed."""
    speeds = {"tokens_per_second", "mfu", "seconds"}
    return [
        {key: value for key, value in line.items() if key not in speeds}
        for line in metrics.read(folder)
    ]


def check_kills(
    kind: Kind, moments: list[int], steps: int, corpus: list[str], folder: Path, seed: str
) -> None:
    """Kill a run of `steps` updates at `moments`, and compare it with one that is left alone."""
    rng, settings = random.Random(seed), [*corpus, "--optim.steps", str(steps)]
    whole, killed = folder / "whole", folder / "killed"
    Run(kind, settings, whole).finish()
    for step in moments:
        run = Run(kind, settings, killed)
        run.wait_for(step)
        time.sleep(rng.uniform(0, LONGEST_PAUSE))
        run.kill()
        if is_complete(killed / "export"):  # it was done before the kill: this process had to wait
            break
    else:
        Run(kind, settings, killed).finish()

    last = f"checkpoints/step-{steps:08d}"
    for file in ("weights.safetensors", "moments.safetensors"):
        assert (killed / last / file).read_bytes() == (whole / last / file).read_bytes(), file
    exported = "export/model.safetensors"
    assert (killed / exported).read_bytes() == (whole / exported).read_bytes()
    lines = metrics_of(killed)
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, steps + 1))
    assert lines == metrics_of(whole)
    assert not list(killed.glob("**/*.partial"))

    training = json.loads((whole / "export" / "training.json").read_text())
    assert training["tokens_seen"] > training["corpus"]["tokens"], "no epoch's end was crossed"


@pytest.mark.timeout(900)  # eight processes, on a machine that may have other work
@pytest.mark.parametrize("name", IN_THE_SUITE)
def test_a_killed_run_ends_bit_for_bit_the_same(
    name: str, corpus: list[str], tmp_path: Path
) -> None:
    """Killed in its first half, and after its last step."""
    steps = 16
    first = random.Random(name).randrange(1, steps // 2)
    check_kills(KINDS[name], [first, steps], steps, corpus, tmp_path, name)


@pytest.mark.soak
@pytest.mark.timeout(900)  # seven starts, on a machine that may have other work
@pytest.mark.parametrize("name", KINDS)
def test_twenty_kills_change_nothing(name: str, corpus: list[str], tmp_path: Path) -> None:
    kind, steps = KINDS[name], 60
    moments = sorted(random.Random(name).sample(range(1, steps), kind.kills - 1))
    check_kills(kind, [*moments, steps], steps, corpus, tmp_path, name)


def test_there_are_twenty_kills() -> None:
    assert sum(kind.kills for kind in KINDS.values()) == 20
