"""Tests that only a card can answer: `pytest tests/gpu -v -n 6`, 100 seconds on an H200 with 16
cores but for those of the same bits, which compile anew.

They need torch, transformers, accelerate and pytest, and no file but the repository's.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            if not torch.cuda.is_available():
                item.add_marker(pytest.mark.skip(reason="no GPU on this machine"))
