"""PyTorch and transformers, which only a GPU and models of other shapes need: imported where they
are used, and how to install them where they are missing.

    python -m playground.folder.libraries MODEL     exits with 0 if a model needs them, for make
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

INSTALL = "pip install torch 'transformers>=5,<6'"


def transformers_for(folder: Path, what: str) -> Any:
    """Return the module `transformers`, with PyTorch beside it.

    Args:
        folder: that is opened.
        what: is in the folder and needs it.

    Raises:
        ValueError: one of them is not installed; one sentence.
    """
    try:
        import torch  # noqa: F401
        import transformers
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{folder} holds {what}, which needs the package {error.name}: {INSTALL}."
        ) from None
    return transformers


def needs_transformers(folder: Path) -> bool:
    """Return whether a model folder or an adapter is opened by transformers."""
    from playground.folder.config import config_of
    from playground.folder.json_file import read_json
    from playground.folder.source import is_adapter

    if is_adapter(folder) or not (folder / "tokenizer.json").is_file():
        return True
    return config_of(read_json(folder / "config.json")) is None


def main(arguments: list[str]) -> int:
    """Return the command: 0 if the model needs them, else 1; what is wrong with it the app says."""
    from playground.folder.source import find_folder

    try:
        return 0 if needs_transformers(find_folder(arguments[0])) else 1
    except ValueError:
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
