"""How a run stands: by its locks, by the state that the trainer wrote, and by what was asked of it.

Nothing is remembered between two looks, so a second tab and a restarted app see the same.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.runs import folder, locks
from playground.runs.log import ending
from playground.runs.metrics import Tail

PREPARING, RUNNING, FINISHING, STOPPING = "preparing", "running", "finishing", "stopping"
PAUSED, STOPPED, FAILED, FINISHED = "paused", "stopped", "failed", "finished"
ALIVE = (PREPARING, RUNNING, FINISHING, STOPPING)
KILLED = -9  # the exit code of a process that the system ended
LONGEST_INTERVAL = 600.0  # seconds between two lines of metrics, for the time that is left


@dataclass(frozen=True)
class Status:
    """A run as it stands.

    Attributes:
        state: one of the words above.
        message: why it failed, or what became of it.
        pid: the process that trains, None where it is not known or over.
        about: what the trainer's state.json says; empty for a run of an older version.
        launch: what the app knows of the process that it started; empty for one of a terminal.
    """

    state: str
    message: str
    pid: int | None
    about: dict[str, Any]
    launch: dict[str, Any]

    @property
    def is_alive(self) -> bool:
        """Whether a process is at work in its folder."""
        return self.state in ALIVE


def status_of(run: Path) -> Status:
    """The status of the run in a folder."""
    place = run / folder.OWN
    about, launch = folder.read_json(run / folder.STATE), folder.read_json(place / "launch.json")
    request = folder.read_json(place / "request.json")
    trains = locks.is_held(run / folder.LOCK)
    pid = locks.holder(run / folder.LOCK) if trains else None
    launched = locks.is_held(place / "lock")
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
    """Whether the trainer wrote its last state after the app had started it."""
    is_over = about.get("state") in (STOPPED, FAILED, FINISHED)
    return is_over and number(about.get("time")) > number(launch.get("time"))


def is_for(request: dict[str, Any], *processes: Any) -> bool:
    """Whether a request was made of one of these processes."""
    return request.get("pid") is not None and request["pid"] in processes


def number(value: Any) -> float:
    """A number of a file, else 0."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else 0.0


def ended(run: Path, about: dict[str, Any], launch: dict[str, Any]) -> tuple[str, str]:
    """Return how a run whose process has ended did end, and the message."""
    state = about.get("state")
    # Where the process ended before it took up the run, or a full disk refused its state, its log
    # says why.
    is_early = bool(launch) and number(launch.get("time")) > number(about.get("time"))
    if state in (RUNNING, FINISHING) or (is_early and state != FINISHED):
        message = ""
        if is_early or about.get("pid") == launch.get("pid"):
            message = ending(run / folder.OWN / "log.txt", launch.get("log_start"))
        return (FAILED, message) if message else (STOPPED, killed(run, launch))
    if state in (STOPPED, FAILED, FINISHED):
        return str(state), str(about.get("message", ""))
    return (FINISHED, "") if (run / folder.EXPORT / "README.md").is_file() else (STOPPED, "")


def killed(run: Path, launch: dict[str, Any]) -> str:
    """Return the message for a process that ended without one."""
    kept = folder.steps(run / folder.CHECKPOINTS)
    resumes = f"Resume continues after step {folder.step_of(kept[-1]):,}" if kept else ""
    resumes = resumes or "Resume begins it again, since nothing was saved yet"
    code = folder.read_json(run / folder.OWN / "exit.json")
    if code.get("code") == KILLED and code.get("pid") == launch.get("pid"):
        return (
            "The system ended the process, most often because the memory was full: close other "
            f"programs, or choose a smaller model or runtime.micro_batch. {resumes}."
        )
    free = shutil.disk_usage(run).free
    if free < folder.ROOM:  # a full disk takes neither a message nor a line of the log
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
        "can": actions(run, status, model_step),
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
        "updated": max(tail.time, number(about.get("time")), number(status.launch.get("time"))),
        "model_step": model_step,
    }


def whole(value: Any) -> int | None:
    """A whole number of a file."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def preset_of(launch: dict[str, Any]) -> str:
    """The preset of a run that has not come so far as to say it."""
    words = launch.get("words", [])
    return str(words[words.index("--preset") + 1]) if "--preset" in words else ""


def step_now(run: Path, status: Status, tail: Tail) -> int:
    """The updates that are done; of a run that does not train, those that it would resume after."""
    if status.is_alive and status.state != PREPARING and tail.lines:
        return max(int(line["step"]) for line in tail.lines[-3:])
    kept = [folder.step_of(path) for path in folder.steps(run / folder.CHECKPOINTS)[-1:]]
    if status.state == FINISHED:
        kept.append(whole(status.about.get("step")) or 0)
        kept += [int(line["step"]) for line in tail.lines[-1:]]
    return max(kept, default=0)


def seconds_left(
    status: Status, tail: Tail, step: int, steps: int | None, tokens_per_step: int | None
) -> float | None:
    """Until the last update, from the speed so far; None where nothing is known."""
    if status.state == FINISHED or steps is None:
        return 0.0 if status.state == FINISHED else None
    per_step = tail.seconds_per_step(tokens_per_step)
    if per_step is None:
        return None
    left = (steps - step) * per_step
    if status.state == RUNNING and len(tail.train) > 1:  # of the updates since the last line
        interval = (tail.train[-1]["step"] - tail.train[-2]["step"]) * per_step
        left -= min(max(0.0, time.time() - tail.time), interval, LONGEST_INTERVAL)
    return max(0.0, left)


def newest_model(run: Path, step: int) -> int | None:
    """The step of the newest model that can be opened: the export's, or a checkpoint's."""
    found = [folder.step_of(path) for path in folder.steps(run / folder.CHECKPOINTS)[-1:]]
    training = folder.read_json(run / folder.EXPORT / "training.json")
    if (run / folder.EXPORT / "config.json").is_file():
        found.append(whole(training.get("steps")) or step)
    return max(found, default=None)


def actions(run: Path, status: Status, model_step: int | None) -> list[str]:
    """Return the actions that are possible on a run now."""
    models = [] if model_step is None else ["write", "export"]
    evaluates = ["evaluate"] if models else []
    if status.state == STOPPING:
        return models
    if status.is_alive:
        return ["pause", "stop", *models]
    resumes = [] if status.state == FINISHED else ["resume"]
    has_words = bool(status.about.get("settings") or status.launch)
    return [*(resumes if has_words else []), *(["restart"] if has_words else []), *models,
            *evaluates, "delete"]  # fmt: skip


def perplexity(run: Path) -> dict[str, Any] | None:
    """The perplexity of the newest evaluation with its interval, else that of the export."""
    found = folder.read_json(run / folder.OWN / "evaluation.json")
    if not found:
        training = folder.read_json(run / folder.EXPORT / "training.json")
        found = training.get("validation") or {}
    return perplexity_of(found)


def perplexity_of(evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """The perplexity that an evaluation found."""
    value = evaluation.get("perplexity")
    if not isinstance(value, int | float):
        return None
    low, high = (evaluation.get("perplexity_interval") or (None, None))[:2]
    return {"value": value, "low": low, "high": high, "stories": evaluation.get("stories")}
