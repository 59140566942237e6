"""The losses of a diffusion step: the mean squared error of the noise, or the sum of the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphacct_architectures.losses import SUM, total

from graphacct import Builder, Value


def squared_error(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the mean squared error of the first output against a target, computed after the model returned."""
    b.returned()
    x = outputs[0]
    found: Value = b.apply("mse_loss", x, b.input("target", x.spec.shape), name="loss")
    return found


LOSSES: Mapping[str, Callable[[Any, tuple[Value, ...], Builder], Value]] = {"mse": squared_error, SUM: total}
