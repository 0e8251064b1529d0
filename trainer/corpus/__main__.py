"""Inspect stories; build, index and verify token stores.

python -m trainer.corpus build [--preset NAME] [--corpus.key value ...]
python -m trainer.corpus inspect FILE ... [--json] [--corpus.key value ...]
python -m trainer.corpus inspect STORE [--write FILE.md]
python -m trainer.corpus index STORE [--filter FILE]
python -m trainer.corpus verify STORE
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
import textwrap
import time
from pathlib import Path

from trainer.corpus.store.build import build_store
from trainer.corpus.store.data_card import card, draw
from trainer.corpus.store.preview import preview, preview_json
from trainer.corpus.store.run_filter import build_filter
from trainer.corpus.store.suffix_array import build_index, verify_index
from trainer.corpus.store.token_store import open_store
from trainer.output.console import best_effort, run_command
from trainer.settings.command_line import parse


def build(arguments: list[str]) -> None:
    """Build the token store that a run with the same settings would use, if it does not exist yet.
    `python trainer/train.py --help` lists the settings.
    """
    for word in arguments:
        if word.startswith("--") and not word.startswith(("--preset", "--corpus.")):
            raise ValueError(f"{word} has no meaning for a corpus: give --preset or --corpus.key")
    start = time.monotonic()
    store = build_store(parse(arguments).corpus)
    print(
        f"{store.folder}: {store.num_stories('train'):,} stories,"
        f" {store.num_tokens('train'):,} tokens to train on and"
        f" {store.num_stories('validation'):,} validation stories, in"
        f" {time.monotonic() - start:.1f} s"
    )


def inspect(arguments: list[str]) -> None:
    """Print the detected format of files or folders, what the rules change and drop, and three
    stories; --json prints one object per line, for programs. Of a store print the data card;
    --write also saves the card, with a picture.
    """
    files = list(itertools.takewhile(lambda word: not word.startswith("--"), arguments))
    if files and not Path(files[0], "store.json").is_file() and "--write" not in arguments:
        inspect_files(files, arguments[len(files) :])
        return
    words = list(arguments)
    file = None
    if "--write" in words:
        index = words.index("--write")
        file = Path(words[index + 1]) if index + 1 < len(words) else Path()
        del words[index : index + 2]
        if file.suffix != ".md":
            raise ValueError("--write needs a file whose name ends with .md")
    store = open_store(only_store(words))
    if file is None:
        print(card(store))
        return
    picture = file.with_suffix(".png")
    picture.unlink(missing_ok=True)  # an older picture may be of another store
    with best_effort(f"the picture {picture}"):
        draw(store, picture)
    text = card(store, picture.name if picture.is_file() else "")
    file.write_text(text, encoding="utf-8")
    print(text)
    print(f"written: {file}", file=sys.stderr)


def inspect_files(files: list[str], settings: list[str]) -> None:
    """Print how each file or folder of stories is read."""
    config = parse([word for word in settings if word != "--json"]).corpus
    for file in files:
        source = dataclasses.replace(config, source=file)
        print(json.dumps(preview_json(source)) if "--json" in settings else preview(source))


def verify(arguments: list[str]) -> None:
    """Read all files of a store and verify their checksums."""
    store = open_store(only_store(arguments))
    num_bytes = store.verify() + verify_index(store)
    print(f"{store.folder} is as it was written: {num_bytes:,} bytes reread")


def index(arguments: list[str]) -> None:
    """Build the index in which `playground.trace` finds copied parts of a story; --filter writes a
    small file instead, to publish with a model whose stories are not published.
    """
    words, file = list(arguments), None
    if "--filter" in words:
        index = words.index("--filter")
        if index + 1 >= len(words):
            raise ValueError("--filter needs a file, such as models/mine/training_runs.filter")
        file = Path(words[index + 1])
        del words[index : index + 2]
    store = open_store(only_store(words))
    start = time.monotonic()
    if file is None:
        path: Path = build_index(store)
        size = sum(part.stat().st_size for part in path.iterdir())
        about = f"{size / store.num_tokens('train'):.2f} bytes per token"
    else:
        facts, path = build_filter(store, file), file
        size = file.stat().st_size
        about = (
            f"finds every run of {facts['words'] + facts['stride'] - 1} words or more; takes"
            f" {facts['false_positives']:.2%} of other runs for copied"
        )
    print(f"{path}: {size:,} bytes, {about}, in {time.monotonic() - start:.1f} s")


def only_store(words: list[str]) -> str:
    """Return the single argument, the folder of a store."""
    if len(words) != 1:
        raise ValueError("give the folder of one store, such as data/sample-0123456789ab")
    return words[0]


COMMANDS = {"build": build, "inspect": inspect, "index": index, "verify": verify}


def help_text(name: str) -> str:
    """Return the usage and the meaning of a command."""
    usage = [line for line in str(__doc__).splitlines() if f" trainer.corpus {name} " in line]
    meaning = textwrap.fill(" ".join(str(COMMANDS[name].__doc__).split()), 96)
    return "\n".join(usage) + f"\n\n{meaning}\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: see `run_command`."""
    arguments = sys.argv[1:] if arguments is None else arguments
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        print(str(__doc__).splitlines()[0], *map(help_text, COMMANDS), sep="\n\n")
        return 0

    def work() -> None:
        if name not in COMMANDS:
            raise ValueError(f"{name} is not a command: give build, inspect, index or verify")
        if {"-h", "--help"} & set(rest):
            print(help_text(name))
        else:
            COMMANDS[name](rest)

    return run_command(work, "stopped; the same command resumes where it was")


if __name__ == "__main__":
    sys.exit(main())
