"""A process that builds a store of many small shards, started by test_build.py.

build_worker.py SOURCE FOLDER
"""

import sys

from trainer.corpus import build_store, readers
from trainer.corpus_config import Corpus

readers.CHUNK_BYTES = 10_000
try:
    print(build_store(Corpus(source=sys.argv[1], folder=sys.argv[2], workers=2)).folder)
except ValueError as error:
    sys.exit(f"error: {error}")
