"""What a graph was captured from, where that can run again: a module that was read into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs


@attrs.frozen(eq=False, repr=False)
class Origin:
    """The module that a graph was captured from, which can run again.

    Attributes:
        record: `record(graph, training, accumulated)` runs it and returns a Recording (execution/recording.py) under
            the graph's names: of a forward pass, or of a training step, which starts without gradients or with those of
            an earlier one (`accumulated`). The graph is the captured one, folded or not.
        with_loss: `with_loss(loss)` returns the graph of the same module with a loss after it; ConfigError for a name
            that it does not know.
    """

    record: Callable[[Any, bool, bool], Any]
    with_loss: Callable[[str], Any]

    def __repr__(self) -> str:
        return "<Origin>"
