"""Kernels whose fake form torch lacks, or has only for some dtypes: what they return, without data."""

from __future__ import annotations

from typing import Any

import torch


def _grouped_mm(
    a: torch.Tensor, b: torch.Tensor, offs: torch.Tensor | None = None, bias: Any = None, out_dtype: Any = None
) -> torch.Tensor:
    """Products of groups of rows: (m, k) by (g, k, n) is (m, n), (m, k) by (k, n) in groups of k is (g, m, n)."""
    if a.dim() == 2 and b.dim() == 2:
        assert offs is not None
        shape: tuple[int, ...] = (offs.shape[0], a.shape[0], b.shape[1])
    elif a.dim() == 2:
        shape = (a.shape[0], b.shape[2])
    elif b.dim() == 2:
        shape = (a.shape[1], b.shape[1])
    else:
        shape = (a.shape[0], a.shape[1], b.shape[2])
    return a.new_empty(shape, dtype=out_dtype or a.dtype)


KERNELS = {torch.ops.aten._grouped_mm.default: _grouped_mm}
"""The kernels that replace torch's own fake ones."""
