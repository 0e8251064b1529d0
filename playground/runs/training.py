"""The trainer as a process of its own: started, asked to stop, started again.

The process gets a session and a process group of its own, lower priority, and a log file; it
outlives the app. It holds the lock of `.studio/lock` by inheritance (locks.py), so two starts at
once are one start and one message.
"""

from __future__ import annotations

import contextlib
import errno
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
from playground.runs.errors import Busy, Conflict, DiskFull, Missing, Refused
from playground.runs.folder import RunsFolder
from playground.runs.status import FINISHED, PREPARING, STOPPING, Status, status_of

ROOT = Path(__file__).resolve().parents[2]
TRAIN = "trainer/train.py"
NICENESS = 10  # below the page, which is then as quick as on an idle machine
OURS = ("run.dir", "run.fresh", "run.dry_run")  # settings that this module gives
SECONDS_TO_END = 10.0  # for a process that has released its run and is just ending
DELETED = ".deleted-"
KEY = re.compile(r"[a-z]+\.[a-z0-9_]+")


def words_of(preset: Any, settings: Any) -> list[str]:
    """The settings of a request as the trainer's command line has them."""
    if not isinstance(preset, str) or not isinstance(settings, dict):
        raise Refused("preset must be a text and settings an object of settings.")
    words = ["--preset", preset] if preset else []
    for key, value in settings.items():
        if key in OURS or key == "preset":
            raise Refused(f"{key} is given by the app: leave it out of the settings.")
        if not KEY.fullmatch(key):
            raise Refused(f"there is no setting {key[:40]!r}.")
        if not isinstance(value, str | int | float):
            raise Refused(f"the setting {key} must have a text or a number.")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        words.append(f"--{key}={text}")
    return words


def command(words: Sequence[str], processes: int = 1) -> list[str]:
    """The command that trains with these settings."""
    if processes > 1:
        launcher = ["-m", "accelerate.commands.launch", "--num_processes", str(processes)]
        launcher += ["--multi_gpu"] if gpus() > 1 else []
        return [sys.executable, *launcher, TRAIN, *words]
    return [sys.executable, TRAIN, *words]


def gpus() -> int:
    """The NVIDIA GPUs that a process of this user would use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip()])
    return len(glob.glob("/dev/nvidia[0-9]*"))


def shown(words: Sequence[str], run: Path) -> str:
    """The command for people, to be given in the project's folder."""
    with contextlib.suppress(ValueError):
        run = run.relative_to(ROOT)
    return shlex.join(["python", TRAIN, *words, "--run.dir", str(run)])


