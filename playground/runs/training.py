"""Start, stop, resume and delete runs: the trainer in a process of its own, which outlives the app.

The process has its own session and process group, lower priority and a log file. It inherits the
lock of `.studio/lock` (locks.py), so of two simultaneous starts the second fails with a message.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from playground.runs import folder, locks
from playground.runs.errors import Busy, Conflict, DiskFull, Missing, Refused, disk_error
from playground.runs.folder import RunsFolder
from playground.runs.status import FINISHED, PREPARING, STOPPING, Status, status_of

ROOT = Path(__file__).resolve().parents[2]
TRAIN = "trainer/train.py"
NICENESS = 10  # lower priority than the page, which stays as quick as on an idle machine
OURS = ("run.dir", "run.fresh", "run.dry_run")  # settings that this module sets
SECONDS_TO_END = 10.0  # for a process that has released its run but not ended yet
DELETED = ".deleted-"
KEY = re.compile(r"[a-z]+\.[a-z0-9_]+")


def words_of(preset: Any, settings: Any) -> list[str]:
    """Return the settings of a request as words of the trainer's command line."""
    if not isinstance(preset, str) or not isinstance(settings, dict):
        raise Refused("preset must be a string and settings a JSON object.")
    words = ["--preset", preset] if preset else []
    for key, value in settings.items():
        if key in OURS or key == "preset":
            raise Refused(f"the app sets {key}: leave it out of the settings.")
        if not KEY.fullmatch(key):
            raise Refused(f"there is no setting {key[:40]!r}.")
        if not isinstance(value, str | int | float):
            raise Refused(f"the setting {key} must be a string or a number.")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        words.append(f"--{key}={text}")
    return words


def command(words: Sequence[str], processes: int = 1) -> list[str]:
    """Return the command that trains with these settings."""
    if processes > 1:
        launcher = ["-m", "accelerate.commands.launch", "--num_processes", str(processes)]
        launcher += ["--multi_gpu"] if gpus() > 1 else []
        return [sys.executable, *launcher, str(ROOT / TRAIN), *words]
    return [sys.executable, str(ROOT / TRAIN), *words]


def gpus() -> int:
    """Return the number of NVIDIA GPUs that the trainer would use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip()])
    return len(glob.glob("/dev/nvidia[0-9]*"))


def command_text(words: Sequence[str], run: Path) -> str:
    """Return the command to type in the project's folder."""
    with contextlib.suppress(ValueError):
        run = run.relative_to(ROOT)
    return shlex.join(["python", TRAIN, *words, "--run.dir", str(run)])


def words_of_run(status: Status) -> list[str]:
    """Return the settings that a run was started with, without its folder."""
    about = status.about
    if not about.get("settings"):
        return [str(word) for word in status.launch.get("words", [])]
    settings, words = about["settings"], ["--preset", str(about.get("preset"))]
    for key in about.get("given", []):
        section, _, name = str(key).partition(".")
        if key not in OURS and name in settings.get(section, {}):
            value = settings[section][name]
            text = str(value).lower() if isinstance(value, bool) else str(value)
            words.append(f"--{key}={text}")
    return words


def environment() -> dict[str, str]:
    """Return the environment of the trainer's process: it may use the Hub, which app.py switches
    off for itself. Its waiting threads sleep: threads that wait in a loop would keep the app, and
    another run, from the processor."""
    changed = {"HF_HUB_OFFLINE": "0", "PYTHONUNBUFFERED": "1", "TQDM_MININTERVAL": "5"}
    return {"OMP_WAIT_POLICY": "passive", **os.environ, **changed}


