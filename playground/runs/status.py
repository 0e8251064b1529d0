"""The status of a run, from its locks, the trainer's state.json and the app's requests.

The status is computed from files each time, so a second tab and a restarted app show the same.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.runs import folder, locks
from playground.runs.log import last_error
from playground.runs.metrics import Tail, finite

PREPARING, RUNNING, FINISHING, STOPPING = "preparing", "running", "finishing", "stopping"
PAUSED, STOPPED, FAILED, FINISHED = "paused", "stopped", "failed", "finished"
ALIVE = (PREPARING, RUNNING, FINISHING, STOPPING)
KILLED = -9  # exit code of a process that the system killed
LONGEST_INTERVAL = 600.0  # seconds between two lines of metrics, at most, for the time left


@dataclass(frozen=True)
class Status:
    """The status of a run.

    Attributes:
        state: one of the words above.
        message: why the run failed or stopped.
        pid: the training process; None if it is unknown or has ended.
        about: the trainer's state.json; empty for a run of an older version.
        launch: launch.json of the process that the app started; empty for a run of a terminal.
    """

    state: str
    message: str
    pid: int | None
    about: dict[str, Any]
    launch: dict[str, Any]

    @property
    def is_alive(self) -> bool:
        """Return whether the run's process is running."""
        return self.state in ALIVE


def status_of(run: Path) -> Status:
    """Return the status of the run in a folder."""
    own = run / folder.OWN
    about, launch = folder.read_json(run / folder.STATE), folder.read_json(own / "launch.json")
    request = folder.read_json(own / "request.json")
    trains = locks.is_held(run / folder.LOCK)
    pid = locks.holder(run / folder.LOCK) if trains else None
    launched = locks.is_held(own / "lock")
    # A launched process that has already written its final state is only ending.
    if trains or (launched and not is_newer(about, launch)):
        pid = pid or (launch.get("pid") if launched else None)
        state = about.get("state") if trains and about.get("pid") == pid else None
        state = state if state in (RUNNING, FINISHING) else PREPARING
        if is_for(request, pid, launch.get("pid") if launched else None):
            state = STOPPING
        return Status(state, "", pid, about, launch)
    state, message = ended(run, about, launch)
    if state == STOPPED and is_for(request, about.get("pid"), launch.get("pid")):
        state = PAUSED if request.get("action") == "pause" else STOPPED
        message = str(about.get("message", "")) if about.get("state") == STOPPED else ""
    return Status(state, message, None, about, launch)


def is_newer(about: dict[str, Any], launch: dict[str, Any]) -> bool:
    """Return whether the trainer wrote a final state after the app had started the process."""
    is_over = about.get("state") in (STOPPED, FAILED, FINISHED)
    return is_over and time_in(about) > time_in(launch)


def is_for(request: dict[str, Any], *processes: Any) -> bool:
    """Return whether a request was sent to one of these processes."""
    return request.get("pid") is not None and request["pid"] in processes


def time_in(record: dict[str, Any]) -> float:
    """Return the time of a record, in seconds since 1970; 0 if it has none."""
    return finite(record.get("time")) or 0.0


def ended(run: Path, about: dict[str, Any], launch: dict[str, Any]) -> tuple[str, str]:
    """Return the state and the message of a run whose process has ended."""
    state = about.get("state")
    # If the process ended before it wrote a state, or the disk was full, its log has the reason.
    is_early = bool(launch) and time_in(launch) > time_in(about)
    if state in (RUNNING, FINISHING) or (is_early and state != FINISHED):
        message = ""
        if is_early or about.get("pid") == launch.get("pid"):
            message = last_error(run / folder.OWN / "log.txt", launch.get("log_start"))
        return (FAILED, message) if message else (STOPPED, killed_message(run, launch))
    if state in (STOPPED, FAILED, FINISHED):
        return str(state), str(about.get("message", ""))
    return (FINISHED, "") if (run / folder.EXPORT / "README.md").is_file() else (STOPPED, "")


def killed_message(run: Path, launch: dict[str, Any]) -> str:
    """Return the message for a process that ended without an error message."""
    checkpoints = folder.steps(run / folder.CHECKPOINTS)
    resumes = "Resume starts from the beginning, since nothing was saved yet"
    if checkpoints:
        resumes = f"Resume continues after step {folder.step_of(checkpoints[-1]):,}"
    ended = folder.read_json(run / folder.OWN / "exit.json")
    if ended.get("code") == KILLED and ended.get("pid") == launch.get("pid"):
        return (
            "The system killed the process, most often because memory ran out: close other "
            f"programs, or choose a smaller model or runtime.micro_batch. {resumes}."
        )
    free = shutil.disk_usage(run).free
    if free < folder.MIN_FREE:  # a full disk prevents an error message, in the log too
        return (
            f"The process ended without saving, and its disk is nearly full ({free / 2**20:,.0f} "
            f"MB free): make room in {run}. {resumes}."
        )
    return f"The process ended without saving, or this machine was restarted. {resumes}."


