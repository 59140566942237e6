"""Lists of numbers that are tensors of one element: `torch.tensor` reads them, which it cannot without data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor


@contextlib.contextmanager
def numbers_in_lists() -> Iterator[None]:
    """A context in which `torch.tensor` asks fake tensors in a list for their values, as `.item()` does: those that
    come from constants have one, and the error of others says so."""
    made = torch.tensor

    def tensor(data: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        return made(_numbers(data), *args, **kwargs)

    torch.tensor = tensor
    try:
        yield
    finally:
        torch.tensor = made


def _numbers(data: Any) -> Any:
    if type(data) not in (list, tuple):
        return data
    return [value.item() if isinstance(value, FakeTensor) and value.numel() == 1 else _numbers(value) for value in data]