class Training:
    """The training processes of the runs in a folder."""

    def __init__(self, runs: RunsFolder) -> None:
        self.runs = runs
        self.starting = threading.Lock()

    def busy(self) -> list[str]:
        """Return the names of the runs that are training."""
        names = self.runs.names()
        return [name for name in names if status_of(self.runs.run(name)).is_alive]

    def start(self, name: Any, words: Sequence[str], *, anyway: bool = False) -> Path:
        """Start a new run.

        Raises:
            Conflict: the name exists.
            Busy: another run is training, and not `anyway`.
            Refused: the process cannot be started.
        """
        with self.starting:
            return self.launch(self.free_path(name, anyway=anyway), words)

    def free_path(self, name: Any, *, anyway: bool = False) -> Path:
        """Return the folder for a new run of that name; raises as `start` does."""
        run = self.runs.path(name)
        if os.path.lexists(run):
            raise Conflict(f"{self.runs.folder} already contains {name}: choose another name.")
        if (others := self.busy()) and not anyway:
            raise Busy(
                f"{others[0]} is training, and both would be slower: pause it, or start this run "
                "anyway."
            )
        return run

    def resume(self, name: Any, *, fresh: bool = False) -> Path:
        """Resume a run that is not training; `fresh`: from the beginning.

        Raises:
            Conflict: the run is training or finished, or its settings are unknown.
        """
        with self.starting:
            run = self.runs.run(name)
            status = status_of(run)
            if status.is_alive:
                raise Conflict(f"{name} is already training.")
            if status.state == FINISHED and not fresh:
                raise Conflict(f"{name} is finished: restart it, or start another run.")
            words = words_of_run(status)
            if not words:
                raise Conflict(
                    f"{name} does not record its settings: repeat its command in the terminal."
                )
            processes = status.about.get("processes", 1)
            cwd = Path(str(status.about.get("folder") or ROOT))
            return self.launch(run, words, fresh=fresh, processes=processes, cwd=cwd)

    def launch(
        self,
        run: Path,
        words: Sequence[str],
        *,
        fresh: bool = False,
        processes: int | None = None,
        cwd: Path = ROOT,
    ) -> Path:
        """Start a process in a run's folder, which is created if necessary."""
        if not (ROOT / TRAIN).is_file():
            raise Refused(f"there is no trainer in {ROOT}: clone the project to train.")
        is_new = not run.exists()
        try:
            self.runs.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.runs.folder).free
            if free < folder.MIN_FREE:
                raise DiskFull(
                    f"the disk of {self.runs.folder} has {free / 2**20:,.0f} MB free, and a run "
                    f"needs at least {folder.MIN_FREE >> 20} MB: make room, or give the app "
                    "another --runs."
                )
            own = folder.own(run)
            with locks.held(own / "lock", SECONDS_TO_END) as lock:
                if lock is None:
                    raise Conflict(f"{run.name} is already starting.")
                forget(own, fresh=fresh)
                log = own / "log.txt"
                start = log.stat().st_size if log.is_file() else 0
                arguments = command(words, processes or max(1, gpus()))
                arguments += ["--run.dir", str(run), *(["--run.fresh"] if fresh else [])]
                launch = {"words": list(words), "time": time.time(), "log_start": start}
                with log.open("ab") as output:
                    process = subprocess.Popen(
                        arguments,
                        cwd=cwd if cwd.is_dir() else ROOT,
                        env=environment(),
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                        **inherited(lock),
                    )
                lower_priority(process.pid)
                folder.write_json(own / "launch.json", {"pid": process.pid, **launch})
                threading.Thread(target=record_exit, args=(process, own), daemon=True).start()
                return run
        except OSError as problem:
            if is_new:
                shutil.rmtree(run, ignore_errors=True)
            raise disk_error(f"the run cannot be started in {run}", problem) from None

    def request_end(self, name: Any, action: str) -> Path:
        """Ask the process of a run to save and end. `action`: pause or stop; they differ only in
        the state that the list shows afterwards.

        Raises:
            Conflict: the run is not training, or is training on another machine.
        """
        run = self.runs.run(name)
        status = status_of(run)
        if not status.is_alive:
            raise Conflict(f"{name} is not training.")
        if status.pid is None:
            raise Conflict(f"{name} is training on another machine: stop it there.")
        if status.state == STOPPING:
            return run
        request = {"action": action, "pid": status.pid, "time": time.time()}
        with contextlib.suppress(OSError):  # a run must stop even if the disk is full
            folder.write_json(folder.own(run) / "request.json", request)
        # A preparing run has nothing to save, and its worker processes must end with it.
        whole_group = status.state == PREPARING and status.pid == status.launch.get("pid")
        send_stop(status.pid, whole_group=whole_group)
        return run

    def delete(self, name: Any, again: Any) -> None:
        """Delete the folder of a run that is not training.

        Raises:
            Refused: `again` is not the run's name, or a part of the run is a link.
            Conflict: the run is training.
        """
        run = self.runs.run(name)
        if again != name:
            raise Refused(f"type the run's name, {name}, to delete it.")
        for part in (folder.CHECKPOINTS, folder.SNAPSHOTS, folder.EXPORT, folder.OWN):
            if (run / part).is_symlink():
                raise Refused(
                    f"{run / part} is a link to {os.readlink(run / part)}: delete both by hand."
                )
        if status_of(run).is_alive:
            raise Conflict(f"{name} is training: stop it first.")
        with self.starting, locks.held(folder.own(run) / "lock", SECONDS_TO_END) as lock:
            if lock is None or locks.is_held(run / folder.LOCK):
                raise Conflict(f"{name} is training: stop it first.")
            # Renaming is atomic: a deletion that is interrupted leaves no half of a run.
            deleted = run.with_name(f"{DELETED}{run.name}-{time.time_ns()}")
            try:
                run.rename(deleted)
                for folder_left in self.runs.folder.glob(f"{DELETED}*"):  # of earlier ones, too
                    shutil.rmtree(folder_left)
            except FileNotFoundError:
                raise Missing(f"there is no run {name} any more.") from None
            except OSError as problem:
                raise Refused(
                    f"{deleted} cannot be deleted ({problem.strerror}): delete it by hand."
                ) from None


def forget(own: Path, *, fresh: bool) -> None:
    """Delete what is known of a run's last process; `fresh`: also what was made of its model."""
    made = ("model", "files", "evaluation.json") if fresh else ()
    for name in ("request.json", "exit.json", *made):
        if (own / name).is_dir():
            shutil.rmtree(own / name, ignore_errors=True)
        else:
            (own / name).unlink(missing_ok=True)


def inherited(lock: int) -> Mapping[str, Any]:
    """Return the arguments of Popen that pass on a lock; Windows locks cannot be inherited."""
    return {"pass_fds": (lock,)} if os.name == "posix" else {}


def lower_priority(pid: int) -> None:
    """Lower the priority of a process. Where Linux first divides CPU time among sessions
    (autogroups), lower its session's priority too."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PGRP, pid, NICENESS)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS), encoding="ascii")


def record_exit(process: subprocess.Popen[bytes], own: Path) -> None:
    """Wait for a process and write its exit code."""
    code = process.wait()
    with contextlib.suppress(OSError):
        folder.write_json(own / "exit.json", {"pid": process.pid, "code": code})


def send_stop(pid: int, *, whole_group: bool) -> None:
    """Send the signal on which the trainer saves and ends."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name != "posix":
            os.kill(pid, signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined]
        elif whole_group:
            os.killpg(pid, signal.SIGTERM)
        else:
            os.kill(pid, signal.SIGTERM)
