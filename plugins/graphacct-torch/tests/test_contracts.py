"""What graphacct-torch registers keeps the contracts of readers and profiles."""

from __future__ import annotations

import json
from typing import ClassVar

import graphacct_torch
import torch
from torch import nn

from graphacct.testing import NodeHooksContract, ProfileContract, ReaderContract, Totals

MODEL = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
CALL = (MODEL, (torch.zeros(4, 3),))
TINY = {"model_type": "openai-gpt", "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 16, "vocab_size": 32}


class TestTorch(ReaderContract):
    reader = "torch"
    rows = (Totals(CALL, params=3 * 5 + 5 + 5 * 2 + 2, matmul_flops=2 * 4 * (3 * 5 + 5 * 2)),)


class TestTransformers(ReaderContract):
    reader = "transformers"
    may_open = 2  # for its family and for its keys; a config.json is small
    files: ClassVar = {"config.json": json.dumps(TINY)}
    rows = (
        # tables of words and positions; in each layer 12 width² weights, 13 width of biases and of two norms
        Totals("config.json", {"seq_len": 4}, params=(32 + 16) * 8 + 2 * (12 * 64 + 13 * 8)),
    )


class TestAsRecorded(ProfileContract):
    profile = "as-recorded"
    # autograd keeps x for the first weight, and relu's output, which is the operand of the second weight too
    rows = (Totals(CALL, {"loss": "sum"}, saved_bytes=4 * 4 * 5),)


class TestHooks(NodeHooksContract):
    """It measures functions and classes, and leaves what it does not know to others."""

    plugin = graphacct_torch
    rows = (Totals(CALL),)
