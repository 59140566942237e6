"""What a model's code keeps with functools.lru_cache neither enters a run without data nor leaves it."""

import functools

import pytest
import torch
from torch import nn

from graphacct import account

X = (torch.zeros(2, 4),)
MADE = []


@functools.lru_cache(maxsize=8)
def positions(length):
    """A function of a module of Python."""
    return (torch.arange(length) * 2.0,)


@functools.cache
def registry():
    """One object for all, in which there is no tensor."""
    MADE.append(1)
    return {"seen": len(MADE)}


def cached_behind(function):
    """A decorator with the cache in its closure, as the transformers library has one."""
    kept = functools.lru_cache(maxsize=1)(function)

    @functools.wraps(function)
    def wrapper(*args):
        return kept(*args)

    return wrapper


class Cached(nn.Module):
    """It adds what four caches hold: a function's, a method's, one behind a decorator, and one of the instance."""

    def __init__(self):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(4))
        self.mine = functools.lru_cache(lambda length: torch.arange(length) * 5.0)

    @functools.lru_cache  # noqa: B019
    def method(self, length):
        return torch.arange(length) * 3.0

    @cached_behind
    def behind(self, length):
        return torch.arange(length) * 4.0

    def forward(self, x):
        registry()
        size = x.shape[-1]
        return x + self.start + positions(size)[0] + self.method(size) + self.behind(size) + self.mine(size)


FLOPS = 4 * 4 + 5 * 2 * 4
"""4 products of 4 positions, 5 sums of 2 × 4."""


@pytest.mark.parametrize("ran", [False, True])
def test_caches(ran):
    """A module that ran before has the same calls, each time, and afterwards runs with data on what was kept."""
    module, only = Cached(), registry()
    positions.cache_clear()
    if ran:
        module(*X)
    kept = positions(4)[0] if ran else None
    for _ in range(2):
        assert account((module, X)).total["flops"] == FLOPS
    assert account((module, X), phase="train").total["step_flops"] == FLOPS + 8  # the gradient's sum
    assert module(*X)[0].tolist() == [0.0, 14.0, 28.0, 42.0]
    assert positions.cache_info().currsize == 1
    assert kept is None or positions(4)[0] is kept
    assert registry() is only
