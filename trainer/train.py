"""The command: settings, token store, run, and a sentence for whatever stops it.

    accelerate launch trainer/train.py [--preset NAME] [--section.key value ...]

The run itself is in loop.py. The same command again goes on where a stopped run was.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

if __package__ in (None, ""):  # started as a file: its folder is on the path, the project's is not
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from safetensors import SafetensorError

from trainer.command_line import help_text, parse
from trainer.corpus import build_store
from trainer.corpus.token_store import open_store
from trainer.distributed import out_of_memory
from trainer.distributed.runtime import leave_group
from trainer.distributed.watchdog import abort, lost_connection
from trainer.dry_run import forecast
from trainer.loop import Trainer


def main(arguments: list[str] | None = None) -> int:
    """The command: 0 when the run is done, 2 with one sentence when it cannot be, 130 when it was
    stopped."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if "--help" in arguments or "-h" in arguments:
        print(help_text())
        return 0
    trainer: Trainer | None = None
    try:
        config = parse(arguments)
        store_given = Path(config.corpus.source, "store.json").is_file()
        store = (
            open_store(Path(config.corpus.source)) if store_given else build_store(config.corpus)
        )
        trainer = Trainer(config, store)
        if config.run.dry_run:
            told = forecast(trainer)
            if trainer.runtime.is_main:
                print(told)
            trainer.runtime.close()
            return 0
        trainer.folder.mkdir(parents=True, exist_ok=True)
        trainer.introduce()
        trainer.resume()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_, run=trainer: interrupt(run))
        trainer.loop()
        trainer.finish()
    except KeyboardInterrupt:
        saved = f"; saved after step {trainer.saved:,}" if trainer and trainer.saved else ""
        print(f"stopped{saved}: the same command goes on", file=sys.stderr)
        return 130
    except (RuntimeError, MemoryError) as error:
        if cause := lost_connection(error):
            abort(cause, trainer is not None, trainer.saved if trainer else 0)
        if not out_of_memory.is_full(error):
            raise
        advice = out_of_memory.advice(trainer.runtime if trainer else None)
        print(f"error: {advice}", file=sys.stderr)
        return 2
    except (ValueError, OSError, SafetensorError) as error:
        print(f"error: {sentence(error)}", file=sys.stderr, flush=True)
        leave_group()
        return 2
    trainer.runtime.close()
    return 0


def sentence(error: Exception) -> str:
    """An error as one sentence; the disk's are told with what to do."""
    if isinstance(error, ValueError):
        return str(error)
    cause = getattr(error, "strerror", None) or str(error)
    file = getattr(error, "filename", None)
    where = f" at {file}" if file else ""
    return (
        f"the disk refused{where} ({cause}): make room, or choose other folders with --run.dir and "
        "--corpus.folder; what was saved before is whole"
    )


def interrupt(trainer: Trainer) -> None:
    """The first signal saves and stops after the step; a second one quits at once."""
    if trainer.interrupted:
        raise KeyboardInterrupt
    trainer.interrupted = True
    print("\nstopping after this step; once more quits without saving", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
