"""Build a page that writes stories in the visitor's browser, from an export.

python -m playground.browser EXPORT OUT [--weights int8] [--weights-from USER/NAME]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from playground.browser import WEIGHTS
from playground.command_line import Parser, run_command
from playground.folder.hub import is_name


def parser() -> Parser:
    """Return the parser of the command line."""
    command = Parser(
        prog="python -m playground.browser",
        description="Build a page that writes stories in the visitor's browser, for any static "
        "server.",
    )
    command.add_argument("export", metavar="EXPORT", help="the folder of an export")
    command.add_argument("out", metavar="OUT", type=Path, help="the folder to write")
    command.add_argument(
        "--weights",
        choices=WEIGHTS,
        default="fp16",
        help="fp16 keeps an fp16 export exactly; int8 is half as large, 2 to 3 times as fast, "
        "and writes other stories for the same seeds (default: fp16)",
    )
    command.add_argument(
        "--weights-from",
        metavar="USER/NAME",
        help="load the weights from this model repository on the Hub, not from the page's folder",
    )
    return command


def run(options: argparse.Namespace) -> None:
    """Write the page's folder, and print its size and what to do next.

    Raises:
        ValueError: the page cannot be built or written.
    """
    if options.weights_from and not is_name(options.weights_from):
        raise ValueError(
            f"--weights-from must be a repository's name, USER/NAME, not {options.weights_from!r}."
        )
    # These imports take seconds; mistakes in the options are reported before.
    from playground.browser.build import page_of, write, write_weights
    from playground.folder.model_folder import ModelFolder

    model = ModelFolder.open(options.export, device="cpu")
    page = page_of(model, weights=options.weights, weights_from=options.weights_from)
    write(page, options.out)
    size = sum(map(len, page.files.values()))
    print(f"{options.out}: {len(page.files)} files, {size / 1e6:.1f} MB")
    if options.weights == "int8":
        print("int8: the same seed gives another story here than with the export.")
    elif not page.packed.is_exact:
        print(
            "The export is not in fp16, so its weights were rounded: a story can differ from the "
            "export's. An export in fp16 (--run.export_precision fp16) writes the same in both."
        )
    if options.weights_from:
        file = write_weights(page, options.out.with_name(f"{options.out.name}-weights"))
        print(
            f"The weights are in {file}. Upload them to the repository that the page uses:\n"
            f"  hf upload {options.weights_from} {file} browser/{file.name}"
        )
    print(f"Look at it: python -m http.server --directory {options.out} 8000")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command(lambda: run(parser().parse_args(arguments)), "stopped: nothing was changed")


if __name__ == "__main__":
    sys.exit(main())
