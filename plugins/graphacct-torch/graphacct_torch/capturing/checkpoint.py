"""Checkpointed regions: which calls of the forward pass run under one call of torch.utils.checkpoint."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from torch.utils import checkpoint as library

from graphacct_torch.capturing.recorder import Recorder


@contextlib.contextmanager
def following(recorder: Recorder) -> Iterator[None]:
    """Tells a recorder which region the module runs in: the outermost, where regions are nested."""
    numbers, depth = itertools.count(1), [0]
    hook: Any = library._checkpoint_hook
    enter, leave, forward = hook.__enter__, hook.__exit__, library.CheckpointFunction.forward

    @contextlib.contextmanager
    def inside() -> Iterator[None]:
        entered()
        try:
            yield
        finally:
            left()

    def entered() -> None:
        depth[0] += 1
        if depth[0] == 1 and not recorder.training:
            recorder.region = next(numbers)

    def left() -> None:
        depth[0] -= 1
        if depth[0] == 0:
            recorder.region = 0

    def enter_region(self: Any) -> Any:
        entered()
        return enter(self)

    def leave_region(self: Any, *error: Any) -> Any:
        left()
        return leave(self, *error)

    def run_region(ctx: Any, function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        def within(*given: Any) -> Any:
            with inside():
                return function(*given)

        result = forward(ctx, within, preserve, *args)
        ctx.run_function = function
        return result

    hook.__enter__, hook.__exit__ = enter_region, leave_region
    library.CheckpointFunction.forward = staticmethod(run_region)
    try:
        yield
    finally:
        del hook.__enter__, hook.__exit__
        library.CheckpointFunction.forward = staticmethod(forward)
