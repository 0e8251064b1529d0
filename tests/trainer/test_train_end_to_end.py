"""The whole run as people start it: stories in, an export out, or a sentence that says why not."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.paths import ROOT
from tests.trainer.export.test_transformers_folder import FOLDER
from trainer.evaluate.likelihood import evaluate
from trainer.model.load import open_model
from trainer.train import main

LAUNCHED = [sys.executable, "-m", "accelerate.commands.launch"]
Trainer = Callable[..., subprocess.CompletedProcess[str]]
SHORT = [
    *("--optim.steps", "2", "--run.log_every", "1"),
    *("--run.evaluate_stories", "1", "--run.sample_length", "2", "--run.snapshots", "0"),
]
JUDGES = [
    "Once upon a time there was a little dog. The dog was happy and ran to the park with his ball.",
    "One day a girl named Sue saw a frog. She said hello to the frog. The frog jumped into a pond.",
]
EXPORT = FOLDER | {"README.md", "curve.png", "snapshots", "history.json"}


def run(
    command: Sequence[str], home: Path, *settings: str, run_dir: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A training command as a process; its stores and its Hugging Face folder are under `home`."""
    folders = ["--run.dir", str(run_dir or home / "run"), "--corpus.folder", str(home / "data")]
    return subprocess.run(
        [*command, "--preset", "smoke", *folders, *settings],
        cwd=ROOT,
        env=os.environ | {"HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.fixture
def train(tmp_path: Path, stores: Path, capsys: pytest.CaptureFixture[str]) -> Trainer:
    """The trainer in this process: `train("--optim.steps", "2")`, by default in `tmp_path / "run"`
    and with the shared stores. What it says is kept as that of a process."""

    def start(*settings: str, run_dir: Path | None = None) -> subprocess.CompletedProcess[str]:
        folders = ["--run.dir", str(run_dir or tmp_path / "run"), "--corpus.folder", str(stores)]
        words = ["--preset", "smoke", *folders, *settings]
        capsys.readouterr()
        code = main(words)
        output = capsys.readouterr()
        return subprocess.CompletedProcess(words, code, output.out, output.err)

    return start


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_tracked(folder: Path, lines: list[dict[str, Any]]) -> None:
    """TensorBoard's own reader finds the numbers and the stories of metrics.jsonl."""
    events = EventAccumulator(str(folder / "inkling"))
    events.Reload()
    for name in ("loss", "bits_per_byte", "mfu"):
        logged = [(event.step, event.value) for event in events.Scalars(name)]
        wanted = [(line["step"], line[name]) for line in lines if name in line]
        assert [step for step, _ in logged] == [step for step, _ in wanted]
        assert [value for _, value in logged] == pytest.approx([value for _, value in wanted])
    stories = [event.tensor_proto.string_val[0] for event in events.Tensors("samples/text_summary")]
    assert [story.startswith(b"One day") for story in stories] == [True, True]


@pytest.mark.process
def test_the_smoke_preset_goes_the_whole_way(tmp_path: Path) -> None:
    judges = tmp_path / "judges.txt"
    judges.write_text("\n<|endoftext|>\n".join(JUDGES))
    settings = ["--corpus.validation", str(judges), "--run.trackers", "tensorboard"]
    done = run([*LAUNCHED, "trainer/train.py"], tmp_path, *settings)
    assert done.returncode == 0, done.stderr
    for words in ("bits/byte", "tokens/s", "MFU"):
        assert words in done.stderr
    assert "model shards" not in done.stderr

    lines = lines_of(tmp_path / "run")
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[0] > 9
    assert losses[-1] < 0.7 * losses[0]
    samples = [line["samples"] for line in lines if "samples" in line]
    assert len(samples) == 2
    assert [sample["prompt"] for sample in samples[-1]] == ["One day", "Once upon a time"]
    assert samples[-1][0]["story"].startswith("One day")

    folder = tmp_path / "run" / "export"
    assert {file.name for file in folder.iterdir()} == EXPORT
    training = json.loads((folder / "training.json").read_text())
    assert training["format"] == 1
    assert training["preset"] == "smoke"
    assert training["steps"] == lines[-1]["step"] == 60
    assert training["settings"]["model"]["num_layers"] == 2
    snapshots = sorted(place.name for place in (folder / "snapshots").iterdir())
    assert snapshots == [f"step-{step:08d}" for step in (1, 4, 15, 60)]
    stages = json.loads((folder / "history.json").read_text())["stages"]
    assert [stage["step"] for stage in stages] == [1, 4, 15, 60]
    assert [stage["tokens_seen"] for stage in stages] == [16 * 128 * n for n in (1, 4, 15, 60)]
    assert stages[-1]["stories"] == samples[-1]  # the same model, prompts and draws
    assert_tracked(tmp_path / "run", lines)
    assert not [file for file in tmp_path.rglob("*.partial*") if "hf" not in file.parts]

    model, tokenizer = open_model(folder)
    judged = evaluate(model, JUDGES, tokenizer)
    assert training["validation"]["stories"] == len(JUDGES)
    assert training["validation"]["nats_per_token"] == pytest.approx(judged.nats_per_token, 1e-4)


STRAY = """
compute_environment: LOCAL_MACHINE
distributed_type: 'NO'
mixed_precision: fp16
dynamo_config:
  dynamo_backend: INDUCTOR
  dynamo_mode: max-autotune
num_machines: 1
num_processes: 1
"""


@pytest.mark.process
def test_all_ways_to_start_it_do_the_same(tmp_path: Path, train: Trainer) -> None:
    """Without a launcher, and as a module with one; with a default_config.yaml in the user's home
    that asks for something else. The smoke run above launches the file."""
    (tmp_path / "hf" / "accelerate").mkdir(parents=True)
    (tmp_path / "hf" / "accelerate" / "default_config.yaml").write_text(STRAY)
    small = [*SHORT, "--model.hidden", "32", "--model.context", "32", "--run.validate_blocks", "1"]
    small += ["--corpus.tokenizer", "train:300"]
    alone, launched = tmp_path / "alone", tmp_path / "launched"
    module = [*LAUNCHED, "-m", "trainer.train"]
    for done in (train(*small, run_dir=alone), run(module, tmp_path, *small, run_dir=launched)):
        assert done.returncode == 0, done.stderr
    losses = [
        [line["loss"] for line in lines_of(folder) if "loss" in line]
        for folder in (alone, launched)
    ]
    assert (launched / "export" / "model.safetensors").is_file()
    assert len(losses[0]) == 2
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_wrong_setting_is_one_line_and_code_two(tmp_path: Path, train: Trainer) -> None:
    done = train("--optim.learning_rate", "1e-3")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: there is no setting --optim.learning_rate")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["--run.trackers", "tensorboard,neptune"], "run.trackers knows tensorboard, trackio"),
        (
            ["--run.export_checkpoint", "first"],
            "run.export_checkpoint must be one of last, best, not 'first'",
        ),
        (["--corpus.source", "missing.jsonl"], "missing.jsonl"),
        (["--corpus.source", "stories.docx"], "stories.docx"),
        (["--corpus.source", "empty.txt"], "empty.txt"),
        (["--corpus.source", "broken.jsonl"], "line 3 of"),
        (["--corpus.source", "no_text.jsonl"], "line 2 of"),
        (["--corpus.source", "torn.parquet"], "torn.parquet"),
    ],
)
def test_bad_input_is_reported_and_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    good = json.dumps({"text": "Tom saw a big red bus. He was happy to see it go by."})
    Path("broken.jsonl").write_text(f"{good}\n{good}\n{{'text': 'no'}}\n")
    Path("no_text.jsonl").write_text(f'{good}\n{{"story": "What?"}}\n')
    Path("empty.txt").write_text("\n<|endoftext|>\n\n")
    Path("torn.parquet").write_bytes(b"PAR1 and no more")
    before = {file.name for file in tmp_path.iterdir()}
    assert main(["--preset", "smoke", *settings]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: ")
    assert sentence in message
    left = {file.name for file in tmp_path.rglob("*") if file.suffix != ".lock"} - before
    assert left <= {"data"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 10 MB: the smoke run's checkpoints fit, its export of 13 MB does not."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk to fill up")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.process  # mount
def test_a_full_disk_leaves_the_checkpoints_whole_and_no_export(
    small_disk: Path, train: Trainer
) -> None:
    done = train(*SHORT, run_dir=small_disk)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert {file.name for file in small_disk.iterdir()} <= {
        *("run.json", ".run.lock", "checkpoints", "metrics.jsonl", "curve.png", "state.json")
    }
    saved = list((small_disk / "checkpoints").iterdir())
    assert [folder.name for folder in saved] == ["step-00000002"]


@pytest.mark.process  # mount
def test_a_full_disk_leaves_no_half_checkpoint_and_no_half_store(
    tmp_path: Path, small_disk: Path, train: Trainer
) -> None:
    with (small_disk / "filling").open("wb") as filling:
        filling.write(bytes(10 * 2**20 - 300 * 1024))  # 0.3 MB stay free
    done = train(*SHORT, run_dir=small_disk)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    left = {file.name for file in small_disk.rglob("*")}
    assert left <= {"filling", "checkpoints", "metrics.jsonl"}

    stories = tmp_path / "many.txt"
    story = "Tom saw a big red bus number {}. He was happy to see the bus go by. The end."
    stories.write_text("\n<|endoftext|>\n".join(story.format(n) for n in range(20_000)))
    folders = ["--corpus.folder", str(small_disk / "data"), "--run.dir", str(tmp_path / "other")]
    assert main(["--preset", "smoke", "--corpus.source", str(stories), *folders]) == 2
    left = {file.name for file in (small_disk / "data").rglob("*") if file.suffix != ".lock"}
    assert left == set()
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_the_block_of_gpt2_goes_the_whole_way_too(tmp_path: Path, train: Trainer) -> None:
    """GPT-2 has a row a position: nothing may look one past its context."""
    shape = ["--model.block", "gpt2", "--model.context", "32", "--run.sample_length", "100"]
    done = train(*SHORT, *shape, "--corpus.tokenizer", "train:300")
    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / "run" / "export" / "config.json").read_text())
    assert (config["model_type"], config["n_positions"]) == ("gpt2", 32)
    assert any("validation_loss" in line for line in lines_of(tmp_path / "run"))


