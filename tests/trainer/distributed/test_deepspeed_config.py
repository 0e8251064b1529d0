"""A DeepSpeed file is filled with the run's sizes; one that would be another run is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainer.distributed import deepspeed_config


def read(path: str) -> dict[str, Any]:
    return deepspeed_config.read(path, micro_batch=4, accumulation=2, clip=0.5)[0]


def test_the_sizes_are_the_run_s_whatever_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    zero = {"stage": 1, "overlap_comm": True}
    file.write_text(json.dumps({"zero_optimization": zero, "gradient_clipping": 9, "fp16": {}}))
    for settings in (read(str(file)), read("")):
        assert settings["train_micro_batch_size_per_gpu"] == 4
        assert settings["gradient_accumulation_steps"] == 2
        assert settings["gradient_clipping"] == 0.5
    assert read(str(file))["zero_optimization"] == zero
    assert read("")["zero_optimization"] == {"stage": 2}


def test_the_home_folder_has_a_short_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "mine.json").write_text('{"zero_optimization": {"stage": 3}}')
    assert read("~/mine.json")["zero_optimization"] == {"stage": 3}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("stage: 2", "cannot be read as JSON"),
        (b"\xff\xfe", "cannot be read as JSON"),
        ("[2]", "must have"),
        ("{}", "must have"),
        ('{"zero_optimization": {"stage": 0}}', "stage 0 is runtime.deepspeed off"),
        ('{"zero_optimization": {"stage": true}}', "must have"),
        ('{"zero_optimization": {"stage": 2}, "optimizer": {"type": "Adam"}}', '"optimizer"'),
        ('{"zero_optimization": {"stage": 2}, "scheduler": {}}', '"scheduler"'),
        (
            '{"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}}',
            '"offload_optimizer"',
        ),
        (
            '{"zero_optimization": {"stage": 3, "offload_param": {"device": "nvme"}}}',
            '"offload_param"',
        ),
        ('{"zero_optimization": {"stage": 2, "cpu_offload": true}}', '"cpu_offload"'),
        ('{"zero_optimization": {"stage": 2, "cpu_offload": "True"}}', '"cpu_offload"'),
        ('{"zero_optimization": {"stage": 3, "cpu_offload_params": true}}', '"cpu_offload_params"'),
        ('{"zero_optimization": {"stage": 2}, "fp16": {"enabled": "true"}}', '"fp16"'),
        ('{"zero_optimization": {"stage": 2}, "amp": {"enabled": true}}', '"amp"'),
        ('{"zero_optimization": {"stage": 2}, "bf16": {"enabled": true}}', '"bf16"'),
    ],
)
def test_another_run_is_refused_with_a_message(
    tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    file = tmp_path / "ds.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=r"runtime\.deepspeed_config") as refused:
        read(str(file))
    assert sentence in str(refused.value)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gone.json.*No such file"):
        read(str(tmp_path / "gone.json"))


def test_the_launcher_s_stage_wins_and_is_checked() -> None:
    sizes: dict[str, Any] = {"micro_batch": 4, "accumulation": 2, "clip": 0.5}
    settings, notes = deepspeed_config.read("", **sizes, stage=3)
    assert (settings["zero_optimization"], notes) == ({"stage": 3}, [])
    with pytest.raises(ValueError, match="--zero_stage 0"):
        deepspeed_config.read("", **sizes, stage=0)


def test_the_timer_that_cannot_be_compiled_is_off(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    timers = {"throughput": {"enabled": True}, "other": 1}
    file.write_text(json.dumps({"zero_optimization": {"stage": 2}, "timers": timers}))
    assert read(str(file))["timers"] == {"throughput": {"enabled": False}, "other": 1}


def test_a_file_of_another_trainer_is_understood(tmp_path: Path) -> None:
    """As Hugging Face's documentation has them: what its Trainer fills in is `auto`."""
    zero = {
        "stage": "2", "cpu_offload": False, "overlap_comm": "true", "reduce_bucket_size": "auto",
        "stage3_prefetch_bucket_size": "auto", "offload_optimizer": {"device": "none"},
    }  # fmt: skip
    file = tmp_path / "wild.json"
    file.write_text(
        json.dumps(
            {
                **{
                    "zero_optimization": zero,
                    "bf16": {"enabled": "auto"},
                    "gradient_clipping": 1.0,
                },
                **{"train_batch_size": 64, "gradient_accumulation_steps": 2},
                **{"train_micro_batch_size_per_gpu": "auto", "fp16": {"enabled": "false"}},
            }
        )
    )
    sizes: dict[str, Any] = {"micro_batch": 4, "accumulation": 2, "clip": 0.5}
    settings, notes = deepspeed_config.read(str(file), **sizes)
    assert settings["zero_optimization"] == {
        "stage": 2, "overlap_comm": True, "offload_optimizer": {"device": "none"}
    }  # fmt: skip
    assert settings["bf16"] == {} and settings["fp16"] == {"enabled": False}
    assert settings["gradient_clipping"] == 0.5
    assert notes == [
        "wild.json has train_batch_size 64, which is not used: --optim.global_batch decides that",
        "wild.json has gradient_clipping 1.0, which is not used: "
        "--optim.max_grad_norm decides that",
    ]
