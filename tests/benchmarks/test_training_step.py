"""A training step's account in one process, against the forward pass of the same model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from timing import interleaved

import graphacct

TARGET = 10.0
"""An account that is asked for FLOPs alone takes at most this many forward passes'."""


@pytest.mark.parametrize("model", ["gpt2-xl", "deepseek-v3"])
def test_flops_of_a_training_step(benchmark: Any, record: Callable[..., None], model: str) -> None:
    """FLOPs alone need no schedule and no peaks; the account with all quantities is recorded, without a target."""
    flops = partial(graphacct.account, model, phase="train", quantities=("flops",))
    everything = partial(graphacct.account, model, phase="train")
    assert flops().total["flops"] == everything().total["flops"]
    times = interleaved(
        {"forward": partial(graphacct.account, model), "flops": flops, "everything": everything}, rounds=20
    )
    record(f"account({model})", times["forward"], 1.0, "itself")
    record(f"account({model}, train, flops)", times["flops"], times["flops"] / times["forward"], "forward")
    record(f"account({model}, train)", times["everything"], times["everything"] / times["forward"], "forward")
    benchmark.pedantic(flops, rounds=20, iterations=1)
    assert times["flops"] <= TARGET * times["forward"]