@pytest.mark.slow
def test_the_best_model_is_exported_where_the_last_is_worse(tmp_path: Path, train: Trainer) -> None:
    """Few stories, many steps: they are memorised, and the loss on others rises."""
    run, few = tmp_path / "run", tmp_path / "few.jsonl"
    stories = (ROOT / "trainer" / "corpus" / "sample.jsonl").read_text().splitlines()
    few.write_text("\n".join(stories[:12]))
    (tmp_path / "others.jsonl").write_text("\n".join(stories[-10:]))
    corpus = ["--corpus.source", str(few), "--corpus.validation", str(tmp_path / "others.jsonl")]
    often = ["--run.validate_every", "10", "--run.save_every", "25", "--run.keep_last", "1"]
    # With a random block offset per epoch, twelve stories are not memorised in 70 steps.
    steps = ["--optim.steps", "70", "--optim.shift_blocks", "false"]
    done = train(*SHORT, *corpus, *often, *steps, "--run.export_checkpoint=best")
    assert done.returncode == 0, done.stderr
    judged = {
        line["step"]: line["validation_loss"] for line in lines_of(run) if "validation_loss" in line
    }
    best = min(judged, key=judged.__getitem__)
    assert best < 70
    assert f"step {best} had the lowest validation loss" in done.stderr
    training = json.loads((run / "export" / "training.json").read_text())
    assert training["steps"] == best
    saved = sorted(folder.name for folder in (run / "checkpoints").iterdir())
    assert saved == [f"step-{step:08d}" for step in (best, 70)]


