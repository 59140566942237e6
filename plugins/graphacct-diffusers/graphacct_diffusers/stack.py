"""Layers that repeat, where the first may read tokens that lie in memory in another order than the later ones do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphacct import Builder, Dim, Value, same


def stacked(
    b: Builder,
    name: str,
    count: Dim,
    body: Callable[..., Any],
    *carry: Value,
    constants: Sequence[Value] = (),
    apart: bool = False,
) -> Any:
    """Applies `count` layers. The first is written out if what it is given is strided (its own sums lie in order), or
    if it stands `apart`, as it gives strided tokens."""
    start = 0
    found: Any = carry if len(carry) > 1 else carry[0]
    if same(count, 0):
        return found
    if apart or any(x.spec.strides is not None for x in carry):
        with b.scope(f"{name}.0"):
            found = body(b, *carry, *constants)
        start = 1
    if same(count, start):
        return found
    given = found if isinstance(found, tuple) else (found,)
    return b.repeat(name, count - start, body, *given, constants=constants, start=start)