def words_of_run(status: Status) -> list[str]:
    """The settings that a run was started with, without its folder."""
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
    off for itself."""
    changed = {"HF_HUB_OFFLINE": "0", "PYTHONUNBUFFERED": "1", "TQDM_MININTERVAL": "5"}
    return {**os.environ, **changed}


class Training:
    """The runs of a folder, as processes."""

    def __init__(self, runs: RunsFolder) -> None:
        self.runs = runs
        self.starting = threading.Lock()

    def busy(self) -> list[str]:
        """The runs that train now."""
        names = self.runs.names()
        return [name for name in names if status_of(self.runs.run(name)).is_alive]

    def start(self, name: Any, words: Sequence[str], *, anyway: bool = False) -> Path:
        """Start a new run.

        Raises:
            Conflict: the name exists.
            Busy: another run trains and it is not `anyway`.
            Refused: a word is not one for a run.
        """
        with self.starting:
            return self.launch(self.free_path(name, anyway=anyway), words)

    def free_path(self, name: Any, *, anyway: bool = False) -> Path:
        """Where a new run of that name goes; raises as `start` does."""
        run = self.runs.path(name)
        if os.path.lexists(run):
            raise Conflict(
                f"there is something called {name} in {self.runs.folder} already: choose another "
                "name."
            )
        if (others := self.busy()) and not anyway:
            raise Busy(
                f"{others[0]} trains now, and both would be slower: pause it, or start this run "
                "anyway."
            )
        return run

    def resume(self, name: Any, *, fresh: bool = False) -> Path:
        """Start the process of a run that does not train; `fresh`: from the beginning.

        Raises:
            Conflict: it trains, or is finished.
        """
        with self.starting:
            run = self.runs.run(name)
            status = status_of(run)
            if status.is_alive:
                raise Conflict(f"{name} trains already.")
            if status.state == FINISHED and not fresh:
                raise Conflict(f"{name} is finished: start it over, or start another run.")
            words = words_of_run(status)
            if not words:
                raise Conflict(
                    f"{name} does not say with which settings it was started: give its command "
                    "again in the terminal."
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
        """Start a process in a run's folder, which is made if it is not there."""
        if not (ROOT / TRAIN).is_file():
            raise Refused(f"there is no trainer in {ROOT}: clone the project to train.")
        is_new = not run.exists()
        try:
            self.runs.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.runs.folder).free
            if free < folder.ROOM:
                raise DiskFull(
                    f"the disk of {self.runs.folder} has {free / 2**20:,.0f} MB free, and a run "
                    f"needs {folder.ROOM >> 20} MB at least: make room, or give the app another "
                    "--runs."
                )
            place = folder.own(run)
            with locks.held(place / "lock", SECONDS_TO_END) as lock:
                if lock is None:
                    raise Conflict(f"{run.name} is being started already.")
                return self.spawn(run, words, lock, fresh, processes, cwd)
        except OSError as problem:
            if is_new:
                shutil.rmtree(run, ignore_errors=True)
            kind = DiskFull if problem.errno in (errno.ENOSPC, errno.EDQUOT) else Refused
            raise kind(
                f"the run cannot be started in {run} ({problem.strerror}): make room, or give the "
                "app another --runs."
            ) from None

    def spawn(
        self,
        run: Path,
        words: Sequence[str],
        lock: int,
        fresh: bool,
        processes: int | None,
        cwd: Path,
    ) -> Path:
        """Start the process, which inherits the lock, and write down what it is."""
        place = run / folder.OWN
        for name in ("request.json", "exit.json"):
            (place / name).unlink(missing_ok=True)
        if fresh:
            for name in ("model", "files"):
                shutil.rmtree(place / name, ignore_errors=True)
            (place / "evaluation.json").unlink(missing_ok=True)
        log = place / "log.txt"
        start = log.stat().st_size if log.is_file() else 0
        known = command(words, processes or max(1, gpus()))
        train = known.index(TRAIN)
        known[train] = str(ROOT / TRAIN)
        known += ["--run.dir", str(run), *(["--run.fresh"] if fresh else [])]
        before = {"words": list(words), "time": time.time(), "log_start": start}
        with log.open("ab") as output:
            process = subprocess.Popen(
                known,
                cwd=cwd if cwd.is_dir() else ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **inherited(lock),
            )
        lower_priority(process.pid)
        folder.write_json(place / "launch.json", {"pid": process.pid, **before})
        threading.Thread(target=wait_for, args=(process, place), daemon=True).start()
        return run

    def ask(self, name: Any, action: str) -> Path:
        """Ask the process of a run to save and end: `pause` or `stop`, which differ in what the
        list says afterwards.

        Raises:
            Conflict: it does not train, or on another machine.
        """
        run = self.runs.run(name)
        status = status_of(run)
        if not status.is_alive:
            raise Conflict(f"{name} does not train.")
        if status.pid is None:
            raise Conflict(f"{name} trains on another machine: stop it there.")
        if status.state == STOPPING:
            return run
        request = {"action": action, "pid": status.pid, "time": time.time()}
        with contextlib.suppress(OSError):  # a full disk must not keep a run from being stopped
            folder.write_json(folder.own(run) / "request.json", request)
        # While it prepares it has nothing to save, and its helpers are to end with it.
        whole_group = status.state == PREPARING and status.pid == status.launch.get("pid")
        send_stop(status.pid, whole_group=whole_group)
        return run

    def delete(self, name: Any, again: Any) -> None:
        """Delete the folder of a run that does not train.

        Raises:
            Refused: `again` is not the run's name, or part of the run is elsewhere.
            Conflict: it trains.
        """
        run = self.runs.run(name)
        if again != name:
            raise Refused(f"type the run's name, {name}, to delete it.")
        for part in (folder.CHECKPOINTS, folder.SNAPSHOTS, folder.EXPORT, folder.OWN):
            if (run / part).is_symlink():
                raise Refused(
                    f"{run / part} is a link to {os.readlink(run / part)}: delete what it leads to "
                    "and the link by hand."
                )
        if status_of(run).is_alive:
            raise Conflict(f"{name} trains: stop it first.")
        with self.starting, locks.held(folder.own(run) / "lock", SECONDS_TO_END) as lock:
            if lock is None or locks.is_held(run / folder.LOCK):
                raise Conflict(f"{name} trains: stop it first.")
            doomed = run.with_name(f"{DELETED}{run.name}-{time.time_ns()}")
            try:
                run.rename(doomed)
                for rest in self.runs.folder.glob(f"{DELETED}*"):  # of an earlier one, too
                    shutil.rmtree(rest)
            except FileNotFoundError:
                raise Missing(f"there is no run {name} any more.") from None
            except OSError as problem:
                raise Refused(
                    f"{doomed} cannot be deleted ({problem.strerror}): delete it by hand."
                ) from None


def inherited(lock: int) -> Mapping[str, Any]:
    """How a process is given a handle; Windows locks are not inherited."""
    return {"pass_fds": (lock,)} if os.name == "posix" else {}


def lower_priority(pid: int) -> None:
    """Let a process wait for others. Where Linux shares the processor among sessions first, its
    session gets the lower priority too."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PGRP, pid, NICENESS)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS), encoding="ascii")


def wait_for(process: subprocess.Popen[bytes], place: Path) -> None:
    """Write down with which code a process ended."""
    code = process.wait()
    with contextlib.suppress(OSError):
        folder.write_json(place / "exit.json", {"pid": process.pid, "code": code})


def send_stop(pid: int, *, whole_group: bool) -> None:
    """The signal on which the trainer saves and ends."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name != "posix":
            os.kill(pid, signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined]
        elif whole_group:
            os.killpg(pid, signal.SIGTERM)
        else:
            os.kill(pid, signal.SIGTERM)
