"""Presets and flags become settings; wrong ones are reported in one message that names the key."""

import contextlib
import dataclasses
import gc
import io
import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from tests.paths import ROOT
from trainer.output.console import quick_imports
from trainer.settings.command_line import FIELDS, PRESETS, help_text, parse
from trainer.settings.config import SECTIONS, Config
from trainer.settings.model import Model
from trainer.settings.setting import PATHS, USUAL_NAMES
from trainer.train import main


def test_no_flag_at_all_is_the_storyteller() -> None:
    config = parse([])
    assert config.preset == "storyteller"
    assert (config.model.num_layers, config.model.hidden, config.model.num_heads) == (6, 256, 4)
    assert config.model.context == 512
    assert not config.corpus.lower_case


def test_seed_is_the_card() -> None:
    config = parse(["--preset", "seed"])
    assert config.model.block == "gpt2"
    assert (config.model.num_layers, config.model.hidden, config.model.num_heads) == (6, 256, 4)
    assert (config.model.context, config.optim.global_batch, config.optim.epochs) == (128, 64, 10)
    assert config.optim.lr == 5e-4
    assert config.corpus.lower_case
    assert config.corpus.max_tokens == 128


@pytest.mark.parametrize("preset", sorted(file.stem for file in PRESETS.glob("*.yaml")))
def test_every_shipped_preset_is_valid(preset: str) -> None:
    assert parse(["--preset", preset]).preset == preset


def test_a_preset_can_be_a_file_and_flags_go_over_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("optim:\n  lr: 1.0e-3\n  steps: 7\n")
    config = parse(["--optim.lr=0.5", "--preset", str(file), "--run.fresh"])
    assert (config.optim.lr, config.optim.steps, config.run.fresh) == (0.5, 7, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--optim.clip", "1"], "the setting --optim.clip is called --optim.max_grad_norm now"),
        (["--optim.lrr", "3"], "there is no setting --optim.lrr: did you mean --optim.lr?"),
        (["--model.hidden", "1.5"], "model.hidden must be a whole number, not '1.5'"),
        (["--model.num_layers", "2.5"], "model.num_layers must be a whole number"),
        (["--optim.lr", "fast"], "optim.lr must be a number, not 'fast'"),
        (["--optim.lr", "nan"], "optim.lr must be above 0"),
        (["--run.fresh", "maybe"], "run.fresh must be true or false, not 'maybe'"),
        (["--optim.lr"], "--optim.lr needs a value"),
        (["--preset"], "--preset needs a value"),
        (["--preset", "huge"], "there is no preset 'huge': choose one of"),
        (["train"], "'train' is not a setting"),
        (
            ["--model.block", "mamba"],
            "model.block must be one of gpt2, gpt_neo, llama, qwen3, olmo2, not 'mamba'",
        ),
        (["--model.num_heads", "3"], "must split into model.num_heads (3)"),
        (["--model.kv_heads", "3"], "model.kv_heads must be 0 (as many as model.num_heads) or"),
        (["--model.kv_heads", "2", "--model.block", "gpt2"], "model.kv_heads must be 0 with"),
        (["--model.dropout", "1.5"], "model.dropout must be from 0 to below 1"),
        (["--run.seed", "-1"], "run.seed must be from 0"),
        (["--runtime.micro_batch", "-2"], "runtime.micro_batch must be 0"),
        (["--corpus.source", ""], "corpus.source is empty"),
        (["--output_dir", "x"], "there is no setting --output_dir: did you mean --run.dir?"),
        (["--output-dir=x"], "there is no setting --output-dir: did you mean --run.dir?"),
        (["--learning_rate", "1"], "there is no setting --learning_rate: did you mean --optim.lr?"),
        (["--bf16"], "there is no setting --bf16: did you mean --runtime.precision?"),
        (["--seed", "1"], "there is no setting --seed: did you mean --run.seed?"),
        (["--weight-decay", "1"], "did you mean --optim.weight_decay?"),
        (["--resume"], "leave it out, the same command resumes automatically"),
        (
            ["--optim.epochs", "3", "--optim.steps", "9"],
            "--optim.epochs and --optim.steps contradict each other: leave one of them out",
        ),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], sentence: str) -> None:
    with pytest.raises(ValueError) as error:
        parse(arguments)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_all_complaints_are_reported_together() -> None:
    with pytest.raises(ValueError) as error:
        parse(["--optim.lr", "0", "--model.hidden", "-4", "--run.keep_last", "0"])
    assert all(key in str(error.value) for key in ("optim.lr", "model.hidden", "run.keep_last"))


