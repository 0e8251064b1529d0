"""A launcher chooses the engine; what it says of anything else is answered with our setting."""

import os

import pytest

from trainer.distributed.launcher_env import (
    LauncherRequest,
    check_ranks,
    num_processes,
    take_request,
    wants_deepspeed,
)

ASKED = {
    "ACCELERATE_USE_DEEPSPEED": "true",
    "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3",
    "ACCELERATE_DEEPSPEED_CONFIG_FILE": "none",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4",
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": "none",
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [key for key in os.environ if key.startswith("ACCELERATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def say(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_deepspeed_is_honoured_and_the_rest_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, ASKED)
    request = take_request()
    assert (request.deepspeed, request.zero_stage, request.deepspeed_file) == (True, 3, "")
    message = " ".join(request.not_used)
    assert "runtime.micro_batch" in message
    assert "runtime.precision" in message
    assert not [key for key in os.environ if key in ASKED]  # Accelerate must not see it again


def test_a_stray_default_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, {"ACCELERATE_MIXED_PRECISION": "no", "ACCELERATE_DYNAMO_BACKEND": "no"})
    assert take_request() == LauncherRequest()


@pytest.mark.parametrize(
    ("threads", "launched", "holds"),
    [("", False, False), ("1", False, True), ("1", True, False), ("2", True, True)],
)
def test_the_threads_that_a_person_sets_hold(
    monkeypatch: pytest.MonkeyPatch, threads: str, launched: bool, holds: bool
) -> None:
    say(monkeypatch, {"OMP_NUM_THREADS": threads} | (ASKED if launched else {}))
    assert take_request().threads_set is holds


def test_offloading_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, ASKED | {"ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE": "cpu"})
    with pytest.raises(ValueError, match="--offload_param_device"):
        take_request()


def test_the_launcher_or_the_setting_turns_deepspeed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not wants_deepspeed("auto", LauncherRequest())
    with pytest.raises(ValueError, match="runtime.deepspeed is off"):
        wants_deepspeed("off", LauncherRequest(deepspeed=True))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="not installed"):
        wants_deepspeed("on", LauncherRequest())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert wants_deepspeed("on", LauncherRequest())
    assert wants_deepspeed("auto", LauncherRequest(deepspeed=True))


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("ACCELERATE_USE_FSDP", "FSDP"),
        ("ACCELERATE_USE_MEGATRON_LM", "Megatron-LM"),
        ("ACCELERATE_USE_PARALLELISM_CONFIG", "a parallelism_config"),
    ],
)
def test_another_engine_is_refused_by_name(
    name: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(monkeypatch, {name: "true", "FSDP_SHARDING_STRATEGY": "FULL_SHARD"})
    with pytest.raises(ValueError, match=f"asks for {engine}, which a run does not use"):
        take_request()
    say(monkeypatch, {name: "false"})
    assert take_request() == LauncherRequest()


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")
    check_ranks()
    assert num_processes() == 1
    assert "WORLD_SIZE" not in os.environ  # Accelerate would read it
    for size in ("two", "0", "-1"):
        monkeypatch.setenv("WORLD_SIZE", size)
        with pytest.raises(ValueError, match="not a number of processes: unset it"):
            num_processes()
