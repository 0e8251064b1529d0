"""Muon's orthogonalization of the momentum of matrices (Jordan 2024)."""

from __future__ import annotations

import math

import torch

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan 2024, kellerjordan.github.io/posts/muon
ITERATIONS = 5
ADAM_RMS = 0.2  # root mean square of AdamW's update, which Muon's is brought to: Liu et al. 2025


def orthogonalize(matrices: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """About the nearest matrices with orthonormal rows or columns, (count, rows, columns), scaled
    to AdamW's length.

    Five Newton-Schulz iterations bring the singular values to between 0.7 and 1.2 (Jordan 2024).
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    found = matrices.mT if tall else matrices
    found = (found / (found.norm(dim=(-2, -1), keepdim=True) + 1e-7)).to(dtype)
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        gram = found @ found.mT
        found = torch.baddbmm(
            found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a
        )
    found = found.to(matrices.dtype)
    return (found.mT if tall else found) * (ADAM_RMS * math.sqrt(max(matrices.shape[-2:])))
