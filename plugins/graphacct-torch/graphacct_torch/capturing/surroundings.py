"""What holds around a module that runs without data, so that it makes the same calls whatever the caller's settings."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

LOGGER = "torch._subclasses.fake_tensor"
"""Logs the traceback of each operator that fails, which the error then has."""


@contextlib.contextmanager
def resting() -> Iterator[None]:
    """A context in which Python's collector rests: a graph has many objects and no cycles, and when a storage dies must
    not depend on when it runs."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextlib.contextmanager
def surroundings() -> Iterator[None]:
    """A context with gradients, without torch's paths for inference alone and compiled code, without warnings, and in
    which Python's collector rests. It has one thread: what little is computed, the masks, takes less time than other
    threads spin between two of them."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(resting())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(_unchecked_distributions())
        logger, level = logging.getLogger(LOGGER), logging.getLogger(LOGGER).level
        fast, threads = torch.backends.mha.get_fastpath_enabled(), torch.get_num_threads()
        torch.set_num_threads(1)
        torch.backends.mha.set_fastpath_enabled(False)
        convert = nn.Module._apply
        nn.Module._apply = _apply_if_it_changes(convert)
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            nn.Module._apply = convert
            torch.backends.mha.set_fastpath_enabled(fast)
            torch.set_num_threads(threads)
            logger.setLevel(level)


def _apply_if_it_changes(convert: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """Returns `Module._apply` (of `.to`, `.float` and others), which leaves parts alone whose tensors it would not
    change: torch would swap each fake tensor with itself, and fails as they are watched."""

    def apply(self: nn.Module, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        tensors = [*self.parameters(recurse), *self.buffers(recurse)]
        grads = [tensor.grad for tensor in tensors if tensor.grad is not None]
        with torch.no_grad():
            same = all(fn(tensor) is tensor for tensor in [*tensors, *grads])
        return self if same else convert(self, fn, recurse)

    return apply


@contextlib.contextmanager
def _unchecked_distributions() -> Iterator[None]:
    """Distributions of torch do not check their parameters, as under `python -O`: the checks compute nothing, and would
    ask for values."""
    base = torch.distributions.Distribution
    before = base._validate_args
    base.set_default_validate_args(False)
    try:
        yield
    finally:
        base.set_default_validate_args(before)
