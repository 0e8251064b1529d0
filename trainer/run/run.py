"""Carry out a run from its settings to its export, with a message for every error.

This module builds the token store, opens the run and locks its folder; loop.py trains.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

from trainer.corpus.store.build import build_store, given_store
from trainer.distributed import out_of_memory
from trainer.distributed.runtime import leave_group
from trainer.distributed.watchdog import abort, lost_connection
from trainer.model import device
from trainer.model.pretrained import open_pretrained, open_teachers, take_vocabulary
from trainer.run.dry_run import dry_run
from trainer.run.finish import finish
from trainer.run.loop import Trainer
from trainer.run.plan import num_parameters, plan, table
from trainer.settings.config import Config
from trainer.storage import run_folder
from trainer.storage.run_state import FAILED, FINISHED, FINISHING, RUNNING, STOPPED, RunState


def run(config: Config, start: float, *, as_json: bool = False) -> int:
    """Carry out a run, or the rest of it; return 0, 2 after one error message, or 130 if the run
    was stopped.

    Args:
        start: time.monotonic() at the start of the command, for run.minutes.
        as_json: whether run.dry_run prints JSON.
    """
    trainer = None
    try:
        run_folder.check(config.folder)
        if not device.usable_gpu():
            device.keep_freed_memory()
        config, pretrained = open_pretrained(config)
        store_given = Path(config.corpus.source, "store.json").is_file()
        store = given_store(config.corpus) if store_given else build_store(config.corpus)
        if pretrained:
            take_vocabulary(config.model.init_from, *pretrained, store.tokenizer)
        teachers = open_teachers(config, store.tokenizer)
        trainer = Trainer(config, store, start, pretrained and pretrained[0], teachers)
        if config.run.dry_run:
            measured = dry_run(trainer)
            if trainer.runtime.is_main:
                print(json.dumps(measured.to_json()) if as_json else measured.table())
            trainer.runtime.close()
            return 0
        with lock_of(trainer):
            trainer.say(table(plan(trainer)))
            trainer.resume()
            with signals_stop(trainer), recorded(trainer) as state:
                if trainer.loop():
                    state.write(FINISHING, trainer.saved)
                    finish(trainer)
    except KeyboardInterrupt:
        print(stopped(trainer), file=sys.stderr)
        return 130
    except (RuntimeError, MemoryError) as error:
        if cause := lost_connection(error):
            abort(cause, trainer is not None, trainer.saved if trainer else 0)
        if not out_of_memory.is_full(error):
            raise
        print(f"error: {message(error, trainer)}", file=sys.stderr, flush=True)
        return 2
    except (ValueError, OSError, SafetensorError) as error:
        print(f"error: {message(error, trainer)}", file=sys.stderr, flush=True)
        leave_group()
        return 2
    trainer.runtime.close()
    return 0


def lock_of(trainer: Trainer) -> contextlib.AbstractContextManager[None]:
    """Return the lock of the run's folder in the main process, and a null context in others."""
    if trainer.runtime.is_main:
        return run_folder.run_lock(trainer.folder)
    return contextlib.nullcontext()


@contextlib.contextmanager
def recorded(trainer: Trainer) -> Iterator[RunState]:
    """Record in state.json that the run is running, and after the block how it ended."""
    about = {
        "steps": trainer.num_steps,
        "tokens_per_step": trainer.global_batch * trainer.context,
        "parameters": num_parameters(trainer),
        "processes": trainer.runtime.num_processes,
        "store": str(trainer.store.folder.resolve()),
        "preset": trainer.config.preset,
        "given": sorted(trainer.config.given),
        "settings": trainer.config.to_dict(),
        "folder": os.getcwd(),
    }
    state = RunState(trainer.folder, about, enabled=trainer.runtime.is_main)
    state.write(RUNNING, trainer.saved)
    try:
        yield state
    except KeyboardInterrupt:
        state.write(STOPPED, trainer.saved, stopped(trainer))
        raise
    except Exception as error:
        state.write(FAILED, trainer.saved, message(error, trainer))
        raise
    if trainer.saved == trainer.num_steps:
        state.write(FINISHED, trainer.saved)
    else:  # run.minutes stopped the run
        state.write(STOPPED, trainer.saved, stopped(trainer))


def stopped(trainer: Trainer | None) -> str:
    """Return the message of a run that was stopped."""
    saved = f"; saved after step {trainer.saved:,}" if trainer and trainer.saved else ""
    return f"stopped{saved}: the same command resumes the run"


def message(error: Exception, trainer: Trainer | None = None) -> str:
    """Return the message for an error; for errors of memory or disk, with the remedy."""
    if out_of_memory.is_full(error):
        return out_of_memory.advice(trainer.runtime if trainer else None)
    if isinstance(error, ValueError):
        return str(error)
    if not isinstance(error, OSError | SafetensorError):
        return f"{type(error).__name__}: {error}".strip().split("\n")[0]
    cause = getattr(error, "strerror", None) or str(error)
    file = getattr(error, "filename", None)
    where = f" at {file}" if file else ""
    if isinstance(error, PermissionError):
        return (
            f"no permission to read or write{where or ' a file'} ({cause}): ask its owner, or "
            "choose other folders with --run.dir and --corpus.folder"
        )
    return (
        f"the disk failed{where} ({cause}): make room, or choose other folders with --run.dir and "
        "--corpus.folder; earlier checkpoints are intact"
    )


@contextlib.contextmanager
def signals_stop(trainer: Trainer) -> Iterator[None]:
    """Let Ctrl-C, a scheduler's SIGTERM and a closed terminal's SIGHUP stop the run during the
    block. The earlier handlers are restored, as a notebook needs. Signals reach only a process's
    main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last two depend on the system
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] != signal.SIG_IGN:  # ignored signals stay ignored, as by nohup
            signal.signal(number, lambda *_: interrupt(trainer))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt(trainer: Trainer) -> None:
    """Request a stop after the current step. At a second signal, or when the last step is saved,
    quit at once."""
    if trainer.interrupted or trainer.saved == trainer.num_steps:
        raise KeyboardInterrupt
    trainer.interrupted = True
    with contextlib.suppress(OSError):  # the terminal may be gone
        print("\nstopping after this step; press again to quit without saving", file=sys.stderr)
