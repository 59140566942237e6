"""The reader of modules keeps the contract of a reader."""

from __future__ import annotations

import torch
from torch import nn

from graphacct.testing import ReaderContract, Totals

MODEL = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))


class TestTorch(ReaderContract):
    reader = "torch"
    rows = (Totals((MODEL, (torch.zeros(4, 3),)), params=3 * 5 + 5 + 5 * 2 + 2, matmul_flops=2 * 4 * (3 * 5 + 5 * 2)),)
