"""A capture runs in surroundings of its own, and leaves the caller's as they were."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import graphacct
from graphacct import GraphacctError

SETTINGS: dict[str, Callable[[], Any]] = {
    "threads": torch.get_num_threads,
    "fast path of attention": torch.backends.mha.get_fastpath_enabled,
    "gradients": torch.is_grad_enabled,
    "Python's collector": gc.isenabled,
}


SEEN: dict[str, Any] = {}
"""The settings in which a module ran last; the module that runs is a copy."""


class Watching(nn.Module):
    """Notes the settings in which it runs, and fails if it is told to."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.fails = fails

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        SEEN.update({name: get() for name, get in SETTINGS.items()})
        if self.fails:
            raise ValueError("no")
        return self.fc(x)


@pytest.mark.parametrize("fails", [False, True])
def test_settings_are_as_before(fails: bool) -> None:
    """After a module that runs, and after one that raises: with two threads, without gradients or a collector."""
    module, threads = Watching(fails), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.no_grad():
            before = {name: get() for name, get in SETTINGS.items()}
            if fails:
                with pytest.raises(GraphacctError, match="no"):
                    graphacct.account((module, (torch.zeros(2, 3),)))
            else:
                graphacct.account((module, (torch.zeros(2, 3),)))
            assert {name: get() for name, get in SETTINGS.items()} == before
    finally:
        torch.set_num_threads(threads)
    assert SEEN == {
        "threads": 1,
        "fast path of attention": False,
        "gradients": True,
        "Python's collector": False,
    }