def summary(run: Path, status: Status | None = None, tail: Tail | None = None) -> dict[str, Any]:
    """Return a run's entry in the list of runs."""
    status = status or status_of(run)
    tail = tail or Tail(run / folder.METRICS)
    about = status.about
    steps, per_step = whole(about.get("steps")), whole(about.get("tokens_per_step"))
    step = step_now(run, status, tail)
    speed = tail.newest("tokens_per_second")
    model_step = newest_model(run, step)
    return {
        "name": run.name,
        "state": status.state,
        "message": status.message,
        "can": actions(status, model_step),
        "preset": str(about.get("preset") or preset_of(status.launch)),
        "step": step,
        "steps": steps,
        "seconds": tail.newest("seconds") or 0.0,
        "seconds_left": seconds_left(status, tail, step, steps, per_step),
        "tokens": step * per_step if per_step else 0,
        "tokens_per_second": speed if status.state == RUNNING else None,
        "mfu": tail.newest("mfu") if status.state == RUNNING else None,
        "parameters": whole(about.get("parameters")),
        "loss": tail.newest("loss"),
        "validation_loss": tail.newest("validation_loss"),
        "bits_per_byte": tail.newest("validation_bits_per_byte"),
        "perplexity": perplexity(run),
        "updated": max(tail.time, time_in(about), time_in(status.launch)),
        "model_step": model_step,
    }


def whole(value: Any) -> int | None:
    """Return the value if it is an integer, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def preset_of(launch: dict[str, Any]) -> str:
    """Return the preset of a run that has not written its state yet."""
    words = launch.get("words", [])
    return str(words[words.index("--preset") + 1]) if "--preset" in words else ""


def step_now(run: Path, status: Status, tail: Tail) -> int:
    """Return the number of updates done; for a run that is not training, those in its newest
    checkpoint, after which it would resume."""
    if status.is_alive and status.state != PREPARING and tail.lines:
        return max(int(line["step"]) for line in tail.lines[-3:])
    steps = [folder.step_of(path) for path in folder.steps(run / folder.CHECKPOINTS)[-1:]]
    if status.state == FINISHED:
        steps.append(whole(status.about.get("step")) or 0)
        steps += [int(line["step"]) for line in tail.lines[-1:]]
    return max(steps, default=0)


def seconds_left(
    status: Status, tail: Tail, step: int, steps: int | None, tokens_per_step: int | None
) -> float | None:
    """Return the seconds until the last update, from the speed so far; None if unknown."""
    if status.state == FINISHED or steps is None:
        return 0.0 if status.state == FINISHED else None
    per_step = tail.seconds_per_step(tokens_per_step)
    if per_step is None:
        return None
    left = (steps - step) * per_step
    if status.state == RUNNING and len(tail.train) > 1:  # subtract the time since the last line
        interval = (tail.train[-1]["step"] - tail.train[-2]["step"]) * per_step
        left -= min(max(0.0, time.time() - tail.time), interval, LONGEST_INTERVAL)
    return max(0.0, left)


def newest_model(run: Path, step: int) -> int | None:
    """Return the step of the run's newest model, exported or in a checkpoint; None without any."""
    steps = [folder.step_of(path) for path in folder.steps(run / folder.CHECKPOINTS)[-1:]]
    training = folder.read_json(run / folder.EXPORT / "training.json")
    if (run / folder.EXPORT / "config.json").is_file():
        steps.append(whole(training.get("steps")) or step)
    return max(steps, default=None)


def actions(status: Status, model_step: int | None) -> list[str]:
    """Return the actions that are possible on a run now."""
    models = [] if model_step is None else ["write", "export"]
    if status.state == STOPPING:
        return models
    if status.is_alive:
        return ["pause", "stop", *models]
    trains = []
    if status.about.get("settings") or status.launch:
        trains = ["restart"] if status.state == FINISHED else ["resume", "restart"]
    return [*trains, *models, *(["evaluate"] if models else []), "delete"]


def perplexity(run: Path) -> dict[str, Any] | None:
    """Return the perplexity of the newest evaluation with its interval, else that of the export."""
    evaluation = folder.read_json(run / folder.OWN / "evaluation.json")
    if not evaluation:
        training = folder.read_json(run / folder.EXPORT / "training.json")
        evaluation = training.get("validation") or {}
    return perplexity_of(evaluation)


def perplexity_of(evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """Return the perplexity of an evaluation, its interval and its number of stories."""
    value = evaluation.get("perplexity")
    if not isinstance(value, int | float):
        return None
    low, high = (evaluation.get("perplexity_interval") or (None, None))[:2]
    return {"value": value, "low": low, "high": high, "stories": evaluation.get("stories")}
