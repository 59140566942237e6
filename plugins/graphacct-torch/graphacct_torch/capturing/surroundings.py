"""What holds around a module that runs without data, so that it makes the same calls whatever the caller's settings."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import warnings
from collections.abc import Iterator

import torch

LOGGER = "torch._subclasses.fake_tensor"
"""Logs the traceback of each operator that fails, which the error then has."""


@contextlib.contextmanager
def surroundings() -> Iterator[None]:
    """A context with gradients, without torch's paths for inference alone and compiled code, without warnings, and in
    which Python's collector rests: when a storage dies must not depend on when it runs."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        logger, level = logging.getLogger(LOGGER), logging.getLogger(LOGGER).level
        fast, collects = torch.backends.mha.get_fastpath_enabled(), gc.isenabled()
        torch.backends.mha.set_fastpath_enabled(False)
        logger.setLevel(logging.CRITICAL)
        gc.disable()
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            logger.setLevel(level)
            if collects:
                gc.enable()
