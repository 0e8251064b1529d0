"""Import PyTorch and transformers, which only GPUs and models that the core does not compute need.

python -m playground.folder.libraries MODEL     exits with 0 if a model needs them, for make
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

INSTALL = "pip install torch 'transformers>=5,<6'"


def transformers_for(folder: Path, content: str) -> Any:
    """Return the module `transformers`, after importing PyTorch.

    Args:
        folder: for the error message.
        content: of the folder, which needs transformers, for the error message.

    Raises:
        ValueError: transformers or PyTorch is not installed.
    """
    try:
        import torch  # noqa: F401
        import transformers
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{folder} holds {content}, which needs the package {error.name}: {INSTALL}."
        ) from None
    return transformers


def needs_transformers(folder: Path) -> bool:
    """Return whether transformers must open a model folder or an adapter."""
    from playground.folder.config import config_of
    from playground.folder.json_file import read_json
    from playground.folder.source import is_adapter

    if is_adapter(folder) or not (folder / "tokenizer.json").is_file():
        return True
    return config_of(read_json(folder / "config.json")) is None


def main(arguments: list[str]) -> int:
    """Return 0 if the model needs the libraries, else 1; the app reports what is wrong with it."""
    from playground.folder.source import find_folder

    try:
        return 0 if needs_transformers(find_folder(arguments[0])) else 1
    except ValueError:
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
