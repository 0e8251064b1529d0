"""A process that builds a store of many small shards, started by test_build.py.

build_worker.py SOURCE FOLDER [KILLED_AT]

With KILLED_AT, a number of shards or the name of the store, the process and its workers are killed
just before the rename that follows so many shards, or that gives the store its name.
"""

import os
import signal
import sys
from pathlib import Path

from trainer.corpus import build_store
from trainer.corpus.read import chunks
from trainer.settings.corpus import Corpus

chunks.CHUNK_BYTES = 10_000
source, folder, killed_at = sys.argv[1:]


def kill(event: str, arguments: tuple[object, ...]) -> None:
    """Kill this process group before a rename at `killed_at`; an audit hook."""
    if event != "os.rename":
        return
    if killed_at.isdigit():
        due = len(list(Path(folder).glob("*.partial/shards/train-*.npz"))) >= int(killed_at)
    else:
        due = Path(str(arguments[1])).name == killed_at
    if due:
        os.killpg(0, signal.SIGKILL)


if killed_at:
    sys.addaudithook(kill)
try:
    print(build_store(Corpus(source=source, folder=folder, workers=2)).folder)
except ValueError as error:
    sys.exit(f"error: {error}")
