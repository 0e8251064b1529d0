"""What is looked at in a folder's weights before they are used: that they are numbers, of a kind
that says what they are, and not one value everywhere."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import torch

PLAIN = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
GLANCE = 1024  # values of a weight that are compared first


def check_weights(
    folder: Path, weights: Mapping[str, torch.Tensor], *, is_quantized: bool = False
) -> None:
    """Refuse weights from which nothing can be computed, and warn of those that look empty.

    Args:
        folder: where they are from.
        weights: tensors by name, as they are stored.
        is_quantized: whether the configuration says how they were quantized.

    Raises:
        ValueError: one sentence that names a tensor.
    """
    for name, weight in weights.items():
        is_plain = weight.dtype in PLAIN
        if is_plain and not torch.isfinite(weight).all():
            raise ValueError(f"{folder}: {name} holds what is no number: export the model again.")
        if not is_plain and not is_quantized and (weight.is_floating_point() or is_weight(name)):
            kind = str(weight.dtype).removeprefix("torch.")
            raise ValueError(
                f"{folder}: {name} is stored as {kind}, and config.json does not say how it was "
                "quantized (quantization_config): export the model in fp16, bf16 or fp32."
            )
    matrices = [name for name, weight in weights.items() if weight.ndim > 1 and is_weight(name)]
    constant = [name for name in matrices if is_constant(weights[name])]
    if not constant:
        return
    said = (
        f"{folder}: {len(constant)} of {len(matrices)} weights hold one value everywhere, "
        f"{constant[0]} for instance: the file may be incomplete, download or export it again"
    )
    if len(constant) == len(matrices):
        raise ValueError(f"{said}.")
    logging.getLogger(__name__).warning("%s.", said)


def is_weight(name: str) -> bool:
    """Return whether a tensor is a weight by its name, and not a mask or a table of positions."""
    return name.endswith("weight")


def is_constant(weight: torch.Tensor) -> bool:
    """Return whether a weight is the same value everywhere."""
    if weight.dtype not in PLAIN or weight.numel() < 2:
        return False
    flat = weight.reshape(-1)
    return bool((flat[:GLANCE] == flat[0]).all()) and bool((flat == flat[0]).all())
