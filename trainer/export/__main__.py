"""An export in another form.

python -m trainer.export gguf EXPORT FILE [--type f16|q8_0]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from trainer.export.gguf import TYPES, export_gguf
from trainer.output.console import Parser, run_command


def parser() -> Parser:
    """Return the command line."""
    command = Parser(prog="python -m trainer.export", description="An export in another form.")
    forms = command.add_subparsers(dest="form", required=True, parser_class=Parser)
    gguf = forms.add_parser("gguf", help="one file for llama.cpp, Ollama, LM Studio")
    gguf.add_argument("export", metavar="EXPORT", type=Path, help="the folder of an export")
    gguf.add_argument("file", metavar="FILE", type=Path, help="the file to write")
    gguf.add_argument("--type", default="f16", choices=TYPES, help="of the matrices (default: f16)")
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: see `run_command`."""

    def write() -> None:
        options = parser().parse_args(arguments)
        file = export_gguf(options.export, options.file, options.type)
        print(f"{file}: {file.stat().st_size / 1e6:,.1f} MB")

    return run_command(write)


if __name__ == "__main__":
    sys.exit(main())