def test_a_broken_preset_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("optim: [")
    with pytest.raises(ValueError, match=r"broken\.yaml is not YAML: line 1, column 9: "):
        parse(["--preset", str(file)])
    file.write_text("run:\n  seed: 3\n\tdir: x\n")
    with pytest.raises(ValueError, match=r"broken\.yaml is not YAML: line 3, column 1: found"):
        parse(["--preset", str(file)])
    for content, sentence in {
        "optim:\n  lr: yes\n": r"broken\.yaml: optim\.lr must be a number, not True \(line 2\)",
        "optim:\n  lr:\n": r"broken\.yaml: optim\.lr has no value: give one, or leave the line out",
        "- optim\n": r"broken\.yaml: it must hold `section:` blocks",
        "optim: 3\n": r"broken\.yaml: it must hold `section:` blocks",
        "optim:\n  rate: 3\n": r"broken\.yaml: there is no setting --optim\.rate",
    }.items():
        file.write_text(content)
        with pytest.raises(ValueError, match=sentence):
            parse(["--preset", str(file)])


def test_a_preset_may_say_off_and_leave_sections_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """YAML reads off and on as false and true."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("runtime:\n  compile: off\n  deepspeed: on\nmodel:\n")
    config = parse(["--preset", "~/mine.yaml", "--run.dir", "~/runs/mine"])
    assert (config.runtime.compile, config.runtime.deepspeed) == ("off", "on")
    assert config.model == Model()
    assert config.folder == tmp_path / "runs" / "mine"


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_every_number_is_finite(value: str) -> None:
    floats = [
        f"{section}.{key.name}"
        for section, part in SECTIONS.items()
        for key in dataclasses.fields(part)
        if isinstance(key.default, float)
    ]
    assert "optim.epochs" in floats
    for name in floats:
        with pytest.raises(ValueError, match=rf"{re.escape(name)} must be a finite number"):
            parse([f"--{name}={value}"])


@pytest.mark.process
def test_help_may_be_read_in_part() -> None:
    """As by `--help | head -1`: the pipe closes, and there is no traceback."""
    words = f"{sys.executable} trainer/train.py --help"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} | head -1"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.startswith("accelerate launch") and done.stderr == ""


def test_help_names_every_key() -> None:
    text = help_text()
    for section, part in SECTIONS.items():
        for key in dataclasses.fields(part):
            assert f"--{section}.{key.name}\n" in text
            assert key.metadata["meaning"].split()[0] in text


def test_a_run_is_called_after_its_preset_not_after_the_path_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "configs" / "mine.yaml"
    file.parent.mkdir()
    file.write_text("run:\n  seed: 3\n")
    assert parse(["--preset", str(file)]).name == "mine"
    assert parse([]).name == "storyteller"


def test_ctrl_c_before_the_run_begins_is_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: list[str]) -> Config:
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.train.parse", interrupted)
    assert main([]) == 130
    assert capsys.readouterr().err == "stopped before the run began\n"


def test_a_preset_file_that_cannot_be_read_is_a_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--preset", f"{'a' * 300}.yaml"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: the preset file aaa")
    assert "cannot be read (File name too long): name another" in message
    assert message.count("\n") == 1


def test_epochs_on_the_command_line_win_over_the_steps_of_a_preset(tmp_path: Path) -> None:
    assert parse(["--preset", "smoke"]).optim.steps == 60
    config = parse(["--preset", "smoke", "--optim.epochs", "3"])
    assert (config.optim.epochs, config.optim.steps) == (3.0, 0)
    file = tmp_path / "mine.yaml"
    file.write_text("optim:\n  steps: 7\n  warmup_steps: 5\n")
    config = parse(["--preset", str(file), "--optim.epochs", "3", "--optim.warmup_ratio", "0.1"])
    assert (config.optim.steps, config.optim.warmup_steps) == (0, 0)
    assert not {"optim.steps", "optim.warmup_steps"} & config.given
    config = parse(["--preset", "smoke", "--optim.epochs", "3", "--optim.steps", "0"])
    assert (config.optim.epochs, config.optim.steps) == (3.0, 0)


def test_a_list_in_a_preset_is_the_text_that_it_means(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "run:\n  sample_prompts: [One day, Once]\n  trackers: [wandb, trackio]\n"
        "corpus:\n  source:\n    - a.txt\n    - b.txt\n"
    )
    config = parse(["--preset", str(file)])
    assert config.run.sample_prompts == "One day|Once"
    assert config.run.tracker_names == ["wandb", "trackio"]
    assert config.corpus.source == "a.txt,b.txt"
    for content, sentence in {
        "run:\n  license: [mit]\n": r"run\.license must be a text, not a list \(line 2\)",
        "corpus:\n  source: ['a,b']\n": r"corpus\.source must be a list of texts without ','",
        "optim:\n  lr: [1]\n": r"optim\.lr must be a number, not \[1\] \(line 2\)",
        "run:\n  license: {a: b}\n": r"run\.license must be a text, not {'a': 'b'} \(line 2\)",
    }.items():
        file.write_text(content)
        with pytest.raises(ValueError, match=sentence):
            parse(["--preset", str(file)])


def test_a_preset_may_be_utf_16_as_powershell_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes("run:\n  sample_prompts: むかし\n".encode("utf-16"))
    assert parse(["--preset", str(file)]).run.sample_prompts == "むかし"


def test_texts_are_utf_8_whatever_the_locale_made_of_them() -> None:
    """In a C locale Python keeps the bytes as lone surrogates, which no tokenizer takes."""
    kept = "むかし".encode().decode("ascii", "surrogateescape")
    assert parse(["--run.sample_prompts", kept]).run.sample_prompts == "むかし"
    with pytest.raises(ValueError, match=r"--run\.dir 'r.*' cannot be opened .*PYTHONUTF8=1"):
        parse(["--run.dir", "r" + kept])
    latin = "caf\xe9".encode("latin-1").decode("ascii", "surrogateescape")
    with pytest.raises(ValueError, match=r"--run\.license is not UTF-8: 'caf\\udce9'"):
        parse(["--run.license", latin])


def test_every_usual_name_leads_to_a_setting() -> None:
    settings = {f"{name}.{key.name}" for name, part in SECTIONS.items() for key in fields(part)}
    assert set(USUAL_NAMES.values()) <= settings | {"preset"}
    assert set(PATHS) <= settings
    assert not {name.partition(".")[2] for name in settings} & USUAL_NAMES.keys()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_what_a_pipe_cannot_hold_is_printed_as_its_code(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(output, encoding))
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(output, encoding))
    assert main(["--preset", "日.yaml"]) == 2
    sys.stderr.flush()
    print("日本.txt", flush=True)
    assert output.getvalue().endswith(b"\\u65e5\\u672c.txt\n")
    assert b"error: there is no preset '\\u65e5.yaml'" in output.getvalue()


def test_every_setting_and_preset_is_described_for_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    settings = {row["key"]: row for row in found["settings"]}
    assert settings.keys() == FIELDS.keys()
    assert settings["optim.lr"]["type"] == "float" and settings["optim.lr"]["meaning"]
    assert settings["model.block"]["choices"] and settings["run.dir"]["is_path"]
    presets = {row["name"]: row for row in found["presets"]}
    assert presets["smoke"]["values"]["optim.steps"] == 60 and presets["smoke"]["about"]
    assert found["default_preset"] in presets


@pytest.mark.process
@pytest.mark.parametrize(
    "command",
    ["trainer.train --preset smoke", "trainer.train --check", "trainer.evaluate m --stories s"],
)
def test_a_missing_package_is_one_message_with_its_installation(command: str) -> None:
    """As after `make play`, which installs no PyTorch."""
    module, *arguments = command.split()
    hidden = (
        "import importlib.util, runpy, sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n"
        "            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        f"sys.argv = {[module, *arguments]}\n"
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", hidden], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "error: this needs the package torch, which is not installed: run `make .venv/.train` "
        "or `pip install -e '.[train]'` in the project's folder"
    )
    assert "Traceback" not in done.stderr


def test_settings_are_checked_without_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--preset", "smoke", "--optim.lr", "1e-3"]) == 0
    assert main(["--check", "--optim.lr", "-1"]) == 2
    assert "optim.lr must be" in capsys.readouterr().err
    assert main(["--preset", "smoke", "--json"]) == 2
    assert "--json is for --run.dry_run" in capsys.readouterr().err


def test_garbage_is_collected_again_after_imports_that_fail() -> None:
    with contextlib.suppress(ModuleNotFoundError), quick_imports():
        assert not gc.isenabled()
        raise ModuleNotFoundError
    assert gc.isenabled()