def test_the_best_is_refused_where_there_is_nothing_to_judge_on(
    tmp_path: Path, train: Trainer
) -> None:
    done = train("--run.export_checkpoint", "best", "--corpus.validation_share", "0")
    assert done.returncode == 2
    message = done.stderr.splitlines()[-1]
    assert message.startswith("error: run.export_checkpoint best needs validation stories")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_dry_run_says_what_would_be_and_writes_nothing(tmp_path: Path, train: Trainer) -> None:
    done = train("--run.dry_run")
    assert done.returncode == 0, done.stderr
    plan = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert plan["model"].startswith("llama, 3,298,688 parameters")
    assert plan["length"].startswith("60 updates")
    assert "tokens/s" in plan["speed"] and plan["engine"].startswith("plain on ")
    assert plan["validation"].startswith("96 stories; 16 of ")
    assert plan["writes"].startswith(str(tmp_path / "run"))
    done = train("--run.dry_run", "--json")
    found = json.loads(done.stdout)
    assert (found["steps"], found["parameters"]) == (60, 3_298_688)
    assert found["tokens"] == 60 * 16 * 128 and found["memory_bytes"] > 1e8
    assert found["seconds"] > 60 * found["seconds_per_step"] + found["fixed_seconds"] > 0
    assert dict(found["plan"])["length"] == plan["length"]
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_validation_that_cannot_be_is_reported_before_the_run_and_in_the_card(
    tmp_path: Path, train: Trainer
) -> None:
    few = tmp_path / "few.txt"
    few.write_text(JUDGES[0])
    done = train(*SHORT, "--corpus.validation", str(few), "--model.context", "64")
    assert done.returncode == 0, done.stderr
    message = done.stderr
    assert "none: 1 stories with 24 tokens are held out, fewer than one block of 64" in message
    assert "--corpus.validation" in message
    card = (tmp_path / "run" / "export" / "README.md").read_text()
    assert "| evaluated with | 1 stories of" in card
    training = json.loads((tmp_path / "run" / "export" / "training.json").read_text())
    assert training["settings"]["run"]["dir"] == "run"
    assert training["settings"]["corpus"]["validation"] == "few.txt"
    assert str(tmp_path) not in (tmp_path / "run" / "export" / "training.json").read_text()


@pytest.mark.slow
def test_a_library_upgraded_in_mid_run_is_named_with_the_way_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--run.dir", str(tmp_path / "run"), "--corpus.folder", str(tmp_path / "data")]
    command = ["--preset", "smoke", *folders, *SHORT, "--run.minutes", "0.0001"]
    assert main([*command, "--optim.steps", "3"]) == 0
    (old,) = (tmp_path / "data").glob("sample-*")
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.0")
    assert main([*command, "--optim.steps", "3"]) == 2
    message = capsys.readouterr().err
    assert re.search(rf"made with ftfy \d[\d.]+, now 99.0\) are in {old}", message), message
    assert main([*command, "--optim.steps", "3", "--corpus.source", str(old)]) == 0
    assert "resuming after step 1 of 3" in capsys.readouterr().err
    assert not list((tmp_path / "data").glob("*.lock"))
