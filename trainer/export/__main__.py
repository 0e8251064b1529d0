"""Write an export as GGUF, or an export of a run's newest checkpoint.

python -m trainer.export gguf EXPORT FILE [--type f16|q8_0]
python -m trainer.export model RUN FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from trainer.export.gguf import TYPES, export_gguf
from trainer.output.console import Parser, quick_imports, run_command


def parser() -> Parser:
    """Return the command line."""
    command = Parser(
        prog="python -m trainer.export", description="Write an export in another form."
    )
    forms = command.add_subparsers(dest="form", required=True, parser_class=Parser)
    gguf = forms.add_parser("gguf", help="one file for llama.cpp, Ollama, LM Studio")
    gguf.add_argument("export", metavar="EXPORT", type=Path, help="the folder of an export")
    gguf.add_argument("file", metavar="FILE", type=Path, help="the file to write")
    gguf.add_argument(
        "--type", default="f16", choices=TYPES, help="type of the matrices (default: f16)"
    )
    model = forms.add_parser("model", help="the newest checkpoint of a run, as an export")
    model.add_argument("run", metavar="RUN", type=Path, help="the folder of a run")
    model.add_argument("folder", metavar="FOLDER", type=Path, help="the export to write")
    model.add_argument(
        "--corpus.folder",
        type=Path,
        metavar="DIR",
        help="folder of the token stores (default: the run's)",
    )
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: see `run_command`."""

    def write() -> None:
        options = parser().parse_args(arguments)
        if options.form == "model":
            with quick_imports():
                from trainer.export.from_checkpoint import export_checkpoint

            step = export_checkpoint(options.run, options.folder, vars(options)["corpus.folder"])
            print(f"{options.folder}: step {step:,}")
            return
        file = export_gguf(options.export, options.file, options.type)
        print(f"{file}: {file.stat().st_size / 1e6:,.1f} MB")

    return run_command(write)


if __name__ == "__main__":
    sys.exit(main())
