"""Write a story in the terminal.

    python -m playground.generate MODEL --prompt "Once upon a time" --seed 7 --temperature 0.8

Prints each token when it is chosen, or with --json the whole record at the end. With --link a
shared story is written again: the exit code is 0 if the model reproduces it, 1 if not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from playground.command_line import Parser, add_model_options, run_command, typed_text
from playground.sampling import LISTS, NUMBERS, SHOWN, Settings, words_in
from playground.stories import permalink


def parser() -> Parser:
    """Return the parser of the command line."""
    command = Parser(prog="python -m playground.generate", description="Write a story.")
    add_model_options(command)
    add: Any = command.add_argument
    add(
        "--memory",
        type=float,
        metavar="GB",
        help="memory for the story (default: half of the free memory)",
    )
    add("--prompt", default="Once upon a time", help="opening of the story")
    add(
        "--link",
        metavar="LINK",
        help="write a shared story again with the link's settings and prompt, and report whether "
        "the model reproduces it",
    )
    add("--json", action="store_true", help="print the record of the story as JSON")
    for row in SHOWN:
        flag, meaning = f"--{row.name.replace('_', '-')}", row.meaning
        if row in NUMBERS:
            meaning += f" ({row.low:,} to {row.high:,}; default: {row.default})"
            add(flag, type=row.kind, default=row.default, help=meaning)
        elif row.kind is bool:
            add(flag, action=argparse.BooleanOptionalAction, default=row.default, help=meaning)
        else:
            add(flag, nargs="*", default=(), metavar="WORD", help=meaning)
    return command


def in_bytes(gigabytes: float | None) -> int | None:
    """Return --memory in bytes; ValueError if it is not a positive number."""
    if gigabytes is None:
        return None
    if not 0 < gigabytes < 1e6:
        raise ValueError(f"--memory must be a positive number of gigabytes, not {gigabytes}.")
    return int(gigabytes * 1e9)


def write(arguments: Sequence[str] | None) -> int:
    """Write a story and print it; return 1 if the model writes another story than a link's.

    Raises:
        ValueError: an option or a link is wrong, or the model cannot be used.
    """
    options = vars(parser().parse_args(arguments))
    folder, prompt = options.pop("model"), typed_text(options.pop("prompt"))
    device, as_json = options.pop("device"), options.pop("json")
    base, memory = options.pop("base"), in_bytes(options.pop("memory"))
    link = options.pop("link")
    shared = None if link is None else permalink.decode(permalink.text_of(link))
    for row in LISTS:
        texts = map(typed_text, options[row.name])
        options[row.name] = [word for text in texts for word in words_in(text) or [text]]
    settings = Settings(**options)
    # These imports are slow; mistakes in the options are reported before.
    from playground.engine.engine import Engine
    from playground.engine.replay import replay
    from playground.folder.device import introduction
    from playground.folder.model_folder import ModelFolder

    storyteller = ModelFolder.open(folder, device=device, base=base)
    print(introduction(storyteller.device, device), file=sys.stderr, flush=True)
    if not storyteller.eos_ids:
        print("this model does not name an end token", file=sys.stderr, flush=True)
    with Engine(storyteller, max_streams=1, memory=memory) as engine:
        if shared is not None:
            replayed = replay(engine, shared)
            print(replayed.story.to_json() if as_json else replayed.story.text, flush=True)
            print(replayed.verdict, file=sys.stderr, flush=True)
            return 0 if replayed.differs_at is None else 1
        with engine.write(prompt, settings, completes_word=True) as stream:
            print("" if as_json else prompt, end="", flush=True)
            shown = len(prompt)
            for _ in stream:
                text = stream.story.text
                print("" if as_json else text[shown:], end="", flush=True)
                shown = max(shown, len(text))  # token healing repeats the prompt's last word
            print(stream.story.to_json() if as_json else "", flush=True)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command(lambda: write(arguments))


if __name__ == "__main__":
    sys.exit(main())
