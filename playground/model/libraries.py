"""PyTorch and transformers, which only a GPU and models of other shapes need: imported where they
are used, and how to install them where they are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

INSTALL = "pip install torch 'transformers>=5,<6'"


def transformers_for(folder: Path, what: str) -> Any:
    """The module `transformers`, with PyTorch beside it.

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
