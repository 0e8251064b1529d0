"""Tests that only a card can answer: `pytest tests/gpu`, under 8 minutes on one.

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
